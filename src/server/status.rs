//! The problems that the API knows, and the only file that knows the status codes of HTTP.

use axum::http::StatusCode;

use crate::store::Failure;

use super::problem::Problem;

macro_rules! kinds {
    ($($name:ident $slug:literal $status:ident $title:literal $text:literal),+ $(,)?) => {
        /// A kind of problem: the end of its `type`, its status, its title, and what `/docs/problems/…` says about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $title] $name),+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in `type`, such as `unknown-path`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),+ }
            }

            /// Its title, the same each time.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }

            /// What it means, and what to do.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }
        }
    };
}

kinds! {
    Malformed "malformed-request" BAD_REQUEST "The request cannot be read"
        "The URL, a header or the body is not of the form that HTTP or JSON asks for, such as a percent encoding that is no \
         UTF-8. `detail` says where.",
    Parameter "invalid-parameter" BAD_REQUEST "A query parameter is refused"
        "The URL has a parameter that is not known here, is given twice, or has a value that is not allowed. Nothing is \
         ignored: a filter with a slip in its name would otherwise answer with everything. `errors` names each, and what was \
         probably meant.",
    Body "invalid-body" BAD_REQUEST "The body is refused"
        "The body is no JSON, has a field that is not known here, or one whose value cannot be stored. `errors` names the \
         field by a JSON pointer. Nothing was stored.",
    TenantMissing "tenant-missing" BAD_REQUEST "The request names no tenant"
        "The credential is valid for all tenants, so the request says which one is meant: by the header `X-Gesta-Tenant`, or \
         by the field `tenant` of each action.",
    Unauthenticated "unauthenticated" UNAUTHORIZED "A valid credential is needed"
        "Send `Authorization: Bearer gesta_…` with a key that is known, has not run out and was not revoked. Which of these \
         it was is not said. `gesta key create` makes one.",
    Scope "missing-scope" FORBIDDEN "The credential lacks a scope"
        "The credential is valid, but not for this. `detail` names the scope that is missing; make a key that has it.",
    NotYours "identity-mismatch" FORBIDDEN "The request contradicts its credential"
        "The tenant, and for some credentials also the actor, come from the credential. A header or field that names another \
         one is refused, not overruled: leave it out, or use the other one's credential.",
    Worth "exceeds-credential" FORBIDDEN "More would be given than its giver has"
        "Nobody gives what they do not have: a new key has scopes, and sees labels, that its maker's has, and is not recorded \
         as somebody who may run more; a role is given permissions, and members, by who has these permissions. `detail` names \
         what goes beyond, and `errors` where.",
    UnknownPath "unknown-path" NOT_FOUND "There is nothing at this path"
        "No operation has this path. Look for a slip, and for the base path of the server.",
    NotFound "not-found" NOT_FOUND "It does not exist, or you may not see it"
        "Which of the two it is, is not said, since that would be told to those who may not know.",
    Method "method-not-allowed" METHOD_NOT_ALLOWED "The path does not have this method"
        "The header `Allow` lists those that it has.",
    NotAcceptable "not-acceptable" NOT_ACCEPTABLE "None of the accepted formats can be given"
        "`Accept` excludes every format that this operation can answer in. `detail` lists them.",
    TooSlow "too-slow" REQUEST_TIMEOUT "The body did not come in time"
        "The body of the request came too slowly, and was given up. Nothing was stored.",
    Conflict "conflict" CONFLICT "Another action has this id"
        "An action with this id and other content is stored already. Nothing was overwritten. An id that is sent again must \
         have the same content; another action needs an id of its own.",
    BuiltIn "built-in" CONFLICT "It is built in, and cannot be changed"
        "The role `administrator` is there in every tenant, with all permissions. Members come and go; the role itself is \
         neither changed nor removed. Make one of another name.",
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The body is too large"
        "`detail` says how much is allowed, unpacked. Send several requests.",
    MediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "The body's format is not taken here"
        "`Content-Type` or `Content-Encoding` names a format that this operation does not read. `detail` lists those that it \
         does.",
    Refused "batch-refused" UNPROCESSABLE_ENTITY "Nothing of the batch was stored"
        "The batch was to be stored as a whole (`atomic=true`), and some of its actions cannot be. `items` says of each what \
         is wrong.",
    Unprocessable "unprocessable-content" UNPROCESSABLE_ENTITY "The request contradicts itself, or what is so"
        "Each part of it is of its form, but together, or at this time, they cannot be: an id whose time is not `occurred_at`, \
         JSON that the database cannot store, a key that would have ended already, a page of a whole export. `errors` names the \
         part. Nothing was stored.",
    NothingSelected "empty-selection" UNPROCESSABLE_ENTITY "Nothing is selected"
        "Nothing is selected, so nothing was changed. An id that is not there, or is outside of the filter, selects nothing.",
    TooMany "selection-too-large" UNPROCESSABLE_ENTITY "Too much is selected"
        "A selection has a limit, which `detail` names. Nothing was changed; select in several parts.",
    SelectionGone "selection-gone" GONE "The selection is gone"
        "A selection is for who made it, and for some time. This one was never made, is somebody else's, or its time is over; \
         which of them is not said. Nothing was changed; select again.",
    Input "invalid-input" UNPROCESSABLE_ENTITY "The input is not what the action takes"
        "`errors` names each field by a JSON pointer. `GET /resources/{type}/actions/{name}` has the schema of the input, and \
         examples. Nothing was changed.",
    Confirm "confirmation-needed" CONFLICT "The action runs after its plan was confirmed"
        "Nothing was changed yet. `plan` says what would happen, and its `token` stands for it until `expires_at`: whoever \
         agrees sends the same again with `token`, and `selection` instead of what was selected. A token that has run out, or \
         is of another plan, is answered so too, with a new plan.",
    Changed "changed-since-plan" CONFLICT "Something has changed since the plan"
        "Objects of the plan were changed by somebody since it was made, so nothing was done. `items` names them. Look at what \
         they are now, make another plan, and confirm that.",
    KeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY "The idempotency key stands for another request"
        "A request with this `Idempotency-Key` and another content was sent before, and it is that one's. Nothing was changed. \
         A request that is sent again has the same content; another one needs a key of its own.",
    RunEnded "run-ended" CONFLICT "The run has ended"
        "What has ended cannot be cancelled. `GET /runs/{id}` says how it ended.",
    NothingToRetry "nothing-to-retry" CONFLICT "The run has nothing that failed"
        "Only objects that failed are tried again, after the run has ended. `GET /runs/{id}/items` lists what became of each.",
    Quota "quota-exceeded" TOO_MANY_REQUESTS "Too many requests"
        "The credential has used up what it may in this span of time, or too many wrong ones came from the same address. \
         `Retry-After` says in how many seconds to come again.",
    Internal "internal" INTERNAL_SERVER_ERROR "The server failed"
        "A fault of the server. Its log has the cause, with the request id that is in `instance`.",
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The server cannot do it now"
        "The database does not answer, or not in time. What was to be stored may be stored or not: send it again with the same \
         ids, and nothing is stored twice.",
    NotReady "not-ready" SERVICE_UNAVAILABLE "The server is not ready"
        "Something that the server needs is missing; `detail` says what.",
}

