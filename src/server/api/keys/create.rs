//! `POST /keys`: a new key of the tenant. Its secret is in the answer and nowhere else.

use std::num::NonZeroU32;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::form::{KeyForm, example};
use crate::access::{KEY_NAME_LEN_MAX, KeyError, NewKey, Refusal as Denied, Scope};
use crate::import;
use crate::json::object::only_objects;
use crate::resource::{ResourceRef, Tenant};
use crate::server::openapi::text::{boolean, line, or_null, reference, time, word};
use crate::server::openapi::{Doc, LOCATION, Media, Tag, labels};
use crate::server::reason;
use crate::server::refusal::{Refusal, of_key};
use crate::server::status::CREATED;
use crate::server::{AppState, Created, Fault, Kind, Manages, Payload, Problem, Query};
use crate::server::{acceptable, content_type};

const JSON: [&str; 1] = ["application/json"];
/// Requests a minute; the database has a column for so many.
const RATE_MAX: u32 = i32::MAX.cast_unsigned();

/// A key that is to be made.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub(crate) struct Given {
    name: String,
    scopes: Vec<String>,
    labels: Option<Vec<String>>,
    auditor: Option<bool>,
    actor: Option<String>,
    is_actor: Option<bool>,
    rate_per_minute: Option<f64>,
    expires_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

only_objects!(Given);

/// A key that was made, and its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewKeyReply {
    /// The key.
    key: KeyForm,
    /// What its holder sends, `gesta_ID_SECRET`. It cannot be had again.
    secret: String,
}

pub(crate) fn doc() -> Doc {
    let shop = serde_json::json!({"name": "shop", "scopes": ["events:write"], "reason": "OPS-123"});
    let made = serde_json::json!({"key": example(), "secret": "gesta_4f0k2m9x7a1c_SECRET"});
    Doc::new(Tag::Keys, "createKey", "Make a key of the tenant")
        .text(
            "The secret is in the answer, and cannot be had again. Nobody gives what they do not have: neither scopes nor labels \
             that the maker's key lacks, nor, with a scope for actions, runs or roles, an actor whose roles allow more. Keys for all tenants are made by `gesta key create --all-tenants`.",
        )
        .scope(Scope::KeysManage)
        .in_tenant()
        .reads([Media::of::<Given>(JSON[0]).example("shop", shop)])
        .answers_with(CREATED, "The key, and its secret.", &[LOCATION], [Media::json::<NewKeyReply>(made)])
        .problems([Kind::Worth, Kind::Unprocessable, Kind::NotAcceptable])
}

pub(crate) async fn post(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Manages(caller): Manages,
    payload: Payload,
) -> Result<Created<NewKeyReply>, Problem> {
    acceptable(&payload.headers, &JSON)?;
    content_type(&payload.headers, &JSON)?;
    let tenant = caller.need_tenant()?;
    let given: Given = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    let by = caller.context(tenant);
    let by = match reason::of(given.reason.as_deref())? {
        Some(reason) => by.reason(reason),
        None => by,
    };
    let key = given.key(tenant)?;
    let made = state.keys().create_as(caller.identity(), key, &by).await;
    let (info, credential) = made.map_err(|error| {
        match error {
            KeyError::Scope(scope) => caller.denied("manage", Denied::Scope(scope)),
            KeyError::Sight => caller.denied("manage", Denied::Sight),
            KeyError::Permission { ref permission, .. } => {
                caller.denied("manage", Denied::Permission(permission.clone()));
            }
            _ => {}
        }
        of_key(error)
    })?;
    let location = format!("{}/api/v1/keys/{}", state.base_path(), info.id);
    let key = KeyForm::of(&info, state.store().now());
    Ok(Created { value: NewKeyReply { key, secret: credential.reveal() }, location })
}

