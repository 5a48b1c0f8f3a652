//! `GET`, `PUT` and `DELETE /follows/{type}/{id}/{type}/{id}`: whether somebody follows something, and that they begin or
//! end to. Both writes can be sent again; each change is told by an action.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Read, Scope};
use crate::context::Context;
use crate::error::quote;
use crate::format::Format;
use crate::resource::{Named, ResourceRef};
use crate::server::edge::{self, EdgeForm};
use crate::server::openapi::text::{flag, resource_id, resource_type, word_like, words};
use crate::server::openapi::{Doc, LOCATION, Media, Tag};
use crate::server::path::resource;
use crate::server::read::{Reading, VERBS, parameter, verbs};
use crate::server::reply::NoContent;
use crate::server::status::{CREATED, NO_CONTENT, OK};
use crate::server::{
    AppState, Created, Fault, JsonReply, Kind, Pairs, Parameters, Path, Payload, Problem, Query,
};
use crate::store::{AppendError, failed};
use crate::stream::Role;
use crate::stream::follow::{Before, Follow, FollowError};

/// Who, and whom.
#[derive(Debug)]
pub(crate) struct Pair {
    follower: ResourceRef,
    followed: ResourceRef,
}

impl FromRequestParts<AppState> for Pair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let path = Path::<(String, String, String, String)>::from_request_parts(parts, state);
        let Path((kind, id, other_kind, other_id)) = path.await?;
        let (follower, followed) = (resource(&kind, &id)?, resource(&other_kind, &other_id)?);
        Ok(Self { follower, followed })
    }
}

/// Of which kind.
#[derive(Debug)]
pub(crate) struct FlagQuery {
    flag: String,
}

impl Parameters for FlagQuery {
    const NAMES: &'static [&'static str] = &["flag"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { flag: edge::flag(pairs) }
    }
}

/// Of which kind, and in which roles and of which verbs, where that is said.
#[derive(Debug)]
pub(crate) struct PutQuery {
    flag: String,
    roles: Option<Vec<Role>>,
    verbs: Option<Vec<String>>,
}

impl Parameters for PutQuery {
    const NAMES: &'static [&'static str] = &["flag", "roles", "verbs"];

    fn read(pairs: &mut Pairs) -> Self {
        let roles = pairs.read("roles", |text| {
            let role = |word| {
                Role::from_word(word)
                    .ok_or_else(|| format!("{} is none of actor, object, target", quote(word)))
            };
            text.split(',').map(role).collect::<Result<Vec<_>, _>>()
        });
        let verbs =
            pairs.read("verbs", |text| if text.is_empty() { Ok(Vec::new()) } else { verbs(text) });
        Self { flag: edge::flag(pairs), roles, verbs }
    }
}

impl PutQuery {
    /// What was not said stays as it is, also what no parameter says.
    fn follow(self, follower: &Named, followed: &ResourceRef) -> Follow {
        let said = [("roles", self.roles.is_some()), ("verbs", self.verbs.is_some())];
        let unsaid = said.into_iter().filter(|(_, is_said)| !is_said).map(|(column, _)| column);
        Follow::new(follower, followed)
            .flag(self.flag)
            .roles(self.roles.unwrap_or_else(|| vec![Role::Actor]))
            .verbs(self.verbs.unwrap_or_default())
            .keeping(unsaid.chain(["since", "muted"]))
    }
}

/// Whether there is an edge.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IsFollowing)]
struct Answer {
    follower: ResourceRef,
    followed: ResourceRef,
    /// Null for any kind.
    #[schema(required)]
    flag: Option<String>,
    is_following: bool,
}

/// What all three have in common.
fn edge(id: &'static str, summary: &'static str, scope: Scope) -> Doc {
    Doc::new(Tag::Feeds, id, summary)
        .scope(scope)
        .in_tenant()
        .path("follower_type", "The type of who follows.", resource_type())
        .path("follower_id", "Their id, percent-encoded.", resource_id())
        .path("type", "The type of what is followed.", resource_type())
        .path("id", "Its id, percent-encoded.", resource_id())
        .query("flag", "Of which kind; without it, any.", flag())
}

pub(crate) fn get_doc() -> Doc {
    let is = serde_json::json!({
        "follower": {"type": "user", "id": "ann"},
        "followed": {"type": "issue", "id": "70"},
        "flag": null,
        "is_following": true,
    });
    edge("isFollowing", "Whether somebody follows something", Scope::EventsRead)
        .answers(OK, "Whether they do.", [Media::json::<Answer>(is)])
        .problems([Kind::NotAcceptable])
}

