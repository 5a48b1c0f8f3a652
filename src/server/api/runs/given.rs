//! What is to be planned or run: bodies.

use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::json::object::only_objects;
use crate::server::api::selections::{Given, Terms, id_schema, properties};
use crate::server::openapi::text::{anything, or_null};
use crate::server::reason;

/// What is to be planned.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub(super) struct PlanBody {
    selection: Option<Uuid>,
    ids: Option<Vec<String>>,
    filter: Option<Value>,
    q: Option<String>,
    input: Option<Value>,
}

/// What is to be run.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub(super) struct RunBody {
    selection: Option<Uuid>,
    ids: Option<Vec<String>>,
    filter: Option<Value>,
    q: Option<String>,
    input: Option<Value>,
    pub(super) reason: Option<String>,
    pub(super) token: Option<String>,
}

only_objects!(PlanBody, RunBody);

/// Left out, the input has no fields.
fn input(given: Option<Value>) -> Value {
    given.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

impl PlanBody {
    /// Which objects, and the input.
    pub(super) fn parts(self) -> (Given, Value) {
        let Self { selection, ids, filter, q, .. } = self;
        (Given { selection, terms: Terms { ids, filter, q } }, input(self.input))
    }
}

impl RunBody {
    /// Which objects, and the input.
    pub(super) fn parts(self) -> (Given, Value) {
        let Self { selection, ids, filter, q, .. } = self;
        (Given { selection, terms: Terms { ids, filter, q } }, input(self.input))
    }
}

/// What both have.
fn common(about: &str) -> ObjectBuilder {
    let schema = ObjectBuilder::new().description(Some(about.to_owned()));
    let input = anything()
        .description(Some("The input, by the schema of the action. Left out, it has no fields."));
    properties(schema.property("selection", id_schema()))
        .property("input", input)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

impl ToSchema for PlanBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewPlan".into()
    }
}

impl PartialSchema for PlanBody {
    fn schema() -> RefOr<Schema> {
        let about = "What is to be planned: on which objects (one of `selection`, `ids`, `filter` and `q`, or `ids` together with \
                     `filter`), and with which input.";
        Schema::from(common(about)).into()
    }
}

impl ToSchema for RunBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewRun".into()
    }
}

impl PartialSchema for RunBody {
    fn schema() -> RefOr<Schema> {
        let about = "What is to be run: on which objects (one of `selection`, `ids`, `filter` and `q`, or `ids` together with \
                     `filter`), with which input, and why.";
        let token = ObjectBuilder::new()
            .schema_type(or_null(Type::String))
            .description(Some("Of the plan that is confirmed by this."));
        let schema = common(about).property("reason", reason::schema()).property("token", token);
        Schema::from(schema).into()
    }
}
