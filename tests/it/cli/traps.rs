//! People at psql may make schemas; nothing in these runs with the rights of an operator.

use gesta::Context;
use gesta::store::{Endpoint, PoolOptions, Store, migrate};
use gesta::track::Tracking;
use tokio_postgres::Client;

use super::program::Gesta;
use super::psql::with_psql;
use crate::support::{OwnCluster, OwnHome, database};

const TRAPS: &str = include_str!("traps.sql");
/// Not of this schema's making, and found by the operator's search path.
const ARTICLE: &str = "CREATE TABLE public.article (id integer PRIMARY KEY, title text)";

const SPRUNG: &str = "SELECT DISTINCT what || ' by ' || who FROM trap.sprung ORDER BY 1";
const IS_SUPERUSER: &str = "SELECT rolsuper FROM pg_roles WHERE rolname = 'gesta_user'";

/// Whom somebody who may make a schema has caught.
async fn caught(admin: &Client) -> Vec<String> {
    let rows = admin.query(SPRUNG, &[]).await.expect("the traps");
    let mut caught: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if admin.query_one(IS_SUPERUSER, &[]).await.expect("the role").get(0) {
        caught.push("gesta_user is a superuser".to_owned());
    }
    caught
}

/// A server of its own, since roles belong to all databases.
async fn with_traps() -> (OwnCluster, Client) {
    let cluster = OwnCluster::start().await;
    cluster.run(&["CREATE DATABASE app"]).await;
    let mut admin = cluster.admin("app").await;
    migrate(&mut admin).await.expect("migrated");
    admin.batch_execute(ARTICLE).await.expect("made");
    cluster.connect("gesta_user", "app").await.batch_execute(TRAPS).await.expect("it may");
    (cluster, admin)
}

#[tokio::test]
async fn schema_of_an_operator_s_name_catches_no_command() {
    let (cluster, admin) = with_traps().await;
    let gesta = Gesta::at(&cluster.url("postgres", "app"));
    for args in [
        &["migrate"][..],
        &["migrate", "status"],
        &["track", "article", "--type", "article", "--key", "id", "--print"],
        &["track", "article", "--type", "article", "--key", "id"],
        &["tracked"],
        &["doctor"],
        &["untrack", "article"],
        &["emit", "open", "--actor", "user:ann", "--object", "article:1"],
        &["log", "--limit", "all"],
        &["log", "article"],
        &["object", "article:1"],
        &["stats", "--by", "actor"],
        &["key", "create", "--name", "k", "--scope", "events:read"],
        &["key", "ls"],
        &["role", "add", "administrator", "user:ann"],
        &["role", "ls"],
        &["run", "ls"],
    ] {
        let ended = gesta.run(args);
        assert_ne!(ended.code(), 2, "{args:?}: {}", ended.stderr);
        assert_eq!(caught(&admin).await, [""; 0], "{args:?} {} {}", ended.stdout, ended.stderr);
    }
    drop(admin);
    cluster.stop().await;
}

/// The connection is the caller's, and so is its search path afterwards.
#[tokio::test]
async fn schema_of_an_operator_s_name_catches_no_function_of_the_library() {
    let (cluster, mut admin) = with_traps().await;
    migrate(&mut admin).await.expect("nothing to do");
    assert_eq!(path(&admin).await, "\"$user\", public");

    let endpoint = Endpoint::from(cluster.config("postgres", "app"));
    let pool = endpoint.pool(&PoolOptions::default().size(1)).await.expect("a pool");
    let store = Store::new(pool);
    let mut client = store.client().await.expect("a connection");
    let ctx = Context::system("operator").expect("a name");
    let article = Tracking::new("article", "article".parse().expect("a type"), ["id"]);
    let nothing = Tracking::new("article", "article".parse().expect("a type"), ["title"]);
    let tx = client.transaction().await.expect("a transaction");
    tx.batch_execute("SET LOCAL search_path = public, trap").await.expect("set");
    store.track(&tx, &ctx, &nothing).await.expect_err("no key");
    store.track(&tx, &ctx, &article).await.expect("tracked");
    assert_eq!(store.tracked(&tx).await.expect("the tables").len(), 1);
    let _told = store.untrack(&tx, &ctx, "article").await.expect("untracked");
    assert_eq!(path(tx.client()).await, "public, trap");
    tx.commit().await.expect("committed");
    assert_eq!(path(&client).await, "\"$user\", public");
    assert_eq!(caught(&admin).await, [""; 0]);
    drop((admin, client, store));
    cluster.stop().await;
}

async fn path(client: &Client) -> String {
    client.query_one("SHOW search_path", &[]).await.expect("a path").get(0)
}

/// Every command there begins as the superuser.
#[tokio::test]
async fn schema_of_the_superuser_s_name_catches_nobody_on_a_private_server() {
    let (home, db) = (OwnHome::new().await, database().await);
    let gesta = with_psql(Gesta::home(home.path()), &db);
    let args = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", TRAPS];
    gesta.run(&args).expect_code(0, &args[..2]);
    for args in [&["log"][..], &["migrate"], &["doctor"], &["tracked"], &["psql", "-c", "SELECT 1"]]
    {
        gesta.run(args);
    }
    assert_eq!(gesta.ok(&["psql", "-Atc", SPRUNG]), "");
    assert_eq!(gesta.ok(&["psql", "-Atc", IS_SUPERUSER]), "f\n");
    home.remove();
}
