//! What cannot be tracked, and what is said then.

use super::{Desk, tracking};
use gesta::error::chain;

#[tokio::test]
async fn what_no_trigger_sees_is_refused() {
    let desk = Desk::new(
        "CREATE TABLE t (id integer PRIMARY KEY);
         CREATE VIEW v AS SELECT id FROM t;
         CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
         CREATE SEQUENCE s;
         CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p_1 PARTITION OF p DEFAULT;
         CREATE TABLE parent (id integer PRIMARY KEY);
         CREATE TABLE child () INHERITS (parent);
         CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w;
         CREATE FOREIGN TABLE f (id integer) SERVER far;
         CREATE TABLE half (id integer) PARTITION BY RANGE (id);
         CREATE FOREIGN TABLE half_f PARTITION OF half DEFAULT SERVER far",
    )
    .await;
    for (table, told) in [
        ("nothing", "there is no table `nothing`; the search path is"),
        ("a b", "`a b` is no name of a table; give it as in SQL"),
        ("", "is no name of a table"),
        ("v", "public.v cannot be tracked: it is a view"),
        ("m", "public.m cannot be tracked: it is a materialized view"),
        ("s", "public.s cannot be tracked: it is no table"),
        ("f", "public.f cannot be tracked: it is a foreign table"),
        ("half", "public.half cannot be tracked: it is partly on another server"),
        ("p_1", "public.p_1 cannot be tracked: it is a partition; track public.p instead"),
        ("parent", "public.parent cannot be tracked: it is a parent of other tables"),
        ("child", "public.child cannot be tracked: it is a child of another table"),
        ("gesta.follow", "gesta.follow cannot be tracked: it is in the schema `gesta`"),
    ] {
        let error = desk.try_track(&tracking(table, "t", &["id"])).await.expect_err(table);
        assert!(error.to_string().contains(told), "{table}: {}", chain(&error));
    }
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    tx.batch_execute("CREATE TEMPORARY TABLE mine (id integer PRIMARY KEY)").await.expect("made");
    let error = store.track_sql(&tx, &tracking("mine", "t", &["id"])).await.expect_err("temporary");
    assert!(error.to_string().contains("it is a temporary table"), "{error}");
    assert!(desk.tracked().await.is_empty());
}

#[tokio::test]
async fn columns_that_do_not_fit_are_refused_by_name() {
    let desk = Desk::new(
        "CREATE TABLE t (id integer PRIMARY KEY, a integer UNIQUE, b integer NOT NULL, c integer NOT NULL, d integer NOT NULL, e integer);
         CREATE UNIQUE INDEX ON t (b) WHERE b > 0; CREATE UNIQUE INDEX ON t ((c + 1)); CREATE UNIQUE INDEX ON t (d) INCLUDE (e)",
    )
    .await;
    for (key, told) in [
        (&["x"][..], "public.t has no column `x` (--key); it has id, a, b, c, d, e"),
        (&[], "name the key of public.t"),
        (&["a"], "a cannot be the key of public.t: `a` may be null"),
        (&["b"], "b cannot be the key of public.t: it is not unique"),
        (&["c"], "c cannot be the key of public.t: it is not unique"),
        (&["id", "id"], "column `id` is named by --key and by --key"),
    ] {
        let error = desk.try_track(&tracking("t", "t", key)).await.expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
    for (options, told) in [
        (tracking("t", "t", &["id"]).mask(["x"]), "has no column `x` (--mask)"),
        (tracking("t", "t", &["id"]).name("x"), "has no column `x` (--name)"),
        (tracking("t", "t", &["id"]).exclude(["x"]), "has no column `x` (--exclude)"),
        (tracking("t", "t", &["id"]).hash(["ctid"]), "has no column `ctid` (--hash)"),
        (tracking("t", "t", &["id"]).hash(["a"]).mask(["a"]), "named by --mask and by --hash"),
    ] {
        let error = desk.try_track(&options).await.expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
    for key in [&["d"][..], &["id", "b"], &["b", "id"]] {
        desk.track(&tracking("t", "t", key)).await;
    }
    let error = desk.fails("SELECT gesta.refuse_key('t'::regclass, NULL)").await;
    assert!(error.contains("an id of 0 bytes"), "{error}");
}
