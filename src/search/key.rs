//! Keys: what of an action a term looks at, and which values it takes.

use std::fmt;

use crate::error::quote;

/// Steps of a path into `data` or `context`.
const PATH_LEN_MAX: usize = 16;
/// How unlike a key a word may be that is taken for a slip of it; 1 is the same.
const LIKENESS_MIN: f64 = 0.75;

/// Whom or what in an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Who acted.
    Actor,
    /// What it was done to.
    Object,
    /// In, to or for what it was done.
    Target,
    /// Any of them.
    About,
}

/// What a term looks at. Its `Display` is the name as it is normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// `actor`, `object`, `target`, `about`: a resource as `type:id`, or only its id or name.
    Whole(Who),
    /// `actor.type`, …
    Type(Who),
    /// `actor.name`, …
    Name(Who),
    /// `verb`, also `action`.
    Verb,
    /// `occurred`: the time of the writer, as it stands in the id.
    Occurred,
    /// `recorded`, also `created`: the time of the database.
    Recorded,
    /// `changed`: a field.
    Changed,
    /// `from`: an old value.
    From,
    /// `to`: a new value.
    To,
    /// `has`: whether there is any.
    Has,
    /// `run`.
    Run,
    /// `req`: the id of the request.
    Request,
    /// `trace`.
    Trace,
    /// `source`.
    Source,
    /// `outcome`.
    Outcome,
    /// `ip`.
    Ip,
    /// `ua`: the user agent.
    Agent,
    /// `audience`: a label, as the action was appended with.
    Audience,
    /// `reason`.
    Reason,
    /// `id`.
    Id,
    /// `data.…`
    Data(Vec<String>),
    /// `context.…`
    Context(Vec<String>),
}

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Resource,
    Type,
    Text,
    Verb,
    Time,
    Uuid,
    Network,
    Source,
    Outcome,
    Part,
    Json,
}

impl Kind {
    /// Whether values can be greater and smaller.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::Time | Self::Json)
    }
}

/// All keys but paths. Where two names say the same, the first is the normalised one.
const NAMES: [(&str, Key); 32] = [
    ("actor", Key::Whole(Who::Actor)),
    ("actor.type", Key::Type(Who::Actor)),
    ("actor.name", Key::Name(Who::Actor)),
    ("verb", Key::Verb),
    ("action", Key::Verb),
    ("object", Key::Whole(Who::Object)),
    ("object.type", Key::Type(Who::Object)),
    ("object.name", Key::Name(Who::Object)),
    ("target", Key::Whole(Who::Target)),
    ("target.type", Key::Type(Who::Target)),
    ("target.name", Key::Name(Who::Target)),
    ("about", Key::Whole(Who::About)),
    ("about.type", Key::Type(Who::About)),
    ("about.name", Key::Name(Who::About)),
    ("occurred", Key::Occurred),
    ("recorded", Key::Recorded),
    ("created", Key::Recorded),
    ("changed", Key::Changed),
    ("from", Key::From),
    ("to", Key::To),
    ("has", Key::Has),
    ("run", Key::Run),
    ("req", Key::Request),
    ("trace", Key::Trace),
    ("source", Key::Source),
    ("outcome", Key::Outcome),
    ("ip", Key::Ip),
    ("ua", Key::Agent),
    ("audience", Key::Audience),
    ("reason", Key::Reason),
    ("id", Key::Id),
    ("request", Key::Request),
];

/// Words of other tools, and what is meant here; none where no action holds such a thing.
const FOREIGN: [(&str, Option<&str>); 16] = [
    ("user", Some("actor")),
    ("who", Some("actor")),
    ("type", Some("object.type")),
    ("status", Some("outcome")),
    ("result", Some("outcome")),
    ("time", Some("occurred")),
    ("date", Some("occurred")),
    ("since", Some("occurred")),
    ("field", Some("changed")),
    ("label", Some("audience")),
    ("tag", Some("audience")),
    ("country", None),
    ("is", None),
    ("seq", None),
    ("session", None),
    ("tenant", None),
];

/// Why a word is no key.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) detail: String,
    pub(super) suggestion: Option<String>,
}

