//! What is told to those who do the work.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::effect::Order;
use super::super::piece::Item;

/// The body of a request and of an order, JSON.
#[derive(Serialize)]
struct Body<'a> {
    run: Uuid,
    action: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    tenant: &'a str,
    actor: Actor<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    input: &'a Value,
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
struct Actor<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Object<'a> {
    /// Its place in the run, by which reports name it.
    place: u32,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// The body for some objects of an order.
pub(super) fn body(order: &Order, items: &[Item]) -> Vec<u8> {
    let actor = order.context.actor();
    let body = Body {
        run: order.run,
        action: &order.definition,
        kind: order.kind.as_str(),
        tenant: order.context.tenant.as_str(),
        actor: Actor {
            kind: actor.resource.kind.as_str(),
            id: actor.resource.id.as_str(),
            name: actor.name.as_deref(),
        },
        reason: order.context.why(),
        input: &order.input,
        objects: items
            .iter()
            .map(|item| Object {
                place: item.place,
                id: item.object.id.as_str(),
                name: item.name.as_deref(),
            })
            .collect(),
    };
    // Texts, numbers and a JSON value always serialise.
    serde_json::to_vec(&body).unwrap_or_default()
}
