//! What is written: an action, perhaps out of a feed.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::action::Action;
use crate::stream::{FeedItem, Reason};

/// An action, and in a feed the reasons why it is there. Serialises to the JSON form of the action
/// ([`crate::action::form`]); out of a feed with one more key, `reasons`:
/// `[{"followed": {"type": "issue", "id": "70"}, "role": "object", "flag": ""}]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'a> {
    /// The action.
    pub action: &'a Action,
    /// Why it is in the feed; nothing outside of feeds.
    pub reasons: Option<&'a [Reason]>,
}

impl<'a> From<&'a Action> for Item<'a> {
    fn from(action: &'a Action) -> Self {
        Self { action, reasons: None }
    }
}

impl<'a> From<&'a FeedItem> for Item<'a> {
    fn from(item: &'a FeedItem) -> Self {
        Self { action: &item.action, reasons: Some(&item.reasons) }
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct FromFeed<'a> {
            #[serde(flatten)]
            action: &'a Action,
            reasons: Vec<ReasonForm<'a>>,
        }
        match self.reasons {
            None => self.action.serialize(serializer),
            Some(reasons) => {
                let reasons = reasons.iter().map(ReasonForm).collect();
                FromFeed { action: self.action, reasons }.serialize(serializer)
            }
        }
    }
}

struct ReasonForm<'a>(&'a Reason);

impl Serialize for ReasonForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Reason", 3)?;
        form.serialize_field("followed", &self.0.followed)?;
        form.serialize_field("role", self.0.role.as_str())?;
        form.serialize_field("flag", &self.0.flag)?;
        form.end()
    }
}
