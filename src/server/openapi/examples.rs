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

/// An action as it was stored.
pub(crate) fn stored() -> Value {
    json!({
        "id": "019aa1b2-3c4d-7e5f-8a6b-7c8d9e0f1a2b",
        "tenant": "default",
        "actor": {"type": "user", "id": "42", "name": "Alice"},
        "verb": "close",
        "object": {"type": "issue", "id": "70", "name": null},
        "target": null,
        "occurred_at": "2026-11-20T14:03:22.123456Z",
        "recorded_at": "2026-11-20T14:03:22.130000Z",
        "run_id": null,
        "source": "api",
        "outcome": "ok",
        "description": null,
        "changes": {"status": ["open", "closed"]},
        "data": null,
        "context": {"reason": "ticket OPS-123"},
        "audience": ["public"],
    })
}
