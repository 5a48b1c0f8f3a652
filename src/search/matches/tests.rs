//! What searches mean, said by examples; that the database means the same, tests/it/search/agree.rs shows.

use super::*;

const ACTION: &str = r#"{
    "id": "019b78ea-2c00-7000-8000-000000000001", "tenant": "default",
    "actor": {"type": "user", "id": "42", "name": "Alice Lee"}, "verb": "invoice.approve",
    "object": {"type": "invoice", "id": "77", "name": "March"}, "target": null,
    "occurred_at": "2026-01-01T10:00:00Z", "recorded_at": "2026-01-02T00:00:00Z",
    "run_id": "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f", "source": "api", "outcome": "failed",
    "description": "Card refused", "changes": {"status": ["draft", "published"], "n": [1, null]},
    "data": {"amount": 1000.50, "tags": ["vip", 7], "done": true, "due": "2026-03-01", "none": null},
    "context": {"ip": "10.1.2.3", "request_id": "7f3a", "reason": "ticket OPS-123", "user_agent": "curl/8"},
    "audience": ["public", "staff"]}"#;

fn action() -> Action {
    let mut action: Action = serde_json::from_str(ACTION).expect("an action");
    action.id = crate::action::ActionId::new(action.occurred_at, 7);
    action
}

fn matches(text: &str) -> bool {
    let now = "2026-01-01T12:00:00Z".parse().expect("a time");
    Query::parse(text).expect(text).matches(&action(), now)
}

#[test]
fn these_find_it() {
    for text in [
        "",
        "card REFUSED",
        "\"card refused\"",
        "alice",
        "\"user:42x\" OR march",
        "\"invoice:77\"",
        "actor:42",
        "actor:\"alice lee\"",
        "actor:user:42",
        "actor:user:1,user:42",
        "-actor:user:1",
        "about:invoice:77",
        "actor.type:user",
        "actor.name:LEE",
        "verb:invoice",
        "verb:INVOICE.approve",
        "verb:invoice.*",
        "target:\"\"",
        "object:*",
        "occurred:today",
        "occurred:>3h",
        "occurred:2026-01",
        "occurred:2025-12-31..2026-01-01",
        "occurred:<=2026-01-01",
        "created:2026-01-02",
        "recorded:>today",
        "changed:status",
        "changed:status from:draft to:published",
        "from:1",
        "to:published from:1",
        "changed:n from:1.0 to:\"\"",
        "has:changes,target",
        "run:0192F0C1-7b2a-7c3d-8e4f-5a6b7c8d9e0f",
        "source:API",
        "outcome:failure",
        "outcome:ok,failed",
        "ip:10.0.0.0/8",
        "ip:10.1.2.3",
        "req:7f3a",
        "reason:ops",
        "ua:curl",
        "audience:staff",
        "data.amount:1000.5",
        "data.amount:>1000",
        "data.amount:1e3..2e3",
        "data.tags:vip",
        "data.tags:7.0",
        "data.tags.0:vip",
        "data.tags.-1:>6",
        "data.done:true",
        "data.due:>2026-02",
        "data.none:\"\"",
        "data.x:\"\"",
        "context.ip:10.1.2.3",
        "outcome:!=ok",
    ] {
        assert!(matches(text), "{text}");
    }
}

#[test]
fn these_do_not_find_it() {
    for text in [
        "published",
        "\"refused card\"",
        "actor:user:1",
        "actor:alice",
        "actor:USER:42",
        "about:org:1",
        "actor.type:User",
        "verb:invoice.app",
        "verb:approve",
        "target:*",
        "object:\"\"",
        "occurred:yesterday",
        "occurred:>1h",
        "occurred:>2026-01-01",
        "occurred:<2026-01-01",
        "occurred:2026-02",
        "recorded:today",
        "changed:Status",
        "changed:status from:1",
        "changed:status (from:1 OR from:x)",
        "from:published",
        "has:target",
        "run:0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e00",
        "source:bulk",
        "-outcome:failed",
        "ip:10.2.0.0/16",
        "ip:::/0",
        "req:7F3A",
        "audience:board",
        "data.amount:>1000.50",
        "data.amount:>a",
        "data.tags:VIP",
        "data.tags.1:vip",
        "data.done:1",
        "data.none:*",
        "data.Amount:*",
        "context.ip:10.0.0.0/8",
        "crash OR (alice -march)",
    ] {
        assert!(!matches(text), "{text}");
    }
}
