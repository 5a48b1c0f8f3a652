//! What documents say about themselves.

use chrono::{DateTime, Utc};

use super::Site;

/// URLs of the pages around a page. What is *next* is older.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The document itself.
    pub this: String,
    /// The newest page, which is also the name of the stream; nothing where the document is all of it.
    pub first: Option<String>,
    /// The page with what is older.
    pub next: Option<String>,
    /// The page with what is newer.
    pub prev: Option<String>,
}

/// What a document is about, for its title and description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading<'a> {
    /// The feed of whoever reads it.
    Feed,
    /// The stream of a resource type, by what one or many of it are called.
    Type(&'a str),
    /// The stream of a resource, by its name.
    Resource(&'a str),
    /// The stream of a tenant.
    Everything,
}

impl Heading<'_> {
    /// The title, plain text.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Feed => "Activity feed for your followed actors".to_owned(),
            Self::Type(name) => format!("Activity feed from {name}"),
            Self::Resource(name) => format!("Activity for {name}"),
            Self::Everything => "Activity".to_owned(),
        }
    }

    /// The description, plain text.
    #[must_use]
    pub fn description(self) -> String {
        match self {
            Self::Feed => {
                "Public activities of actors you follow, and what else you may see".to_owned()
            }
            Self::Type(name) | Self::Resource(name) => {
                format!("Public activities of {name}, and what else you may see")
            }
            Self::Everything => "Public activities, and what else you may see".to_owned(),
        }
    }
}

/// What a document says about itself. Each format takes of it what it has a place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is called: `Activity for Crash on save`.
    pub title: String,
    /// What it holds: `Public activities of Crash on save`.
    pub description: String,
    /// Whose document it is: the name of the installation.
    pub author: String,
    /// When it last changed: the time of its newest action, or of the request where there is none.
    pub updated: DateTime<Utc>,
    /// The pages around it.
    pub links: Links,
    /// Which actions it has, for ever: the path below the base, and the parameters that select them. It is the same for all
    /// formats and pages, and the id of a feed is made of it.
    pub subject: String,
    /// The search that it answers, as it was understood.
    pub query: Option<String>,
    /// Where everything in it is.
    pub site: Site,
    /// The source of its CloudEvents ([`super::event::source`]).
    pub source: String,
}
