//! `--actions FILE`: the same file for the command and for the server.

use serde_json::Value;

use super::rig::Desk;
use crate::cli::program::Gesta;
use crate::support::nats;
use crate::support::tools::example;

#[tokio::test(flavor = "multi_thread")]
async fn file_is_listed_run_and_refused_at_its_line() {
    let desk = Desk::new().await;
    let path = example("actions/actions.toml").display().to_string();
    let nats = nats().await;
    let gesta = Gesta::on(&desk.db).env("GESTA_NATS_URL", nats.url());
    let listed = gesta.lines(&["action", "ls", "article", "--actions", &path]);
    let names: Vec<_> = listed.iter().map(|it| it["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["delete", "export", "publish", "unpublish"]);
    let by_env = Gesta::on(&desk.db).env("GESTA_NATS_URL", nats.url()).env("GESTA_ACTIONS", &path);
    let plan = ["action", "run", "article", "publish", "--ids", "1", "--plan", "-o", "table"];
    let plan = by_env.ok(&plan);
    assert!(plan.lines().any(|line| line.trim_end().ends_with("done      publish")), "{plan}");
    let run =
        ["action", "run", "article", "publish", "--ids", "1,3", "--reason", "spring", "--yes"];
    let run: Value = serde_json::from_str(&by_env.ok(&run)).expect("JSON");
    assert_eq!(run["state"], "succeeded", "{run}");
    let rows = "SELECT concat_ws(' ', id, state) FROM newsroom.article ORDER BY id";
    assert_eq!(desk.texts(rows).await, ["1 published", "2 draft", "3 published"]);

    let id = run["id"].as_str().expect("an id");
    let table = by_env.ok(&["run", "ls", "-o", "table"]);
    assert!(table.contains(id), "an id is in one piece: {table}");
    let export = ["action", "run", "article", "export", "--ids", "1,3", "--reason", "x", "--yes"];
    let run: Value = serde_json::from_str(&by_env.ok(&export)).expect("JSON");
    let file = by_env.ok(&["run", "download", run["id"].as_str().expect("an id")]);
    let states: Vec<_> = file.lines().filter_map(|line| line.split(',').nth(3)).collect();
    assert_eq!(states, ["state", "published", "published"], "{file}");

    desk.sql("UPDATE newsroom.article SET title = E'\\x1b[31mr\\u00e9d\\x7f' WHERE id = 1").await;
    let run: Value = serde_json::from_str(&by_env.ok(&export)).expect("JSON");
    let file = by_env.ok(&["run", "download", run["id"].as_str().expect("an id")]);
    assert!(file.contains("\u{1b}[31mréd\u{7f}"), "byte by byte: {file:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "[types.article]\nsingular = \"article\"\nplurals = \"x\"\n")
        .expect("written");
    let wrong = wrong.display().to_string();
    let args = ["action", "ls", "article", "--actions", &wrong];
    let ended = gesta.run(&args).expect_code(2, &args);
    let told = format!("{wrong}:3: unknown field `plurals`, expected one of `table`, `key`");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    let missing = folder.path().join("none.toml").display().to_string();
    let args = ["serve", "--actions", &missing];
    let ended = gesta.run(&args).expect_code(2, &args);
    assert!(ended.stderr.contains("none.toml cannot be read"), "{}", ended.stderr);
}
