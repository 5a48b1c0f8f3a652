//! Who hears what: tenants, labels, and audiences that are changed.

use gesta::store::AUDIENCE_CHANGED;
use gesta::{Audience, Context, NewAction, Reader, Receipt, Store, StreamQuery, Tenant};

use super::{auditor, distinct, listen, live, objects, position, take, take_all};
use crate::log::action as did;
use crate::support::{append, append_all, check_log, database, ids, page, resource, set_audience};

const LABELS: [&[&str]; 6] =
    [&["public"], &[], &["team:a"], &["team:b"], &["team:a", "team:b"], &["public", "team:c"]];

fn readers(store: &Store) -> Vec<Reader> {
    let reader = || Reader::new(store, Tenant::default());
    let mut readers = vec![reader(), reader().auditor()];
    readers.extend(LABELS.map(|labels| reader().labels(labels.iter().copied())));
    readers.push(reader().labels(["team:"]));
    readers.push(reader().labels([""]));
    readers
}

fn of_tenant(tenant: &str, object: &str) -> NewAction {
    let ctx = Context::new(&resource("user:1")).tenant(Tenant::new(tenant).expect("a tenant"));
    NewAction::new("did", &ctx).object(&resource(&format!("thing:{object}")))
}

/// The rule is written twice: in the statements, and in `Reader::sees`.
#[tokio::test]
async fn listener_hears_what_its_reader_reads() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let readers = readers(&store);
    let mut listeners: Vec<_> =
        readers.iter().map(|reader| live.listen(reader, None, |_| true)).collect();
    let mut began = None;
    for listener in &mut listeners {
        began = Some(position(listener).await);
    }
    let labelled = LABELS.iter().enumerate();
    let labelled = labelled
        .map(|(n, labels)| did(&n.to_string()).audience(Audience::labels(labels.iter().copied())));
    append_all(&store, labelled.collect()).await;
    append(&store, of_tenant("other", "x")).await;
    let all = page(&auditor(&store), StreamQuery::tenant()).await;
    for (reader, listener) in readers.iter().zip(&mut listeners) {
        let mut read = ids(&page(reader, StreamQuery::tenant()).await);
        read.sort();
        let mut seen = ids(all.iter().filter(|action| reader.sees(action)));
        seen.sort();
        assert_eq!(seen, read, "{reader:?}");
        // Out of the ring, and out of the log.
        let heard = take(listener, read.len()).await;
        let again = take_all(&mut live.listen(reader, began.clone(), |_| true)).await.0;
        for heard in [heard, again] {
            assert_eq!(distinct(&heard).into_iter().collect::<Vec<_>>(), read, "{reader:?}");
        }
    }
    let of_others = Reader::new(&store, Tenant::new("other").expect("a tenant")).auditor();
    assert!(!all.iter().any(|action| of_others.sees(action)));
    check_log(&db).await;
}

#[tokio::test]
async fn tenants_do_not_hear_each_other() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let reader = |name: &str| Reader::new(&store, Tenant::new(name).expect("a tenant")).auditor();
    let mut listeners = ["a", "b"].map(|name| live.listen(&reader(name), None, |_| true));
    let mut began = Vec::new();
    for listener in &mut listeners {
        began.push(position(listener).await);
    }
    for n in 0..10 {
        append(&store, of_tenant(["a", "b"][n % 2], &n.to_string())).await;
    }
    let names: Vec<_> =
        live.status().tenants.iter().map(|tenant| tenant.tenant.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    let expected = [["0", "2", "4", "6", "8"], ["1", "3", "5", "7", "9"]];
    for (listener, expected) in listeners.iter_mut().zip(expected) {
        assert_eq!(objects(&take(listener, 5).await), expected);
    }
    // A position of one tenant is one of the other's as well: it tells nothing of either.
    for at in &began {
        let heard = take_all(&mut live.listen(&reader("b"), Some(at.clone()), |_| true)).await.0;
        assert_eq!(objects(&heard), expected[1]);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn what_became_secret_is_not_given_out_of_memory() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let public = Reader::new(&store, Tenant::default());
    let mut in_ring = live.listen(&public, None, |_| true);
    let began = position(&mut in_ring).await;
    let receipts = append_all(&store, (0..4).map(|n| did(&n.to_string())).collect()).await;
    // It has read all four from the log, or finds them in the ring, and has taken one.
    let other = super::live(&store);
    let mut by_itself = other.listen(&public, Some(began.clone()), |_| true);
    for listener in [&mut by_itself, &mut in_ring] {
        assert_eq!(objects(&take(listener, 1).await), ["0"]);
    }
    // They are at the tips of the rings: what they hear, the rings have.
    let mut auditors = [&live, &other].map(|live| listen(live, &store, None));
    for auditor in &mut auditors {
        let _ = position(auditor).await;
    }
    let ctx = Context::new(&resource("user:1"));
    let Receipt::Appended(second) = receipts[1] else { panic!("{:?}", receipts[1]) };
    set_audience(&store, &ctx, second, &Audience::auditors()).await;
    for auditor in &mut auditors {
        while take(auditor, 1).await[0].verb != AUDIENCE_CHANGED {}
    }
    for (live, listener) in [(&live, &mut in_ring), (&other, &mut by_itself)] {
        assert_eq!(objects(&take(listener, 2).await), ["2", "3"]);
        let late = take_all(&mut live.listen(&public, Some(began.clone()), |_| true)).await.0;
        assert_eq!(objects(&late), ["0", "2", "3"]);
    }
    check_log(&db).await;
}
