//! Schemas of actions: as they are given, and as they were stored.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::media::Schemas;
use super::text::{
    action_id, anything, line, named, named_or_null, or_null, resource_id, resource_type, tenant,
    text, time, uuid, word,
};
use crate::action::form::{Given, GivenParty};
use crate::action::{
    Action, ActionId, DESCRIPTION_LEN_MAX, LABEL_LEN_MAX, LABELS_MAX, Outcome, PAYLOAD_LEN_MAX,
    Source, VERB_LEN_MAX,
};
use crate::json::Json;
use crate::resource::ResourceRef;

impl ToSchema for ActionId {}

impl PartialSchema for ActionId {
    fn schema() -> RefOr<Schema> {
        let about = "The id of an action: a UUIDv7 (RFC 9562) whose time is `occurred_at`.";
        Schema::from(action_id().description(Some(about))).into()
    }
}

impl ToSchema for GivenParty {
    fn name() -> std::borrow::Cow<'static, str> {
        "Party".into()
    }
}

impl PartialSchema for GivenParty {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(or_null(Type::String));
        let name = name.pattern(text(0).build().pattern);
        let schema = ObjectBuilder::new()
            .description(Some("A resource, such as a user or an issue, and what it is called now."))
            .property("type", resource_type().description(Some("Its type, such as `issue`.")))
            .property("id", resource_id().description(Some("Its id inside of the type.")))
            .property("name", name.description(Some("What people call it; cut after 1,024 bytes.")))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .required("type")
            .required("id");
        Schema::from(schema).into()
    }
}

impl ToSchema for Given {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewAction".into()
    }

    fn schemas(schemas: &mut Schemas) {
        schemas.push((GivenParty::name().into_owned(), GivenParty::schema()));
    }
}

impl PartialSchema for Given {
    fn schema() -> RefOr<Schema> {
        let about = format!(
            "An action that is to be appended. `verb` is required, and `actor` is where the credential is not itself the actor. \
             `changes`, `data` and `context` have up to {PAYLOAD_LEN_MAX} bytes together. Fields may be null, which is as if \
             they were left out. What was read may be sent: `recorded_at`, `source` and `context.api` are replaced."
        );
        let schema = who_did_what(ObjectBuilder::new().description(Some(about)));
        let schema = circumstances(schema)
            .required("verb")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        Schema::from(schema).into()
    }
}

fn who_did_what(schema: ObjectBuilder) -> ObjectBuilder {
    let id = action_id().schema_type(or_null(Type::String)).description(Some(
        "A UUIDv7 (RFC 9562) whose time is `occurred_at`. Give one, and sending again is safe: the same action is stored once.",
    ));
    let tenant = tenant().schema_type(or_null(Type::String)).description(Some(
        "The credential's, which may be left out; with a credential of all tenants, the header's or this one.",
    ));
    let verb = line(VERB_LEN_MAX).description(Some("What was done, such as `close`."));
    schema
        .property("id", id)
        .property("tenant", tenant)
        .property("actor", named_or_null::<GivenParty>())
        .property("verb", verb)
        .property("object", named_or_null::<GivenParty>())
        .property("target", named_or_null::<GivenParty>())
}

