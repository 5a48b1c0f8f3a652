//! Actions and searches over a few words, so that most searches find something and nothing finds all.

use chrono::{DateTime, Utc};
use gesta::action::form::{Given, time};
use gesta::{Action, NewAction, Query, Registry, Store, Tenant};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{TestDb, append_all, day};

/// Choices of an action, or of a search.
pub(super) type Picks = Vec<u8>;

pub(super) fn picks(len: usize) -> impl Strategy<Value = Picks> {
    proptest::collection::vec(any::<u8>(), len)
}

/// How many choices an action takes.
pub(super) const ACTION: usize = 20;
/// How many choices a search takes.
pub(super) const SEARCH: usize = 40;

/// Hands out choices one after the other.
struct Chooser<'a>(std::iter::Cycle<std::iter::Copied<std::slice::Iter<'a, u8>>>);

impl<'a> Chooser<'a> {
    fn new(picks: &'a [u8]) -> Self {
        Self(picks.iter().copied().cycle())
    }

    fn number(&mut self, below: usize) -> usize {
        usize::from(self.0.next().expect("a choice")) % below
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.number(of.len())].clone()
    }
}

const KINDS: [&str; 3] = ["user", "issue", "org.unit"];
const IDS: [&str; 5] = ["1", "2", "Ann", "a b:c", "é(\"),*"];
const NAMES: [&str; 6] = ["Ann", "ANN LEE", "ann", "Éa", "éA", "x\ny"];
const VERBS: [&str; 6] =
    ["close", "Invoice", "invoice.void", "invoiced", "INVOICE.Pay.Late", "booked a concert"];
const TEXTS: [&str; 7] = ["draft", "Draft", "10", "1e1", "a\\b", "é\u{301}", "true"];
const ADDRESSES: [&str; 14] = [
    "10.1.2.3",
    "10.1.2.4",
    "11.0.0.1",
    "::1",
    "2001:db8::7",
    "2001:DB8:0:0:0:0:0:7",
    "::ffff:10.1.2.3",
    "::10.1.2.3",
    "1:2:3:4:5:6:7::",
    "010.1.2.3",
    "10.1.2",
    "1.2.3.4.",
    "not one",
    "10.0.0.0/8",
];

/// Any JSON that stands in a payload.
fn value(of: &mut Chooser<'_>, depth: usize) -> Value {
    match of.number(if depth == 0 { 8 } else { 11 }) {
        0 => Value::Null,
        1 => json!(true),
        2..=4 => {
            let numbers = [
                "10",
                "10.0",
                "1e1",
                "-3",
                "1000.5",
                "12345678901234567891",
                "12345678901234567890",
                "1e-30",
            ];
            serde_json::from_str(of.one(&numbers)).expect("a number")
        }
        5..=7 => json!(of.one(&TEXTS)),
        8 => Value::Array((0..of.number(4)).map(|_| value(of, depth - 1)).collect()),
        _ => json!({ "a": value(of, depth - 1), "B": value(of, depth - 1) }),
    }
}

/// The JSON form of an action.
fn form(picks: &[u8]) -> Value {
    let of = &mut Chooser::new(picks);
    let party = |of: &mut Chooser<'_>| {
        let name = if of.number(3) == 0 { Value::Null } else { json!(of.one(&NAMES)) };
        json!({ "type": of.one(&KINDS), "id": of.one(&IDS), "name": name })
    };
    let maybe =
        |of: &mut Chooser<'_>, value: Value| if of.number(3) == 0 { Value::Null } else { value };
    let (object, target) = (party(of), party(of));
    let mut context =
        json!({ "request_id": of.one(&TEXTS), "ip": of.one(&ADDRESSES), "reason": of.one(&TEXTS) });
    if of.number(4) == 0 {
        context = value(of, 2);
    } else if of.number(3) == 0 {
        context["user_agent"] = value(of, 1);
        context["trace"] = json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    }
    let mut changes = json!({});
    for field in ["status", "title", "s.t"] {
        if of.number(2) == 0 {
            changes[field] = json!([value(of, 1), value(of, 1)]);
        }
    }
    let moment = day(i64::try_from(of.number(4)).expect("few"))
        + chrono::TimeDelta::microseconds(i64::try_from(of.number(3)).expect("few"));
    let (data, run) =
        (value(of, 2), format!("00000000-0000-7000-8000-00000000000{}", of.number(3)));
    json!({
        "actor": party(of), "verb": of.one(&VERBS), "object": maybe(of, object), "target": maybe(of, target),
        "occurred_at": time(moment), "run_id": maybe(of, json!(run)),
        "source": of.one(&["save", "bulk", "emit", "import"]), "outcome": of.one(&["ok", "failed", "denied"]),
        "description": maybe(of, json!(of_description(picks))), "changes": maybe(of, changes), "data": maybe(of, data),
        "context": maybe(of, context),
        "audience": of.one(&[vec!["public"], vec!["public", "staff"], vec![], vec!["Staff"]]),
    })
}

