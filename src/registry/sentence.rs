//! Actions as sentences: "Alice closed Crash on save in Gesta 2m ago".

use chrono::{DateTime, TimeDelta, Utc};

use super::Registry;
use crate::action::Action;
use crate::resource::Named;

const FIELDS: [&str; 4] = ["actor", "verb", "object", "target"];

/// The first field of a template that does not exist.
pub(super) fn unknown_field(template: &str) -> Option<&str> {
    template
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap_or(rest))
        .find(|field| !FIELDS.contains(field))
}

impl Registry {
    /// What an action says, in one line: by the verb's own template, else "actor verb object on target" as far as
    /// there is an object or target. Names are as they were then; the caller escapes for its medium.
    #[must_use]
    pub fn sentence(&self, action: &Action) -> String {
        let subject = action.object.as_ref().or(action.target.as_ref()).unwrap_or(&action.actor);
        let verb = self.verb(subject.resource.kind.as_str(), &action.verb);
        let template = verb.and_then(super::Verb::template).unwrap_or(
            match (&action.object, &action.target) {
                (Some(_), Some(_)) => "{actor} {verb} {object} on {target}",
                (Some(_), None) => "{actor} {verb} {object}",
                (None, Some(_)) => "{actor} {verb} {target}",
                (None, None) => "{actor} {verb}",
            },
        );
        fill(template, action)
    }

    /// The sentence and how long ago it was.
    #[must_use]
    pub fn sentence_at(&self, action: &Action, now: DateTime<Utc>) -> String {
        format!("{} {}", self.sentence(action), ago(now - action.occurred_at))
    }
}

/// Fills the fields in one pass, so that braces in a name stay what they are.
fn fill(template: &str, action: &Action) -> String {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (field, rest) = part.split_once('}').unwrap_or((part, ""));
        match field {
            "actor" => text.push_str(call(Some(&action.actor))),
            "verb" => text.push_str(&action.verb),
            "object" => text.push_str(call(action.object.as_ref())),
            _ => text.push_str(call(action.target.as_ref())),
        }
        text.push_str(rest);
    }
    text
}

/// What somebody or something was called then; the id where it had no name.
fn call(named: Option<&Named>) -> &str {
    named.map_or("–", |named| named.name.as_deref().unwrap_or(named.resource.id.as_str()))
}

/// A length of time in its largest unit: `3m ago`, `in 2h`.
#[must_use]
pub(crate) fn ago(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    let text = match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..31_557_600 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_557_600),
    };
    if length < TimeDelta::zero() { format!("in {text}") } else { format!("{text} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_short() {
        for (seconds, text) in [
            (0, "0s ago"),
            (61, "1m ago"),
            (-7200, "in 2h"),
            (86_400, "1d ago"),
            (63_115_200, "2y ago"),
        ] {
            assert_eq!(ago(TimeDelta::seconds(seconds)), text);
        }
    }
}
