//! The schema of a `CloudEvent`, as it is given.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::text::{action_id, anything, line, or_null, reference, text, time, word};
use crate::action::VERB_LEN_MAX;
use crate::format::event::SPEC_VERSION;
use crate::server::cloudevent::Event;

/// JSON, and what is JSON underneath.
const JSON: &str = r"^([aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]/[jJ][sS][oO][nN]|[^;]+\+[jJ][sS][oO][nN])(;.*)?$";

impl ToSchema for Event {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewCloudEvent".into()
    }
}

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        let dated = ObjectBuilder::new().property("time", time()).required("time");
        let with_action_id = ObjectBuilder::new().property("id", action_id());
        let schema = AllOfBuilder::new()
            .description(Some(
                "A CloudEvent 1.0 that becomes an action. One whose `data` is an action of the same id is that action. Of others \
                 `type` is the verb (of `issue.close` with the subject `issue:70`, `close`), `subject` the object, where it is \
                 `TYPE:ID` or `TYPE/ID`, `actor` and `target` are extensions of the form `TYPE:ID`, `id` is the id, where it is \
                 a UUIDv7, else one is made of `time`, tenant, `source` and `id`, the same each time; other attributes are kept \
                 in `context.event`. `data_base64` and `parked` are refused.",
            ))
            .item(attributes())
            .item(AnyOfBuilder::new().item(dated).item(with_action_id));
        Schema::from(schema).into()
    }
}

fn attributes() -> ObjectBuilder {
    let filled = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let nullable = |builder: ObjectBuilder| builder.schema_type(or_null(Type::String));
    ObjectBuilder::new()
        .property("specversion", word([SPEC_VERSION]))
        .property("id", filled().description(Some("A UUIDv7, or, with `time`, any text.")))
        .property("source", filled())
        .property(
            "type",
            line(VERB_LEN_MAX)
                .description(Some("The verb, also behind the object's type and a dot.")),
        )
        .property("subject", nullable(text(usize::from(u16::MAX))).description(Some("The object.")))
        .property(
            "time",
            nullable(time()).description(Some("When; missing only where `id` is a UUIDv7.")),
        )
        .property("datacontenttype", nullable(ObjectBuilder::new()).pattern(Some(JSON)))
        .property("tenant", nullable(super::text::tenant()))
        .property("actor", nullable(reference()).description(Some("Who, as `TYPE:ID`.")))
        .property("target", nullable(reference()))
        .property("data", anything())
        .required("specversion")
        .required("id")
        .required("source")
        .required("type")
}
