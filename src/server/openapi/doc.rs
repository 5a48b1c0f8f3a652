//! What the document says of an operation.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Ref, Required, Response, ResponseBuilder, Schema, SecurityRequirement};

use super::media::{Media, Schemas, schemas};
use super::text::{resource_id, resource_type, word};
use super::{headers, problems};
use crate::access::Scope;
use crate::server::{Kind, Problem};

/// The name of the one way to be known.
pub(super) const BEARER: &str = "bearer";

/// What an operation is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    /// Actions, as they are appended and read.
    Events,
    /// Feeds: what those did whom somebody follows.
    Feeds,
    /// What can be run on selected objects.
    Actions,
    /// Its runs.
    Runs,
    /// Credentials.
    Keys,
    /// Who may run what.
    Roles,
    /// The server itself.
    Meta,
}

impl Tag {
    pub(super) const ALL: [Self; 7] =
        [Self::Events, Self::Feeds, Self::Actions, Self::Runs, Self::Keys, Self::Roles, Self::Meta];

    /// Its name, and what it is about.
    pub(super) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Events => ("events", "Actions: who did what, to what, when and why."),
            Self::Feeds => ("feeds", "Who follows what, and what those did whom somebody follows."),
            Self::Actions => (
                "actions",
                "What can be run on selected objects: what it is called, takes and does; selections, plans.",
            ),
            Self::Runs => ("runs", "Who ran what, on what, why, and what became of each object."),
            Self::Keys => ("keys", "Credentials: what they are, made, listed, revoked."),
            Self::Roles => ("roles", "Who may run what: roles, their permissions and members."),
            Self::Meta => ("meta", "The server itself. These paths need no key."),
        }
    }
}

/// What the document says of an operation. Problems that every operation has, or that come along with a credential or a body,
/// are not named by each.
pub(crate) struct Doc {
    id: String,
    operation: OperationBuilder,
    schemas: Schemas,
    parameters: Vec<Parameter>,
    kinds: Vec<Kind>,
    answers: Vec<(StatusCode, ResponseBuilder)>,
    is_limited: bool,
}

impl Doc {
    /// An operation by its name, which programs are generated with, and what it does in a few words.
    pub(crate) fn new(tag: Tag, id: &'static str, summary: &'static str) -> Self {
        let operation = OperationBuilder::new().tag(tag.told().0);
        let operation = operation.summary(Some(summary));
        let kinds = vec![Kind::Malformed, Kind::Parameter, Kind::Internal, Kind::Unavailable];
        let schemas = schemas::<Problem>();
        Self {
            id: id.to_owned(),
            operation,
            schemas,
            parameters: Vec::new(),
            kinds,
            answers: Vec::new(),
            is_limited: false,
        }
    }

