//! W3C Activity Streams 2.0 (`https://www.w3.org/TR/activitystreams-core/`).
//!
//! Verbs of its vocabulary become its types, in the present and the past tense ([`TYPES`]), where the action was done and
//! has an object; every other action is an `Activity`, or without an object an `IntransitiveActivity`. What was tried and
//! failed or was refused is no `Delete`: nothing was deleted.
//!
//! Three terms are ours, and the `@context` says so: `verb` (as it was recorded), `outcome` (where it is not `ok`), and
//! `resource` (`TYPE:ID`). Ids of actions and resources are URLs. `summary` and `content` are HTML, as the standard has it,
//! in which names and texts stay text. There are no nulls, and `totalItems` stands only where a document is all of a stream.
//! Payloads are left out: who needs them reads the JSON form.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::meta::Meta;
use super::prose;
use super::site::Site;
use crate::action::form::time;
use crate::action::{Action, Outcome};
use crate::registry::Registry;
use crate::resource::Named;

/// Verbs and their types (Activity Vocabulary, section 3.1). The last two of them have no object.
const TYPES: [(&[&str], &str); 26] = [
    (&["accept", "accepted"], "Accept"),
    (&["add", "added"], "Add"),
    (&["announce", "announced", "share", "shared"], "Announce"),
    (&["block", "blocked"], "Block"),
    (&["create", "created"], "Create"),
    (&["delete", "deleted"], "Delete"),
    (&["dislike", "disliked"], "Dislike"),
    (&["flag", "flagged"], "Flag"),
    (&["follow", "followed", "started following"], "Follow"),
    (&["ignore", "ignored"], "Ignore"),
    (&["invite", "invited"], "Invite"),
    (&["join", "joined"], "Join"),
    (&["leave", "left"], "Leave"),
    (&["like", "liked"], "Like"),
    (&["listen", "listened"], "Listen"),
    (&["move", "moved"], "Move"),
    (&["offer", "offered"], "Offer"),
    (&["read"], "Read"),
    (&["reject", "rejected"], "Reject"),
    (&["remove", "removed"], "Remove"),
    (&["tentatively accept", "tentatively accepted"], "TentativeAccept"),
    (&["tentatively reject", "tentatively rejected"], "TentativeReject"),
    (&["update", "updated"], "Update"),
    (&["view", "viewed"], "View"),
    (&["arrive", "arrived"], "Arrive"),
    (&["travel", "travelled", "traveled"], "Travel"),
];

/// Resource types and what they are in the vocabulary (section 3.2); all others are an `Object`.
const RESOURCES: [(&str, &str); 8] = [
    ("user", "Person"),
    ("person", "Person"),
    ("group", "Group"),
    ("organization", "Organization"),
    ("application", "Application"),
    ("bot", "Application"),
    ("service", "Service"),
    ("system", "Service"),
];

/// The terms of the standard, and ours.
fn context() -> Value {
    let own = json!({
        "gesta": "urn:gesta:vocabulary:v1#",
        "verb": "gesta:verb",
        "outcome": "gesta:outcome",
        "resource": "gesta:resource",
    });
    json!(["https://www.w3.org/ns/activitystreams", own])
}

#[derive(Serialize)]
struct Activity<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    published: String,
    actor: Party<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Party<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Party<'a>>,
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

#[derive(Serialize)]
struct Party<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    resource: String,
}

impl<'a> Party<'a> {
    fn of(named: &'a Named, site: &Site) -> Self {
        let resource = &named.resource;
        let known = RESOURCES.iter().find(|(kind, _)| *kind == resource.kind.as_str());
        Self {
            id: site.resource(resource),
            kind: known.map_or("Object", |(_, kind)| kind),
            name: named.name.as_deref(),
            resource: resource.to_string(),
        }
    }
}

