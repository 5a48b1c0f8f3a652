//! Actions as examples.

use serde_json::{Value, json};

/// What every action has, where the credential is not itself the actor.
pub(crate) fn least() -> Value {
    json!({"actor": {"type": "user", "id": "ann"}, "verb": "try"})
}

/// Most of what an action may have.
pub(crate) fn whole() -> Value {
    json!({
        "actor": {"type": "user", "id": "42", "name": "Alice"},
        "verb": "close",
        "object": {"type": "issue", "id": "70", "name": "Crash on save"},
        "target": {"type": "project", "id": "3"},
        "occurred_at": "2026-11-20T14:03:22.123456Z",
        "outcome": "ok",
        "description": "closed as a duplicate",
        "changes": {"status": ["open", "closed"]},
        "data": {"duplicate_of": "12"},
        "context": {"reason": "ticket OPS-123"},
        "audience": ["staff"],
    })
}

/// Somebody's `CloudEvent`.
pub(crate) fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "b5f1-7",
        "source": "/tracker",
        "type": "issue.close",
        "subject": "issue:70",
        "time": "2026-11-20T14:03:22Z",
        "actor": "user:42",
        "data": {"duplicate_of": "12"},
    })
}
