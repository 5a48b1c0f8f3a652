//! What is in order, and what is not.

use serde_json::Value;

use super::program::{Gesta, json_lines};
use crate::support::{TestDb, bare_database, database, nats};

/// The checks that are not in order. The server of the tests does without fsync, and the doctor notices.
fn wrong(db: &TestDb) -> Vec<(String, String)> {
    let ended = Gesta::on(db).run(&["doctor"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let checks = json_lines(&ended.stdout);
    let fixed = |check: &&Value| check["state"] == "ok" || check["fix"].is_string();
    assert!(checks.iter().all(|check| fixed(&check)), "each has a fix: {checks:?}");
    let failed = checks.iter().any(|check| check["state"] == "fail");
    assert_eq!(ended.code(), i32::from(failed), "{}", ended.stdout);
    checks
        .iter()
        .filter(|check| check["state"] != "ok" && check["check"] != "durability")
        .map(|check| (text(&check["check"]), text(&check["found"])))
        .collect()
}

#[tokio::test]
async fn fresh_database_has_nothing_wrong() {
    assert_eq!(wrong(&database().await), []);
}

#[tokio::test]
async fn database_without_the_schema_is_noticed() {
    let found = wrong(&bare_database().await);
    assert_eq!(found[0].0, "migrations");
}

#[tokio::test]
async fn what_was_tampered_with_is_named() {
    let db = database().await;
    let admin = db.admin().await;
    for (sql, check, part) in [
        (
            "ALTER TABLE gesta.action_past DISABLE TRIGGER action_append_only",
            "append-only",
            "gesta.action_past",
        ),
        ("ALTER TABLE gesta.follow DISABLE ROW LEVEL SECURITY", "row security", "gesta.follow"),
        (
            "GRANT UPDATE ON gesta.action_future TO gesta_app",
            "grants",
            "gesta_app may update gesta.action_future",
        ),
        (
            "REVOKE SELECT ON gesta.action FROM gesta_auditor",
            "grants",
            "gesta_auditor lacks select",
        ),
        (
            "CREATE OR REPLACE FUNCTION gesta.refuse_change() RETURNS trigger LANGUAGE plpgsql
             SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN OLD; END'",
            "guards",
            "function gesta.refuse_change() was changed",
        ),
        (
            "CREATE POLICY p ON gesta.action TO gesta_app USING (true)",
            "guards",
            "policy p of gesta.action is not ours",
        ),
        (
            "ALTER POLICY key_of_tenant ON gesta.key USING (true)",
            "guards",
            "policy key_of_tenant of gesta.key was changed",
        ),
        (
            "CREATE RULE quiet AS ON INSERT TO gesta.action WHERE new.verb = 'login' DO INSTEAD NOTHING",
            "guards",
            "rule quiet of gesta.action is not ours",
        ),
        (
            "CREATE FUNCTION public.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER quiet BEFORE INSERT ON gesta.action_past FOR EACH ROW EXECUTE FUNCTION public.quiet()",
            "guards",
            "trigger quiet of gesta.action_past is not ours",
        ),
        (
            "DROP TRIGGER claim_settled ON gesta.claim",
            "guards",
            "trigger claim_settled of gesta.claim is missing",
        ),
        (
            "DROP TRIGGER action_append_only ON gesta.action;
             CREATE TRIGGER action_append_only BEFORE UPDATE OR DELETE ON gesta.action
             FOR EACH ROW WHEN (false) EXECUTE FUNCTION gesta.refuse_change()",
            "guards",
            "trigger action_append_only of gesta.action was changed",
        ),
        ("UPDATE gesta.migration SET checksum = 'x' WHERE version = 1", "migrations", "checksum"),
    ] {
        admin.batch_execute(sql).await.expect(sql);
        let found = wrong(&db);
        let named = |(name, text): &(String, String)| name == check && text.contains(part);
        assert!(found.iter().any(named), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn action_of_the_far_future_is_noticed() {
    let db = database().await;
    Gesta::on(&db).ok(&["emit", "x", "--actor", "u:1", "--at", "9999-12-31"]);
    let found = wrong(&db);
    assert!(found.len() == 1 && found[0].0 == "future", "{found:?}");
}

/// What is said of NATS: state and text of each check.
fn nats_checks(gesta: &Gesta) -> Vec<(String, String)> {
    let ended = gesta.run(&["doctor", "-o", "jsonl"]);
    let checks = json_lines(&ended.stdout);
    let ours = checks.iter().filter(|check| check["check"] == "nats" || check["check"] == "stream");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    ours.map(|check| (text(&check["state"]), text(&check["found"]))).collect()
}

#[tokio::test]
async fn nats_is_looked_at_where_it_is_used() {
    let (db, nats) = (database().await, nats().await);
    let name = nats.spec.name().to_owned();
    let gesta = |url: &str| {
        let gesta = Gesta::on(&db).env("GESTA_NATS_URL", url).env("GESTA_NATS_STREAM", &name);
        gesta.env("GESTA_NATS_PREFIX", &name)
    };
    assert_eq!(nats_checks(&Gesta::on(&db)), []);
    let found = nats_checks(&gesta(nats.url()));
    assert!(found[0].0 == "ok" && found[0].1.starts_with("version 2."), "{found:?}");
    assert_eq!(found[1], ("warn".into(), format!("`{name}` is not there")));
    nats.spec.open(&nats.jet_stream).await.expect("made");
    let found = nats_checks(&gesta(nats.url()));
    assert_eq!(found[1], ("ok".into(), format!("`{name}` is as asked for, and empty")));
    // How long messages are kept is the operator's choice.
    nats.jet_stream.delete_stream(&name).await.expect("deleted");
    let chosen = nats.spec.clone().max_age(std::time::Duration::from_hours(30 * 24));
    chosen.max_bytes(1 << 30).open(&nats.jet_stream).await.expect("made");
    let found = nats_checks(&gesta(nats.url()));
    assert_eq!(found[1].0, "ok", "{found:?}");
    let found = nats_checks(&gesta(nats.url()).env("GESTA_NATS_PREFIX", "other"));
    assert!(
        found[1].0 == "fail" && found[1].1.contains("subjects: asked for [\"other.v1.>"),
        "{found:?}"
    );
}

#[tokio::test]
async fn nats_that_cannot_be_used_is_a_failure_without_the_secret() {
    let db = database().await;
    for (name, value, wanted) in [
        ("GESTA_NATS_URL", "nats://ann:hush@127.0.0.1:1", "nothing answers as NATS does"),
        ("GESTA_NATS_URL", "ws://ann:hush@h", "a scheme is neither nats:// nor tls://"),
        ("GESTA_NATS_STREAM", "a.b", "GESTA_NATS_STREAM is refused"),
    ] {
        let gesta =
            Gesta::on(&db).env("GESTA_NATS_URL", "nats://ann:hush@127.0.0.1:1").env(name, value);
        let found = nats_checks(&gesta);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == "fail" && found[0].1.contains(wanted), "{found:?}");
        assert!(!found[0].1.contains("hush"), "{found:?}");
    }
}
