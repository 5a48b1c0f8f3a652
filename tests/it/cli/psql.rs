//! PostgreSQL's prompt: an ordinary role with tables of its own.

use std::io::{BufRead, BufReader, Write};

use super::program::{Gesta, json_lines};
use crate::support::{OwnHome, TestDb, database, nats};

fn gesta(db: &TestDb) -> Gesta {
    with_psql(Gesta::on(db), db)
}

/// With the psql of the server, where it has one, else that of the machine.
pub(super) fn with_psql(gesta: Gesta, db: &TestDb) -> Gesta {
    let psql = db.program("psql");
    if psql.is_file() { gesta.env("PSQL", psql.display().to_string()) } else { gesta }
}

#[tokio::test]
async fn people_at_psql_have_tables_of_their_own_and_cannot_change_the_log() {
    let db = database().await;
    // A copy of a database has none of the rights that were granted on the original as a whole.
    let grant = format!("GRANT CREATE ON DATABASE {} TO gesta_user", db.name());
    db.admin().await.batch_execute(&grant).await.expect("the migrations grant it too");
    let gesta = gesta(&db);
    gesta.ok(&["emit", "open", "--actor", "user:ann", "--tenant", "acme"]);
    let count = ["psql", "--tenant", "acme", "-Atc", "SELECT count(*), current_user FROM action"];
    assert_eq!(gesta.ok(&count), "1|gesta_user\n");
    let other = ["psql", "-Atc", "SELECT count(*) FROM gesta.action"];
    assert_eq!(gesta.ok(&other), "0\n", "rows of another tenant are not seen");
    let own = "CREATE TABLE memo (id int); INSERT INTO memo VALUES (7); SELECT relnamespace::regnamespace \
               FROM pg_class WHERE relname = 'memo'";
    let made = gesta.ok(&["psql", "-Atqc", own]);
    assert_eq!(made, "gesta_user\n");
    assert_eq!(gesta.ok(&["psql", "-Atc", "SELECT id FROM memo"]), "7\n");
    gesta.ok(&["psql", "-qc", "CREATE SCHEMA mine CREATE TABLE mine.more (id int)"]);
    for sql in [
        "UPDATE gesta.action SET verb = 'x'",
        "DELETE FROM gesta.action",
        "TRUNCATE gesta.action",
        "DROP TABLE gesta.follow",
        "ALTER TABLE gesta.action DISABLE TRIGGER ALL",
        "CREATE TABLE gesta.mine (id int)",
        "DROP SCHEMA gesta CASCADE",
        "SET ROLE gesta_owner",
    ] {
        let ended = gesta.run(&["psql", "-c", sql]);
        let denied =
            ended.stderr.contains("permission denied") || ended.stderr.contains("must be owner");
        // `SET ROLE` is judged by who logged in, and here that is the superuser; the private server lets nobody else in.
        assert!(denied && ended.code() == 1 || sql.starts_with("SET"), "{sql}: {}", ended.stderr);
    }
    let code = gesta.run(&["psql", "-v", "ON_ERROR_STOP=1", "-f", "/no/such/file"]).code();
    assert_ne!(code, 0, "psql's own code is passed on");
}

/// On a server that is shared, the relay's role may know it where a superuser says so.
#[tokio::test]
async fn transaction_that_is_open_on_a_private_server_is_told_with_its_age() {
    let (home, db, nats) = (OwnHome::new().await, database().await, nats().await);
    let gesta = with_psql(Gesta::home(home.path()), &db).env("GESTA_NATS_URL", nats.url());
    let gesta = gesta.env("GESTA_NATS_STREAM", nats.spec.name());
    let mut psql = gesta.spawn(&["psql", "-Atq"]);
    let mut stdin = psql.stdin.take().expect("a pipe");
    stdin.write_all(b"BEGIN;\nSELECT pg_current_xact_id();\n").expect("it reads");
    let mut xid = String::new();
    let mut lines = BufReader::new(psql.stdout.take().expect("a pipe"));
    lines.read_line(&mut xid).expect("an id");
    let status = json_lines(&gesta.run(&["relay", "status"]).stdout).remove(0);
    let open = &status["writing"][0];
    assert_eq!((open["xid"].to_string(), open["seconds"].is_f64()), (xid.trim().into(), true));
    assert_eq!(open["state"], "idle in transaction");
    drop(stdin);
    assert!(psql.wait().expect("it ends").success());
    home.remove();
}