impl Given {
    fn key(self, tenant: &Tenant) -> Result<NewKey, Refusal> {
        let who = self.who()?;
        let scopes = scopes(&self.scopes)?;
        let mut key = NewKey::new(self.name, &who).tenant(tenant.clone()).scopes(scopes);
        key = match (self.auditor.unwrap_or_default(), self.labels) {
            (true, Some(_)) => {
                let detail = "`labels` are given, but `auditor` is true, who sees everything; leave one of them out";
                return Err(Refusal { kind: Kind::Unprocessable, ..refuse("/labels", detail) });
            }
            (true, None) => key.auditor(),
            (false, Some(labels)) => key.labels(labels),
            (false, None) => key,
        };
        if self.is_actor.unwrap_or_default() {
            key = key.acting();
        }
        if let Some(rate) = self.rate_per_minute {
            key = key.quota(quota(rate)?);
        }
        Ok(match self.expires_at {
            Some(end) => key.expires_at(end),
            None => key,
        })
    }

    /// Whom its requests are recorded as.
    fn who(&self) -> Result<ResourceRef, Refusal> {
        match &self.actor {
            Some(text) => {
                text.parse().map_err(|error| refuse("/actor", format!("`actor`: {error}")))
            }
            None => ResourceRef::new("service", self.name.as_str()).map_err(|error| {
                let detail = format!(
                    "`name`: {error}; without `actor`, its requests are recorded as `service:NAME`"
                );
                refuse("/name", detail)
            }),
        }
    }
}

/// A whole number, however it is written: `60.0` is one (JSON Schema core, section 4.2.3).
fn quota(rate: f64) -> Result<NonZeroU32, Refusal> {
    let whole = rate.to_string().parse().ok().filter(|rate: &NonZeroU32| rate.get() <= RATE_MAX);
    whole.ok_or_else(|| {
        let detail = format!("`rate_per_minute`: {rate} is none of 1 to {RATE_MAX}");
        refuse("/rate_per_minute", detail)
    })
}

fn scopes(words: &[String]) -> Result<Vec<Scope>, Refusal> {
    let known = || Scope::ALL.iter().map(|scope| scope.as_str());
    let read = |(index, word): (usize, &String)| {
        word.parse().map_err(|error| {
            let fault =
                Fault::pointer(format!("/scopes/{index}"), "invalid-value", format!("{error}"));
            Refusal::body(fault.meant(word, known()))
        })
    };
    words.iter().enumerate().map(read).collect()
}

fn refuse(pointer: &str, detail: impl Into<String>) -> Refusal {
    Refusal::body(Fault::pointer(pointer, "invalid-value", detail))
}

impl ToSchema for Given {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewKey".into()
    }
}

impl PartialSchema for Given {
    fn schema() -> RefOr<Schema> {
        let nullable = |builder: ObjectBuilder| builder.schema_type(or_null(Type::String));
        let scopes =
            ArrayBuilder::new().items(word(Scope::ALL.map(Scope::as_str))).min_items(Some(1));
        let flag =
            |text: &str| boolean().schema_type(or_null(Type::Boolean)).description(Some(text));
        let rate = ObjectBuilder::new().schema_type(or_null(Type::Integer)).minimum(Some(1));
        let labels = labels().schema_type(or_null(Type::Array));
        let schema = ObjectBuilder::new()
            .description(Some(
                "A key that is to be made. Fields may be null, which is as if they were left out.",
            ))
            .property("name", line(KEY_NAME_LEN_MAX).description(Some("What people call it.")))
            .property("scopes", scopes.description(Some("What it may do.")))
            .property(
                "labels",
                labels.description(Some(
                    "It sees actions with one of these labels; without them, `public`.",
                )),
            )
            .property("auditor", flag("It sees all actions. Not together with `labels`."))
            .property(
                "actor",
                nullable(reference()).description(Some(
                    "Whom its requests are recorded as; without it `service:NAME`.",
                )),
            )
            .property("is_actor", flag("Whether that is the actor of everything that it appends."))
            .property(
                "rate_per_minute",
                rate.maximum(Some(f64::from(RATE_MAX)))
                    .description(Some("Requests a minute; without it, what the server allows.")),
            )
            .property(
                "expires_at",
                nullable(time()).description(Some(
                    "From when on it is refused, in the future; without it, never.",
                )),
            )
            .property("reason", reason::schema())
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .required("name")
            .required("scopes");
        Schema::from(schema).into()
    }
}
