//! `GET /whoami`: what a credential is, for whoever holds it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Via;
use crate::action::form::{GivenParty, Party};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{Caller, JsonReply, Problem, Query};

/// What a credential is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoAmI {
    /// The tenant; null for a credential of all tenants.
    tenant: Option<String>,
    /// Who: the actor of what a request itself is recorded as.
    #[schema(value_type = GivenParty)]
    who: serde_json::Value,
    /// Whether `who` is the actor of all that is appended.
    is_actor: bool,
    /// What may be done.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<&'static str>,
    /// What its roles allow in the tenant: `TYPE.WORD`, `TYPE.*`, `*`; null where the request names no tenant.
    permissions: Option<Vec<String>>,
    /// The labels of actions that are seen; null where all are.
    labels: Option<Vec<String>>,
    /// The part of the key that is no secret; null behind a proxy.
    key: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let ann = serde_json::json!({
        "tenant": "default",
        "who": {"type": "user", "id": "ann", "name": "Ann"},
        "is_actor": true,
        "scopes": ["events:read", "events:write"],
        "permissions": ["article.*"],
        "labels": ["public"],
        "key": "4f0k2m9x7a1c",
    });
    Doc::new(Tag::Keys, "whoAmI", "What the credential is").known().answers(
        OK,
        "What it is.",
        [Media::json::<WhoAmI>(ann)],
    )
}

pub(crate) async fn get(
    Query(()): Query<()>,
    caller: Caller,
) -> Result<JsonReply<WhoAmI>, Problem> {
    let identity = caller.identity();
    let rights = match caller.tenant() {
        Some(_) => Some(caller.asker().await?.rights),
        None => None,
    };
    Ok(JsonReply(WhoAmI {
        tenant: identity.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
        who: serde_json::json!(Party::from(&identity.who)),
        is_actor: identity.is_actor,
        scopes: identity.scopes.iter().map(|scope| scope.as_str()).collect(),
        permissions: rights.map(|rights| rights.iter().map(str::to_owned).collect()),
        labels: identity.sight.labels().map(<[_]>::to_vec),
        key: match &identity.via {
            Via::Key(key) => Some(key.clone()),
            Via::Proxy => None,
        },
    }))
}