pub(crate) fn put_doc() -> Doc {
    let reply = || [Media::json::<EdgeForm>(EdgeForm::example())];
    edge("follow", "Follow something", Scope::EventsWrite)
        .text("For oneself `events:write` is enough; for others `feeds:manage` is needed. It can be sent again. \
             What is not said is as it was; at first it is followed as actor, with all verbs. There is no body.")
        .or(Scope::FeedsManage)
        .query("roles", "In which roles its actions are in the feed.", words(Role::ALL.map(Role::as_str)))
        .query("verbs", "Of which verbs, with commas between; empty for all.", word_like(&format!("^$|{VERBS}")))
        .answers_with(CREATED, "It is followed now.", &[LOCATION], reply())
        .answers(OK, "It was followed before.", reply())
}

pub(crate) fn delete_doc() -> Doc {
    edge("unfollow", "Follow something no more", Scope::EventsWrite)
        .text("For oneself `events:write` is enough; for others `feeds:manage` is needed. It can be sent again.")
        .or(Scope::FeedsManage)
        .answers(NO_CONTENT, "It is not followed now.", [])
}

pub(crate) async fn get(
    reading: Reading,
    pair: Pair,
    Query(asked): Query<FlagQuery>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let Pair { follower, followed } = pair;
    let is_following = reader.is_following(&follower, &followed, &asked.flag).await?;
    reading.record(&Read::of(&follower, &reading.told(&named(&asked.flag)))).await?;
    let flag = Some(asked.flag).filter(|flag| !flag.is_empty());
    Ok(JsonReply(Answer { follower, followed, flag, is_following }).into_response())
}

pub(crate) async fn put(
    reading: Reading,
    pair: Pair,
    Query(asked): Query<PutQuery>,
    payload: Payload,
) -> Result<Response, Problem> {
    let (ctx, follower) = may_change(&reading, pair.follower)?;
    if !payload.bytes.is_empty() {
        let detail = "a body is not read here; give `roles` and `verbs` as parameters of the URL";
        return Err(Problem::fault(Kind::Body, Fault::pointer("", "unknown", detail)));
    }
    let flag = named(&asked.flag);
    let follow = asked.follow(&follower, &pair.followed);
    let store = reading.state.store();
    let mut client = store.client().await?;
    let tx = client.transaction().await.map_err(failed("begin"))?;
    let (edge, before) = store.put_follow(&tx, &ctx, &follow).await?;
    tx.commit().await.map_err(failed("commit"))?;
    store.bell().ring();
    let value = EdgeForm::from(edge);
    match before {
        Before::Edge => Ok(JsonReply(value).into_response()),
        Before::Nothing => {
            let location = reading.place.url(&flag);
            Ok(Created { value, location }.into_response())
        }
    }
}

pub(crate) async fn delete(
    reading: Reading,
    pair: Pair,
    Query(asked): Query<FlagQuery>,
) -> Result<NoContent, Problem> {
    let (ctx, follower) = may_change(&reading, pair.follower)?;
    let store = reading.state.store();
    let mut client = store.client().await?;
    let tx = client.transaction().await.map_err(failed("begin"))?;
    store.unfollow(&tx, &ctx, &follower, &pair.followed, &asked.flag).await?;
    tx.commit().await.map_err(failed("commit"))?;
    store.bell().ring();
    Ok(NoContent)
}

/// The parameter of a kind; none of any.
fn named(flag: &str) -> Vec<(&'static str, String)> {
    if flag.is_empty() { Vec::new() } else { vec![("flag", flag.to_owned())] }
}

/// Whoever manages feeds may change anybody's follows; everybody else their own, which is told by an action, as all that
/// they may write. Gives who acts, and the follower by name.
fn may_change(reading: &Reading, follower: ResourceRef) -> Result<(Context, Named), Problem> {
    let caller = &reading.caller;
    let identity = caller.identity();
    let is_own = identity.who.resource == follower;
    if !identity.may(Scope::FeedsManage) {
        caller.require(if is_own { Scope::EventsWrite } else { Scope::FeedsManage })?;
    }
    let ctx = caller.context(reading.tenant()?);
    let follower =
        if is_own { identity.who.clone() } else { Named { resource: follower, name: None } };
    Ok((ctx, follower))
}

impl From<FollowError> for Problem {
    fn from(error: FollowError) -> Self {
        let text = error.to_string();
        match error {
            FollowError::Flag { .. } => parameter("flag", "invalid-value", text),
            FollowError::NoRole => parameter("roles", "invalid-value", text),
            FollowError::Database(failure)
            | FollowError::Record(AppendError::Database { source: failure, .. }) => failure.into(),
            FollowError::Record(AppendError::Invalid { problem, .. }) => {
                Self::new(Kind::Parameter, problem.to_string())
            }
            FollowError::Verb { .. } => parameter("verbs", "invalid-value", text),
            FollowError::Verbs { .. } => parameter("verbs", "too-many", text),
            error @ FollowError::Record(_) => Self::internal(&error),
        }
    }
}
