//! The secret of a key is with its holder, and nowhere in the database.

use std::time::Instant;

use gesta::access::{Denial, Keys, Read, Recorder, Refusal, Scope};
use gesta::{Context, Tenant};

use super::{admin, made, reading, who};
use crate::support::database;

/// Every table of the schema, row by row, as text.
const TABLES: &str = "
SELECT c.oid::regclass::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'gesta' AND c.relkind IN ('r', 'p')";

#[tokio::test]
async fn no_byte_of_a_secret_is_in_the_database() {
    let db = database().await;
    let store = db.store().await;
    let (keys, recorder) = (Keys::new(&store), Recorder::new(store.writer()));
    let folder = tempfile::tempdir().expect("a folder");
    let first = keys.bootstrap(&folder.path().join("key")).await.expect("ok").expect("the first");
    let (info, credential) = made(&store, reading().scopes(Scope::ALL)).await;
    let (ann, tenant) = (who(&keys, &credential).await, Tenant::default());
    let search = Read::search(&tenant, "verb:close").expect("a search");
    recorder.read(&ann, &Context::anonymous(), &tenant, &search, Instant::now()).await;
    keys.revoke(Some(&tenant), &info.id, &admin()).await.expect("revoked");
    let error = keys.authenticate(&credential.reveal()).await.expect_err("revoked");
    let refusal = Refusal::of(&error).expect("a refusal");
    recorder.denied(None, &Context::anonymous(), &Denial::new("read", refusal), Instant::now());
    recorder.finish().await;
    let admin = db.admin().await;
    let (mut rows, mut keys_seen) = (0, 0);
    for table in admin.query(TABLES, &[]).await.expect("tables") {
        let sql = format!("SELECT t::text FROM {} AS t", table.get::<_, &str>(0));
        for row in admin.query(&sql, &[]).await.expect("rows") {
            let text: &str = row.get(0);
            rows += 1;
            for key in [&credential, &first.1] {
                let whole = key.reveal();
                let secret = &whole["gesta_".len() + key.id().len() + 1..];
                keys_seen += usize::from(text.contains(key.id()));
                let hex =
                    secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
                // Eight characters in a row are no accident: 48 bits.
                let parts =
                    secret.as_bytes().windows(8).map(|part| str::from_utf8(part).expect("ASCII"));
                let hexes = (0..hex.len() - 16).step_by(2).map(|at| &hex[at..at + 16]);
                assert!(!parts.chain(hexes).any(|part| text.contains(part)), "{text}");
            }
        }
    }
    assert!(rows > 5 && keys_seen >= 6, "{rows} rows, of which {keys_seen} name a key");
    let forms = format!("{error} {error:?} {credential:?} {first:?} {keys:?} {ann:?} {info:?}");
    let whole = credential.reveal();
    assert!(!forms.contains(&whole[19..]) && !forms.contains(&first.1.reveal()[19..]));
}
