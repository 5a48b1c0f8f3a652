//! Tables that change while the program runs, and names that need quotes.

use gesta::{Hook, Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::newsroom::{Article, article, done, in_session, log, newsroom};
use crate::support::{check_log, resource};

#[derive(Serialize, Deserialize)]
struct Odd {
    #[serde(rename = "Key \"1\"")]
    key: String,
    t: Vec<i32>,
    #[serde(rename = "ordinality")]
    n: serde_json::Value,
}

impl Resource for Odd {
    fn resource(&self) -> ResourceRef {
        resource(&format!("odd:{}", self.key))
    }
}
impl Model for Odd {
    const TABLE: &'static str = "newsroom.Odd; DROP TABLE \"x";
    const KEY: &'static str = "Key \"1\"";
}
impl Hook for Odd {}

#[tokio::test]
async fn names_are_taken_as_they_are_and_types_as_well() {
    let (db, store) = newsroom().await;
    let table = "CREATE TABLE newsroom.\"Odd; DROP TABLE \"\"x\" (\"Key \"\"1\"\"\" varchar(10) PRIMARY KEY, t int[], \
                 ordinality json);
                 GRANT ALL ON ALL TABLES IN SCHEMA newsroom TO gesta_app";
    db.admin().await.batch_execute(table).await.expect("a table");
    let odd = |t: &[i32]| Odd { key: "a:\"b\"".to_owned(), t: t.to_vec(), n: json!({ "a": [1] }) };
    done(&store, async |session| session.save(&odd(&[1, 2])).await).await;
    done(&store, async |session| session.save(&odd(&[1, 2])).await).await;
    done(&store, async |session| session.save(&odd(&[2])).await).await;
    let found = done(&store, async |session| session.find::<Odd>("a:\"b\"").await).await;
    assert_eq!(found.expect("it is there").t, [2]);
    let told: Vec<_> =
        log(&db).await.into_iter().map(|line| (line[3].clone(), line[4]["t"].clone())).collect();
    let object = json!("odd:a:\"b\"");
    assert_eq!(told, [(object.clone(), json!([null, [1, 2]])), (object, json!([[1, 2], [2]]))]);
    check_log(&db).await;
}

#[tokio::test]
async fn columns_that_come_and_go_are_noticed() {
    let (db, store) = newsroom().await;
    let admin = db.admin().await;
    done(&store, async |session| session.save(&article(1, "One")).await).await;
    let rename = "ALTER TABLE newsroom.article ADD COLUMN lead text DEFAULT 'none';
                  ALTER TABLE newsroom.article RENAME COLUMN words TO length";
    admin.batch_execute(rename).await.expect("renamed");
    // The first one learns that the table is another one, the second one knows.
    for _ in 0..2 {
        let error =
            in_session(&store, async |session| session.save(&article(1, "Uno")).await).await;
        assert!(error.is_err());
    }
    let error = in_session(&store, async |session| session.save(&article(1, "Uno")).await).await;
    let error = error.expect_err("no such column").to_string();
    assert!(error.starts_with("model of `newsroom.article`: `words` is no column"), "{error}");
    admin
        .batch_execute("ALTER TABLE newsroom.article RENAME COLUMN length TO words")
        .await
        .expect("back");
    done(&store, async |session| session.save(&article(1, "Uno")).await).await;
    done(&store, async |session| session.save(&article(2, "Two")).await).await;
    assert_eq!(
        log(&db).await[2][4]["lead"],
        json!([null, "none"]),
        "a column that the struct does not have"
    );
    admin.batch_execute("ALTER TABLE newsroom.article DROP COLUMN lead").await.expect("dropped");
    done(&store, async |session| session.save(&article(1, "Eins")).await).await;
    check_log(&db).await;
}

#[derive(Serialize, Deserialize)]
struct Nowhere {
    id: i64,
}
impl Resource for Nowhere {
    fn resource(&self) -> ResourceRef {
        article(self.id, "").resource()
    }
}
impl Model for Nowhere {
    const TABLE: &'static str = "newsroom.nothing";
    const KEY: &'static str = "id";
}
impl Hook for Nowhere {}

#[tokio::test]
async fn table_that_is_not_there_is_named() {
    let (_db, store) = newsroom().await;
    let error = in_session(&store, async |session| session.save(&Nowhere { id: 1 }).await).await;
    assert_eq!(
        error.map(drop).expect_err("refused").to_string(),
        "model of `newsroom.nothing`: there is no such table, or this role does not see it"
    );
}

/// A struct whose field is no number.
#[derive(Debug, Serialize, Deserialize)]
struct Misfit {
    id: i64,
    title: i64,
}
impl Resource for Misfit {
    fn resource(&self) -> ResourceRef {
        article(self.id, "").resource()
    }
}
impl Model for Misfit {
    const TABLE: &'static str = Article::TABLE;
    const KEY: &'static str = "id";
}

#[tokio::test]
async fn row_that_does_not_fit_the_struct_is_refused_without_its_value() {
    let (_db, store) = newsroom().await;
    done(&store, async |session| session.save(&article(1, "hunter2")).await).await;
    let error = in_session(&store, async |session| session.find::<Misfit>(1).await).await;
    let error = error.expect_err("no number");
    let wanted =
        "model of `newsroom.article`: the value of column `title` does not fit the struct's field";
    assert_eq!(error.to_string(), wanted);
    assert!(!format!("{error:?}").contains("hunter2"));
}
