//! What a document is called.

use super::source::Entry;
use super::subject::Subject;
use crate::action::Action;
use crate::format::Heading;
use crate::registry::Registry;
use crate::resource::{Named, ResourceRef};

/// Title and description: of a resource by the name that it has in the newest action that gives one.
pub(super) fn of(subject: &Subject, entries: &[Entry], registry: &Registry) -> (String, String) {
    let run;
    let heading = match subject {
        Subject::Tenant => Heading::Everything,
        Subject::Feed(_) => Heading::Feed,
        Subject::Type(kind) => {
            let known = registry.resource_type(kind).map(|known| known.plural.as_str());
            Heading::Type(known.unwrap_or(kind.as_str()))
        }
        Subject::Run(id) => {
            run = format!("run {id}");
            Heading::Resource(&run)
        }
        Subject::Object(resource)
        | Subject::Actor(resource)
        | Subject::Target(resource)
        | Subject::Any(resource) => {
            let name = entries.iter().find_map(|entry| name(entry.action(), resource));
            run = resource.to_string();
            Heading::Resource(name.unwrap_or(&run))
        }
    };
    (heading.title(), heading.description())
}

fn name<'a>(action: &'a Action, resource: &ResourceRef) -> Option<&'a str> {
    let parties = [Some(&action.actor), action.object.as_ref(), action.target.as_ref()];
    let is_it = |party: &&&Named| party.resource == *resource;
    parties.iter().flatten().filter(is_it).find_map(|party| party.name.as_deref())
}