impl Kind {
    /// The kind of this name.
    #[must_use]
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }

    /// Whether it is the server's fault: its cause is logged and never told.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.status().is_server_error()
    }

    /// The kind of a refusal that a library gave, which knows nothing of problems.
    pub(super) fn of_status(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Self::MediaType),
            StatusCode::PAYLOAD_TOO_LARGE => Some(Self::TooLarge),
            status if status.is_client_error() => Some(Self::Malformed),
            status if status.is_server_error() => Some(Self::Internal),
            _ => None,
        }
    }
}

impl From<&Failure> for Problem {
    /// What passes by itself is worth another try. A row that the database refuses was refused by a rule of its operator,
    /// since our own are checked before.
    fn from(failure: &Failure) -> Self {
        if failure.is_of_row() {
            tracing::info!(error = crate::error::chain(failure), "the database refused an action");
            return Self::new(Kind::Body, "a rule of this database refuses the action");
        }
        let kind = if failure.is_passing() || matches!(failure, Failure::Connection(_)) {
            Kind::Unavailable
        } else {
            Kind::Internal
        };
        Self::of(kind).cause(failure)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

/// What is answered where nothing is wrong.
pub(super) const OK: StatusCode = StatusCode::OK;
/// What a new thing is answered with.
pub(super) const CREATED: StatusCode = StatusCode::CREATED;
/// What is answered where something was begun and goes on.
pub(super) const ACCEPTED: StatusCode = StatusCode::ACCEPTED;
/// What is answered where there is nothing to say.
pub(super) const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;
/// What is answered where the client has it already.
pub(super) const NOT_MODIFIED: StatusCode = StatusCode::NOT_MODIFIED;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_names_that_can_stand_in_a_path() {
        let mut slugs: Vec<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::of_slug(kind.slug()), Some(*kind));
            assert!(kind.status().is_client_error() || kind.is_failure());
        }
    }
}