fn of_description(picks: &[u8]) -> &'static str {
    ["Crash on SAVE", "100 % \\ of it", "", "ÉCRASER"][usize::from(picks[0]) % 4]
}

pub(super) fn action(picks: &[u8], tenant: &Tenant) -> NewAction {
    let text = form(picks).to_string();
    let given: Given = serde_json::from_str(&text).expect("the form of an action");
    given.into_action(tenant).expect("it can be stored")
}

/// A store whose clock stands at noon of the third day.
pub(super) async fn store(db: &TestDb) -> Store {
    db.store_at(present(), Registry::default()).await
}

pub(super) fn present() -> DateTime<Utc> {
    day(3)
}

pub(super) async fn append(store: &Store, tenant: &Tenant, actions: &[Picks]) {
    append_all(store, actions.iter().map(|picks| action(picks, tenant)).collect()).await;
}

/// A search of some terms.
pub(super) fn search(picks: &[u8], actions: &[Action]) -> String {
    let of = &mut Chooser::new(picks);
    let len = 1 + of.number(3);
    all_of(of, len, 2, actions)
}

fn all_of(of: &mut Chooser<'_>, len: usize, depth: usize, actions: &[Action]) -> String {
    let mut text = String::new();
    for at in 0..len {
        if at > 0 {
            text.push_str(of.one(&[" ", " OR ", " ", " AND "]));
        }
        text.push_str(of.one(&["", "", "-", "NOT "]));
        if depth > 0 && of.number(4) == 0 {
            let len = 1 + of.number(3);
            text.push_str(&["(", &all_of(of, len, depth - 1, actions), ")"].concat());
        } else {
            text.push_str(&term(of, actions));
        }
    }
    text
}

/// In quotes, as a search takes anything.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn values(of: &mut Chooser<'_>, all: &[&str]) -> String {
    match of.number(8) {
        0 => "*".to_owned(),
        1 => "\"\"".to_owned(),
        2 => format!("{},{}", quoted(of.one(all)), quoted(of.one(all))),
        3 => format!("!={}", quoted(of.one(all))),
        _ => quoted(of.one(all)),
    }
}

fn json_values(of: &mut Chooser<'_>) -> String {
    const VALUES: [&str; 11] = [
        "10",
        "1E+1",
        "10.00",
        "-3",
        "1000",
        "12345678901234567890",
        "draft",
        "Draft",
        "true",
        "b",
        "é",
    ];
    match of.number(8) {
        0 | 1 => format!("{}{}", of.one(&[">", ">=", "<", "<="]), of.one(&VALUES)),
        2 => of.one(&["-3..10", "1..1000.5", "a..e", "D..z", "10..", "..b"]).to_owned(),
        _ => values(of, &VALUES),
    }
}

fn times(of: &mut Chooser<'_>, own: &str) -> String {
    let moments = [
        "today",
        "yesterday",
        "now",
        "now-24h",
        "2026-01",
        "2026-01-02",
        "2026-01-02T12:00",
        "2026-01-03T12:00:00.000001Z",
        own,
    ];
    match of.number(6) {
        0 => of
            .one(&["today", "yesterday", "2026-01", "2026-01-02", "2026-01-02,2026-01-04"])
            .to_owned(),
        1 => {
            let (from, to) = (of.one(&moments), of.one(&moments));
            let range = format!("{from}..{to}");
            // What ends before it begins is refused.
            let is_taken = Query::parse(&format!("occurred:{range}")).is_ok();
            if is_taken { range } else { format!("{to}..{from}") }
        }
        2 => of.one(&["2026-01-02..", "..2026-01-02", "now-24h..", "..yesterday"]).to_owned(),
        3 => of.one(&["*", "\"\"", "!=today"]).to_owned(),
        _ => format!("{}{}", of.one(&[">", ">=", "<", "<="]), of.one(&moments)),
    }
}