    /// All that there is to say, in Markdown.
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// It may be refused with these.
    pub(crate) fn problems(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// Who asks must have a credential.
    pub(crate) fn known(self) -> Self {
        self.secured(SecurityRequirement::new(BEARER, std::iter::empty::<String>()))
    }

    /// Who asks must have a credential with this scope.
    pub(crate) fn scope(self, scope: Scope) -> Self {
        let known = self.secured(SecurityRequirement::new(BEARER, [scope.as_str()]));
        known.problems([Kind::Scope])
    }

    /// The same for those who do not ask from the server's own machine; nothing of it is in a tenant.
    pub(crate) fn known_or_local(mut self, scope: Scope) -> Self {
        let keyed = SecurityRequirement::new(BEARER, [scope.as_str()]);
        self.operation = self.operation.security(SecurityRequirement::default()).security(keyed);
        self.is_limited = true;
        self.problems([Kind::Unauthenticated, Kind::Scope, Kind::NotYours, Kind::Quota])
    }

    /// Or this scope instead.
    pub(crate) fn or(mut self, scope: Scope) -> Self {
        self.operation =
            self.operation.security(SecurityRequirement::new(BEARER, [scope.as_str()]));
        self
    }

    /// The same with a path that ends with the name of a format.
    pub(crate) fn suffixed(mut self, words: impl Iterator<Item = &'static str>) -> Self {
        self.id.push_str("As");
        self.path("format", "The format of the answer, instead of `Accept`.", word(words))
            .problems([Kind::UnknownPath])
    }

    fn secured(mut self, requirement: SecurityRequirement) -> Self {
        self.is_limited = true;
        self.operation = self.operation.security(requirement);
        let tenant = super::text::tenant().description(Some("The tenant."));
        self.header(
            "X-Gesta-Tenant",
            "The tenant, for a credential of all tenants. Others may repeat their own.",
            tenant,
        )
        .problems([Kind::Unauthenticated, Kind::NotYours, Kind::Quota])
    }

    /// The request must have one tenant.
    pub(crate) fn in_tenant(self) -> Self {
        self.problems([Kind::TenantMissing])
    }

    /// The resource of a path.
    pub(crate) fn resource(self) -> Self {
        self.path("type", "The type of the resource.", resource_type()).path(
            "id",
            "Its id inside of the type, percent-encoded.",
            resource_id(),
        )
    }

    /// A header that may be sent.
    pub(crate) fn header(self, name: &str, description: &str, schema: ObjectBuilder) -> Self {
        self.parameter(ParameterIn::Header, Required::False, name, description, schema)
    }

    /// A parameter of the URL.
    pub(crate) fn query(
        self,
        name: &str,
        description: impl AsRef<str>,
        schema: impl Into<Schema>,
    ) -> Self {
        self.parameter(ParameterIn::Query, Required::False, name, description.as_ref(), schema)
    }

    /// A parameter of the path.
    pub(crate) fn path(self, name: &str, description: &str, schema: impl Into<Schema>) -> Self {
        self.parameter(ParameterIn::Path, Required::True, name, description, schema)
    }

    fn parameter(
        mut self,
        place: ParameterIn,
        required: Required,
        name: &str,
        description: &str,
        schema: impl Into<Schema>,
    ) -> Self {
        let parameter: Parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description))
            .schema(Some(schema.into()))
            .build();
        self.parameters.push(parameter);
        self
    }

    /// What it reads.
    pub(crate) fn reads(mut self, media: impl IntoIterator<Item = Media>) -> Self {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        for mut media in media {
            self.schemas.append(&mut media.schemas);
            body = body.content(media.name, media.content());
        }
        self.operation = self.operation.request_body(Some(body.build()));
        self.problems([Kind::Body, Kind::MediaType, Kind::TooLarge, Kind::TooSlow])
    }

    /// What it answers where nothing is wrong.
    pub(crate) fn answers(
        self,
        status: StatusCode,
        description: &str,
        media: impl IntoIterator<Item = Media>,
    ) -> Self {
        self.answers_with(status, description, &[], media)
    }

    /// The same with headers.
    pub(crate) fn answers_with(
        mut self,
        status: StatusCode,
        description: &str,
        names: &[&'static str],
        media: impl IntoIterator<Item = Media>,
    ) -> Self {
        let mut response = ResponseBuilder::new().description(description);
        for mut media in media {
            self.schemas.append(&mut media.schemas);
            response = response.content(media.name, media.content());
        }
        let response = names.iter().fold(response, |it, name| headers::with(it, name));
        self.answers.push((status, response));
        self
    }

    /// The operation, and what it refers to.
    pub(super) fn finish(self) -> Finished {
        let mut by_status = BTreeMap::<u16, Vec<Kind>>::new();
        // In the order of the table, each once.
        for kind in Kind::ALL.iter().filter(|kind| self.kinds.contains(kind)) {
            by_status.entry(kind.status().as_u16()).or_default().push(*kind);
        }
        let limits: &[&'static str] = if self.is_limited { &headers::LIMITS } else { &[] };
        let (mut operation, mut shared) = (self.operation, Vec::new());
        for (status, response) in self.answers {
            let response = headers::with(response, headers::REQUEST_ID);
            let response = limits.iter().fold(response, |it, name| headers::with(it, name));
            operation = operation.response(status.as_str(), response.build());
        }
        for (code, kinds) in by_status {
            let name = problems::name(code, &kinds);
            operation = operation.response(code.to_string(), Ref::from_response_name(&name));
            shared.push((name, problems::response(&kinds)));
        }
        let operation = operation.operation_id(Some(self.id));
        let (schemas, parameters) = (self.schemas, self.parameters);
        Finished { operation, schemas, responses: shared, parameters }
    }
}

/// An operation without its parameters, which others may have as well, and what it refers to.
pub(super) struct Finished {
    pub(super) operation: OperationBuilder,
    pub(super) schemas: Schemas,
    pub(super) responses: Vec<(String, Response)>,
    pub(super) parameters: Vec<Parameter>,
}
