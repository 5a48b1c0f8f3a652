//! Pages of actions, in each format.

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::examples;
use super::media::{Media, Schemas, schemas};
use super::text::{named, or_null};
use crate::action::Action;
use crate::format::Format;

/// A page of actions as JSON; of a feed each has `reasons`.
pub(crate) struct Page;

impl ToSchema for Page {
    fn schemas(all: &mut Schemas) {
        all.append(&mut schemas::<Action>());
    }
}

impl PartialSchema for Page {
    fn schema() -> RefOr<Schema> {
        let link = |about: &str| {
            ObjectBuilder::new().schema_type(or_null(Type::String)).description(Some(about))
        };
        let items = ArrayBuilder::new().items(named::<Action>());
        let items =
            items.description(Some("Newest first. In a feed each has `reasons`: why it is there."));
        let schema = ObjectBuilder::new()
            .description(Some("A page of actions."))
            .property("items", items)
            .property("next", link("The URL of the page of older ones."))
            .property("prev", link("The URL of the page of newer ones."))
            .property("query", link("The search, as it was understood."));
        let names = ["items", "next", "prev", "query"];
        Schema::from(names.into_iter().fold(schema, ObjectBuilder::required)).into()
    }
}

/// A page in each format.
pub(crate) fn formats() -> impl Iterator<Item = Media> {
    Format::ALL.into_iter().map(|format| {
        let name = format.media_type();
        match format {
            Format::Json => Media::json::<Page>(
                json!({"items": [examples::stored()], "next": null, "prev": null, "query": null}),
            ),
            Format::Ndjson => Media::text(name, "One `Action` a line.")
                .example("one", format!("{}\n", examples::stored()).into()),
            Format::Csv => Media::text(name, "A line of names, then one action a line (RFC 4180)."),
            Format::ActivityStreams => {
                Media::object(name, "An `OrderedCollectionPage` (W3C Activity Streams 2.0).")
            }
            Format::Atom => Media::text(name, "A feed document (RFC 4287)."),
            Format::Rss => Media::text(name, "A channel (RSS 2.0)."),
            Format::CloudEventsBatch => Media::objects(name, "An array of CloudEvents 1.0."),
        }
    })
}