/// The type of an action.
fn kind(action: &Action) -> &'static str {
    let known = TYPES.iter().find(|(verbs, _)| verbs.contains(&action.verb.as_str()));
    match (known.map(|(_, kind)| *kind), &action.object) {
        (Some(kind @ ("Arrive" | "Travel")), None) if action.outcome == Outcome::Ok => kind,
        (Some("Arrive" | "Travel") | None, Some(_)) => "Activity",
        (Some(kind), Some(_)) if action.outcome == Outcome::Ok => kind,
        (_, Some(_)) => "Activity",
        (_, None) => "IntransitiveActivity",
    }
}

/// Everything before the items.
pub(super) fn head(out: &mut Vec<u8>, meta: &Meta) -> io::Result<()> {
    let links = &meta.links;
    let mut document = json!({
        "@context": context(),
        "id": links.this,
        "name": meta.title,
        "summary": prose::escape(&meta.description),
        "updated": time(meta.updated),
    });
    match &links.first {
        None => document["type"] = json!("OrderedCollection"),
        Some(first) if *first == links.this => document["type"] = json!("OrderedCollection"),
        Some(first) => {
            document["type"] = json!("OrderedCollectionPage");
            document["partOf"] = json!(first);
            around(&mut document, meta);
        }
    }
    open(out, &document)?;
    if is_first(meta) {
        // The collection and its first page have one URL, so the page stands inside and is called by a fragment of it.
        let id = format!("{}#page", links.this);
        let mut page = json!({ "id": id, "type": "OrderedCollectionPage", "partOf": links.this });
        around(&mut page, meta);
        out.extend(b",\"first\":");
        open(out, &page)?;
    }
    out.extend(b",\"orderedItems\":[\n");
    Ok(())
}

fn around(page: &mut Value, meta: &Meta) {
    for (name, url) in [("next", &meta.links.next), ("prev", &meta.links.prev)] {
        if let Some(url) = url {
            page[name] = json!(url);
        }
    }
}

fn is_first(meta: &Meta) -> bool {
    meta.links.first.as_ref() == Some(&meta.links.this)
}

/// Writes an object without its last brace.
fn open(out: &mut Vec<u8>, object: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.pop();
    Ok(())
}

/// One item.
pub(super) fn item(
    out: &mut Vec<u8>,
    meta: &Meta,
    action: &Action,
    sentence: &str,
) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &Activity::of(&meta.site, action, sentence))?)
}

/// One action that stands by itself.
///
/// # Errors
/// When something cannot be written as JSON; none is known.
pub fn activity(site: &Site, action: &Action, registry: &Registry) -> io::Result<Vec<u8>> {
    let sentence = prose::sentence(registry, action);
    let activity = Activity::of(site, action, &sentence);
    Ok(serde_json::to_vec(&Document { context: context(), activity })?)
}

/// An activity that is all of a document.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@context")]
    context: Value,
    #[serde(flatten)]
    activity: Activity<'a>,
}

impl<'a> Activity<'a> {
    fn of(site: &Site, action: &'a Action, sentence: &str) -> Self {
        let party = |named| Party::of(named, site);
        Self {
            id: site.action(action.id),
            kind: kind(action),
            summary: prose::escape(sentence).into_owned(),
            content: prose::content(action),
            published: time(action.occurred_at),
            actor: party(&action.actor),
            object: action.object.as_ref().map(party),
            target: action.target.as_ref().map(party),
            verb: &action.verb,
            outcome: (action.outcome != Outcome::Ok).then(|| action.outcome.as_str()),
        }
    }
}

/// What follows the items.
pub(super) fn tail(out: &mut Vec<u8>, meta: &Meta, items: u64) {
    let end = match &meta.links.first {
        None => format!("\n],\"totalItems\":{items}}}\n"),
        Some(_) if is_first(meta) => "\n]}}\n".to_owned(),
        Some(_) => "\n]}\n".to_owned(),
    };
    out.extend(end.as_bytes());
}