fn circumstances(schema: ObjectBuilder) -> ObjectBuilder {
    let nullable = |builder: ObjectBuilder| builder.schema_type(or_null(Type::String));
    let run = nullable(ObjectBuilder::new()).format(Some(uuid()));
    let old_and_new = ArrayBuilder::new().items(anything()).min_items(Some(2)).max_items(Some(2));
    let changes = ObjectBuilder::new().schema_type(or_null(Type::Object));
    let context = ObjectBuilder::new().schema_type(or_null(Type::Object));
    let labels = ArrayBuilder::new().schema_type(or_null(Type::Array)).items(text(LABEL_LEN_MAX));
    schema
        .property("occurred_at", nullable(time()).description(Some("When, from 1970 to 9999; without it, now.")))
        .property("recorded_at", anything().description(Some("Read and not used: only the database sets it.")))
        .property("run_id", run.description(Some("The run or bulk operation that it belongs to: a UUID.")))
        .property("source", words(Source::ALL.map(Source::as_str)).description(Some("Read and not used: it is `api`.")))
        .property("outcome", words(Outcome::ALL.map(Outcome::as_str)).description(Some("How the attempt ended; without it, `ok`.")))
        .property("description", nullable(text(DESCRIPTION_LEN_MAX)).description(Some("Free text for people.")))
        .property("changes", changes.additional_properties(Some(old_and_new)).description(Some("What changed: `{field: [old, new]}`.")))
        .property("data", anything().description(Some("Any JSON.")))
        .property("context", context.description(Some("Request id, address, reason and the like, as the client knows them. The server adds `api`: what it saw of the request itself.")))
        .property("audience", labels.max_items(Some(LABELS_MAX)).description(Some("Who may see it: readers with one of these labels. Without it `public`, which everybody has; with none, auditors only.")))
}

/// One of some words, or null.
fn words(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    let values = words.into_iter().map(serde_json::Value::from).chain([serde_json::Value::Null]);
    ObjectBuilder::new().schema_type(or_null(Type::String)).enum_values(Some(values))
}

/// Labels of an audience, as they are given.
pub(crate) fn labels() -> ArrayBuilder {
    ArrayBuilder::new().items(text(LABEL_LEN_MAX)).max_items(Some(LABELS_MAX))
}

impl ToSchema for Action {
    fn schemas(schemas: &mut Schemas) {
        schemas.push((GivenParty::name().into_owned(), GivenParty::schema()));
    }
}

/// Whatever is stored, also by other ways than this API, whose limits are wider.
impl PartialSchema for Action {
    fn schema() -> RefOr<Schema> {
        let words = |words: &[&str], about| word(words.iter().copied()).description(Some(about));
        let (sources, outcomes) =
            (Source::ALL.map(Source::as_str), Outcome::ALL.map(Outcome::as_str));
        let plain = || ObjectBuilder::new().schema_type(Type::String);
        let nullable = |kind| ObjectBuilder::new().schema_type(or_null(kind));
        let schema = ObjectBuilder::new()
            .description(Some(
                "An action as it was stored. Every key is there; later versions may add some.",
            ))
            .property("id", action_id())
            .property("tenant", plain())
            .property("actor", named::<GivenParty>())
            .property("verb", plain())
            .property("object", named_or_null::<GivenParty>())
            .property("target", named_or_null::<GivenParty>())
            .property("occurred_at", time().description(Some("When, by the writer's clock.")))
            .property("recorded_at", time().description(Some("When, by the database's clock.")))
            .property("run_id", nullable(Type::String).format(Some(uuid())))
            .property("source", words(&sources, "The way it came in."))
            .property("outcome", words(&outcomes, "How the attempt ended."))
            .property("description", nullable(Type::String))
            .property("changes", nullable(Type::Object).description(Some("`{field: [old, new]}`")))
            .property("data", anything())
            .property("context", anything())
            .property("audience", ArrayBuilder::new().items(plain()));
        let names = [
            "id",
            "tenant",
            "actor",
            "verb",
            "object",
            "target",
            "occurred_at",
            "recorded_at",
            "run_id",
            "source",
            "outcome",
            "description",
            "changes",
            "data",
            "context",
            "audience",
        ];
        Schema::from(names.into_iter().fold(schema, ObjectBuilder::required)).into()
    }
}

impl ToSchema for Json {}

impl PartialSchema for Json {
    fn schema() -> RefOr<Schema> {
        Schema::from(anything().description(Some("Any JSON."))).into()
    }
}

impl ToSchema for ResourceRef {
    fn name() -> std::borrow::Cow<'static, str> {
        "Resource".into()
    }
}

impl PartialSchema for ResourceRef {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .description(Some("Which resource."))
            .property("type", resource_type())
            .property("id", resource_id())
            .required("type")
            .required("id");
        Schema::from(schema).into()
    }
}
