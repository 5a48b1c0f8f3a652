//! `PUT /roles/{name}`: a role is made, or given other permissions. It can be sent again.

use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::form::{RoleForm, permission_schema, role_example};
use super::manages::{OfRole, role_doc};
use crate::import;
use crate::json::object::only_objects;
use crate::role::{
    ABOUT_LEN_MAX, NewRole, PERMISSIONS_MAX, Permission, RIGHTS_WITHIN, RoleError, RoleName,
    Written,
};
use crate::server::openapi::text::{line, or_null};
use crate::server::openapi::{Doc, LOCATION, Media};
use crate::server::reason;
use crate::server::refusal::Refusal;
use crate::server::status::{CREATED, OK};
use crate::server::{
    Created, Fault, JsonReply, Kind, Payload, Problem, Query, acceptable, content_type,
};

const JSON: [&str; 1] = ["application/json"];

/// A role as it is to be.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub(crate) struct Given {
    permissions: Vec<String>,
    about: Option<String>,
    reason: Option<String>,
}

only_objects!(Given);

pub(crate) fn doc() -> Doc {
    let editor = serde_json::json!({
        "permissions": ["article.*", "page.publish"],
        "about": "The editors of the news desk",
        "reason": "OPS-123",
    });
    let role = || [Media::json::<RoleForm>(role_example())];
    role_doc("putRole", "Make a role, or change what its members may")
        .text(format!(
            "The permissions take the place of those that were there. Nobody gives what they do not have: whatever the role did not \
             allow before, the caller's own roles allow. It can be sent again. This server acts by it at once, others of the \
             same database within {} s.",
            RIGHTS_WITHIN.num_seconds()
        ))
        .reads([Media::of::<Given>(JSON[0]).example("editor", editor)])
        .answers_with(CREATED, "The role is new.", &[LOCATION], role())
        .answers(OK, "The role was there, and is like this now.", role())
        .problems([Kind::Worth, Kind::BuiltIn, Kind::NotAcceptable])
}

pub(crate) async fn put(
    OfRole { by, name }: OfRole,
    Query(()): Query<()>,
    payload: Payload,
) -> Result<Response, Problem> {
    acceptable(&payload.headers, &JSON)?;
    content_type(&payload.headers, &JSON)?;
    let given: Given = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    let (role, reason) = given.role(name)?;
    let put = by.0.state.roles().put(&by.giver(reason)?, &role).await;
    let (role, written) = put.map_err(|error| match error {
        // It says where, which only the body has.
        RoleError::Exceeds { .. } => {
            let fault = Fault::pointer("/permissions", "exceeds-credential", error.to_string());
            let problem = by.refused(error);
            Problem::fault(problem.kind(), fault)
        }
        error => by.refused(error),
    })?;
    let value = RoleForm::from(&role);
    Ok(match written {
        Written::New => Created { value, location: by.0.place.url(&[]) }.into_response(),
        Written::Changed | Written::Same => JsonReply(value).into_response(),
    })
}

impl Given {
    fn role(self, name: RoleName) -> Result<(NewRole, Option<String>), Refusal> {
        let refuse = |pointer: String, detail: String| {
            Refusal::body(Fault::pointer(pointer, "invalid-value", detail))
        };
        let reason = reason::of(self.reason.as_deref())?;
        let read = |(index, text): (usize, &String)| {
            let permission = text.parse::<Permission>();
            permission.map_err(|error| refuse(format!("/permissions/{index}"), error.to_string()))
        };
        let permissions: Vec<_> =
            self.permissions.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let role = NewRole::new(name).permissions(permissions);
        let role = match self.about {
            Some(text) => role.about(text),
            None => role,
        };
        Ok((role, reason))
    }
}

impl ToSchema for Given {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewRole".into()
    }
}

impl PartialSchema for Given {
    fn schema() -> RefOr<Schema> {
        let permissions =
            ArrayBuilder::new().items(permission_schema()).max_items(Some(PERMISSIONS_MAX));
        let about = line(ABOUT_LEN_MAX).min_length(None).schema_type(or_null(Type::String));
        let schema = ObjectBuilder::new()
            .description(Some("A role as it is to be."))
            .property(
                "permissions",
                permissions.description(Some(
                    "What its members may: `TYPE.WORD`, `TYPE.*` for all of a type, `*` for all.",
                )),
            )
            .property(
                "about",
                about.description(Some(
                    "What it is for. Null, or left out, it stays as it is; empty, it goes.",
                )),
            )
            .property("reason", reason::schema())
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .required("permissions");
        Schema::from(schema).into()
    }
}
