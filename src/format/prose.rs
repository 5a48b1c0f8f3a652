//! Actions as text for people: plain sentences, and HTML in which hostile names stay text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::action::{Action, Outcome};
use crate::json::Json;
use crate::registry::Registry;

/// What an action says, in one line of plain text. What was not done is not told as if it had been.
pub(super) fn sentence(registry: &Registry, action: &Action) -> String {
    let sentence = registry.sentence(action);
    match action.outcome {
        Outcome::Ok => sentence,
        Outcome::Failed | Outcome::Denied => format!("{sentence} ({})", action.outcome.as_str()),
    }
}

/// A text in HTML that shows exactly this text.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\'');
    if !text.contains(special) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped.into()
}

/// All that an action tells people, in HTML: its sentence, its description, and what changed.
pub(super) fn html(sentence: &str, action: &Action) -> String {
    format!("<p>{}</p>{}", escape(sentence), content(action).unwrap_or_default())
}

/// What an action tells people beside its sentence, in HTML.
pub(super) fn content(action: &Action) -> Option<String> {
    let text = action.description.as_ref().map(|text| format!("<p>{}</p>", escape(text)));
    let content = text.unwrap_or_default() + &changes(action.changes.as_ref());
    (!content.is_empty()).then_some(content)
}

/// `status: open → closed`, an item each; nothing where nothing changed.
fn changes(changes: Option<&Json>) -> String {
    type Fields<'a> = BTreeMap<String, (&'a RawValue, &'a RawValue)>;
    let fields = changes.and_then(|json| serde_json::from_str::<Fields<'_>>(json.get()).ok());
    let items = fields.unwrap_or_default().into_iter().map(|(field, (old, new))| {
        let (old, new) = (value(old), value(new));
        format!("<li>{}: {} → {}</li>", escape(&field), escape(&old), escape(&new))
    });
    let items: String = items.collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}

/// A text without its quotation marks, nothing as `–`, other JSON as it is.
fn value(json: &RawValue) -> String {
    match (json.get(), serde_json::from_str(json.get())) {
        ("null", _) => "–".to_owned(),
        (_, Ok(text)) => text,
        (json, Err(_)) => json.to_owned(),
    }
}
