//! Messages to a real nats-server: subjects, the stream, publishing, logging in, and what a fenced user cannot reach.

#[cfg(feature = "cli")]
mod chaos;
mod connect;
mod fence;
mod message;
#[cfg(feature = "cli")]
mod process;
mod publish;
mod rebuild;
mod faults;
mod restored;
mod rig;
mod run;
mod stream;
mod tenants;
mod ticks;

use gesta::Action;
use serde_json::json;

/// A public action on `issue:NUMBER`, always the same for the same number.
fn action(number: u64) -> Action {
    action_of(number, &number.to_string())
}

/// The same on another issue.
fn action_of(number: u64, object: &str) -> Action {
    action_from(&json!({
        "id": format!("01a1f944-dc8b-774c-8000-{number:012}"),
        "actor": { "type": "user", "id": "ann" },
        "object": { "type": "issue", "id": object, "name": "Crash on save" },
    }))
}

/// An action of whose JSON form only some keys matter.
fn action_from(given: &serde_json::Value) -> Action {
    let mut form = json!({
        "id": "01a1f944-dc8b-774c-8000-000000000000", "tenant": "acme", "verb": "close",
        "actor": { "type": "user", "id": "ann", "name": "Ann" },
        "occurred_at": "2026-11-20T14:03:22.123456Z", "recorded_at": "2026-11-20T14:03:22.200000Z",
        "source": "emit", "outcome": "ok", "audience": ["public"],
    });
    let keys = given.as_object().expect("an object").clone();
    form.as_object_mut().expect("an object").extend(keys);
    serde_json::from_value(form).expect("an action")
}
