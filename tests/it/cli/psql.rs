//! PostgreSQL's prompt: an ordinary role with tables of its own.

use super::program::Gesta;
use crate::support::{TestDb, database};

/// With the psql of the server, where it has one, else that of the machine.
fn gesta(db: &TestDb) -> Gesta {
    let psql = db.program("psql");
    let gesta = Gesta::on(db);
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
    let own = "CREATE TABLE note (id int); INSERT INTO note VALUES (7); SELECT relnamespace::regnamespace \
               FROM pg_class WHERE relname = 'note'";
    let made = gesta.ok(&["psql", "-Atqc", own]);
    assert_eq!(made, "gesta_user\n");
    assert_eq!(gesta.ok(&["psql", "-Atc", "SELECT id FROM note"]), "7\n");
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