impl Key {
    pub(super) fn parse(word: &str) -> Result<Self, Unknown> {
        let lower = word.to_ascii_lowercase();
        if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == lower) {
            return Ok(key.clone());
        }
        for (root, make) in [("data.", Self::Data as fn(_) -> _), ("context.", Self::Context)] {
            if lower.starts_with(root) {
                return path(&word[root.len()..]).map(make).ok_or_else(|| Unknown {
                    detail: format!(
                        "{} is no path; give up to {PATH_LEN_MAX} names with a dot between each two, such as `data.a.b`",
                        quote(word)
                    ),
                    suggestion: None,
                });
            }
        }
        Err(unknown(word, &lower))
    }

    /// Whether a word is a key.
    #[cfg(feature = "cli")]
    pub(crate) fn is_known(word: &str) -> bool {
        Self::parse(word).is_ok()
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Whole(_) => Kind::Resource,
            Self::Type(_) => Kind::Type,
            Self::Verb => Kind::Verb,
            Self::Occurred | Self::Recorded => Kind::Time,
            Self::From | Self::To | Self::Data(_) | Self::Context(_) => Kind::Json,
            Self::Has => Kind::Part,
            Self::Run | Self::Id => Kind::Uuid,
            Self::Source => Kind::Source,
            Self::Outcome => Kind::Outcome,
            Self::Ip => Kind::Network,
            Self::Name(_)
            | Self::Changed
            | Self::Request
            | Self::Trace
            | Self::Agent
            | Self::Audience
            | Self::Reason => Kind::Text,
        }
    }
}

fn path(text: &str) -> Option<Vec<String>> {
    let steps: Vec<_> = text.split('.').map(str::to_owned).collect();
    let is_path = steps.len() <= PATH_LEN_MAX && steps.iter().all(|step| !step.is_empty());
    is_path.then_some(steps)
}

fn unknown(word: &str, lower: &str) -> Unknown {
    let likeness = |name: &str| strsim::jaro_winkler(lower, name);
    let likest = || {
        // The first of several that are alike.
        let names = NAMES.iter().rev().map(|(name, _)| *name);
        let likest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        likest.filter(|name| likeness(name) >= LIKENESS_MIN)
    };
    let foreign = FOREIGN.iter().find(|(name, _)| *name == lower);
    let meant = foreign.map_or_else(likest, |(_, meant)| *meant);
    Unknown {
        detail: format!(
            "unknown search key {}; to search for text with a colon, put it in quotes",
            quote(word)
        ),
        suggestion: meant.map(str::to_owned),
    }
}

/// All keys, for people: `actor`, … with commas between.
#[cfg(feature = "server")]
pub(crate) fn known() -> String {
    let names = NAMES.iter().map(|(name, _)| *name);
    names.chain(["data.PATH", "context.PATH"]).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(path) => write!(f, "data.{}", path.join(".")),
            Self::Context(path) => write!(f, "context.{}", path.join(".")),
            key => {
                let name = NAMES.iter().find(|(_, named)| named == key).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_key_in_any_case_and_is_written_as_its_first_name() {
        for (name, key) in &NAMES {
            let found = Key::parse(&name.to_ascii_uppercase()).expect(name);
            assert_eq!(&found, key, "{name}");
            assert_eq!(Key::parse(&found.to_string()).ok().as_ref(), Some(key), "{name}");
        }
        assert_eq!(
            Key::parse("CREATED").ok().map(|key| key.to_string()).as_deref(),
            Some("recorded")
        );
        assert_eq!(
            Key::parse("Data.A.b").ok().map(|key| key.to_string()).as_deref(),
            Some("data.A.b")
        );
    }

    #[test]
    fn slips_and_words_of_other_tools_are_understood_but_not_taken() {
        for (given, meant) in [
            ("actr", Some("actor")),
            ("actor.typ", Some("actor.type")),
            ("object_type", Some("object.type")),
            ("ocurred", Some("occurred")),
            ("type", Some("object.type")),
            ("country", None),
            ("seq", None),
            ("http", None),
        ] {
            let unknown = Key::parse(given).expect_err(given);
            assert_eq!(unknown.suggestion.as_deref(), meant, "{given}");
        }
        for given in ["data.", "data..a", "context.a."] {
            assert!(Key::parse(given).expect_err(given).detail.contains("is no path"));
        }
    }
}