fn term(of: &mut Chooser<'_>, actions: &[Action]) -> String {
    match of.number(5) {
        0 => of_party(of),
        1 => of_fact(of, actions),
        2 => of_circumstance(of),
        3 => of_payload(of),
        _ => {
            quoted(of.one(&[
                "crash", "ON s", "ann", "é", "É", "\\", "%", "user:1", "\n", "invoice", "a b",
            ]))
        }
    }
}

fn of_party(of: &mut Chooser<'_>) -> String {
    let who = of.one(&["actor", "object", "target", "about"]);
    match of.number(5) {
        0..=2 => {
            let whole = format!("{}:{}", of.one(&KINDS), of.one(&IDS));
            format!("{who}:{}", values(of, &[&whole, "Ann", "ANN LEE", "éa", "1"]))
        }
        3 => format!("{who}.type:{}", values(of, &KINDS)),
        _ => format!("{who}.name:{}", values(of, &["ann", "LEE", "é", "\n", "éa"])),
    }
}

fn of_fact(of: &mut Chooser<'_>, actions: &[Action]) -> String {
    const PARTS: [&str; 8] =
        ["changes", "data", "context,run", "object", "target", "run", "description", "*"];
    let some = of.one(actions);
    match of.number(9) {
        0 | 1 => {
            let verbs =
                ["invoice", "INVOICE.pay", "close", "clos", "invoice.*", "booked a concert"];
            format!("verb:{}", values(of, &verbs))
        }
        2 | 3 => format!("occurred:{}", times(of, &time(some.occurred_at))),
        4 => format!("recorded:{}", times(of, &time(some.recorded_at))),
        5 => format!("has:{}", of.one(&PARTS)),
        6 => {
            let source = values(of, &["save", "BULK", "emit"]);
            format!("source:{source} outcome:{}", values(of, &["ok", "failure", "denied"]))
        }
        7 => format!("run:{}", values(of, &["00000000-0000-7000-8000-000000000001"])),
        _ => format!("id:{}", values(of, &[&some.id.to_string()])),
    }
}

fn of_circumstance(of: &mut Chooser<'_>) -> String {
    const NETWORKS: [&str; 7] =
        ["10.0.0.0/8", "10.1.2.3", "::/0", "0.0.0.0/0", "2001:db8::/32", "::ffff:0:0/96", "::1"];
    match of.number(5) {
        0 => {
            let key = of.one(&["req", "reason"]);
            format!("{key}:{}", values(of, &["draft", "10", "B", "a\\b"]))
        }
        1 => {
            let key = of.one(&["trace", "ua"]);
            format!("{key}:{}", values(of, &["4BF92F", "draft", "-01", "1"]))
        }
        2 | 3 => format!("ip:{}", values(of, &NETWORKS)),
        _ => format!("audience:{}", values(of, &["public", "staff", "Staff"])),
    }
}

fn of_payload(of: &mut Chooser<'_>) -> String {
    const PATHS: [&str; 11] =
        ["a", "B", "a.a", "a.0", "0", "a.-1", "-1.a", "a.+1", "request_id", "a.b.c", "99999999999"];
    match of.number(5) {
        0 => format!("changed:{}", values(of, &["status", "title", "s.t", "Status"])),
        1 => {
            let key = of.one(&["from", "to"]);
            format!("{key}:{}", values(of, &["10", "draft", "true", "1e1", "x"]))
        }
        2 => {
            let fields = of.one(&["status", "title,status", "s.t"]);
            let key = of.one(&["from", "-to"]);
            format!("changed:{fields} {key}:{}", values(of, &["10", "draft"]))
        }
        _ => {
            let (root, path) = (of.one(&["data", "context"]), of.one(&PATHS));
            format!("{root}.{path}:{}", json_values(of))
        }
    }
}
