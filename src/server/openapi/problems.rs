//! Problems: their schema, an example of each, and answers that are one of some.

use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::headers;
use super::text::{anything, named};
use crate::server::{Fault, Kind, Problem};

const MEDIA_TYPE: &str = "application/problem+json";
/// The id of the request in examples.
const REQUEST: &str = "0199f3c1-7a52-4b1e-9c54-0e4a5d1f2b3c";

impl ToSchema for Problem {
    fn schemas(schemas: &mut super::media::Schemas) {
        schemas.push((Fault::name().into_owned(), Fault::schema()));
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let faults = ArrayBuilder::new().items(named::<Fault>());
        let items = ArrayBuilder::new().items(anything());
        let schema = ObjectBuilder::new()
            .description(Some(table()))
            .property("type", text("Which problem: a path that ends with its name, and leads to its explanation."))
            .property("title", text("What the problem is, the same each time."))
            .property("status", ObjectBuilder::new().schema_type(Type::Integer).description(Some("The status.")))
            .property("detail", text("What it is here, for whoever sent the request."))
            .property("instance", text("The id of the request, as in the header `X-Request-Id` and in the server's log."))
            .property("errors", faults.description(Some("What is wrong with the request, each where it stands.")))
            .property("items", items.description(Some("Of a batch that was refused as a whole: its actions that cannot be stored, and why. Where objects have changed since a plan: those objects.")))
            .property("plan", anything().description(Some("What would happen, where that is to be confirmed first: a `Plan`.")))
            .required("type")
            .required("title")
            .required("status");
        Schema::from(schema).into()
    }
}

impl ToSchema for Fault {}

impl PartialSchema for Fault {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let number = |description: &str| {
            let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
            number.description(Some(description))
        };
        let schema = ObjectBuilder::new()
            .description(Some("One thing that is wrong, and where: a field, a parameter, a header, or a byte."))
            .property("pointer", text("The field of the body (JSON pointer, RFC 6901)."))
            .property("parameter", text("The parameter of the URL."))
            .property("header", text("The header."))
            .property("offset", number("The byte of the text, from 0."))
            .property("len", number("How many bytes, where that is known."))
            .property("code", text("What is wrong, for programs, such as `unknown`, `missing`, `repeated`, `invalid-value`."))
            .property("detail", text("What is wrong, what is allowed and what to do, for people."))
            .property("suggestion", text("What was probably meant."))
            .required("code")
            .required("detail");
        Schema::from(schema).into()
    }
}

/// What `type` may end with.
fn table() -> String {
    let row = |kind: &Kind| {
        format!("| `{}` | {} | {} |\n", kind.slug(), kind.status().as_u16(), kind.title())
    };
    let rows: String = Kind::ALL.iter().map(row).collect();
    format!(
        "Why a request was not done (RFC 9457). `type` is `/docs/problems/NAME` below the base path:\n\n\
         | name | status | title |\n|---|---|---|\n{rows}"
    )
}

/// An example of each, by its name.
pub(super) fn examples() -> impl Iterator<Item = (&'static str, Example)> {
    Kind::ALL.iter().map(|kind| {
        let example = ExampleBuilder::new().summary(kind.title()).description(kind.text());
        (kind.slug(), example.value(Some(example_of(*kind))).build())
    })
}

/// A problem as it is answered.
fn example_of(kind: Kind) -> Value {
    let fault = match kind {
        Kind::Parameter => Fault::parameter(
            "limti",
            "unknown",
            "the parameter `limti` is not known here; known are limit, cursor",
        )
        .meant("limti", ["limit", "cursor"]),
        Kind::Body => Fault::pointer("/verb", "missing", "`verb`: missing field `verb`"),
        Kind::NotYours => Fault::pointer(
            "/tenant",
            "identity-mismatch",
            "`tenant` is `other`, but the request is in the tenant `default`; leave `tenant` out",
        ),
        Kind::Conflict => Fault::pointer("/id", "conflict", "another action has this id"),
        kind => return value(&Problem::of(kind)),
    };
    value(&Problem::fault(kind, fault))
}

fn value(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.body("", Some(REQUEST))).unwrap_or_default()
}

/// The answer that is one of these problems, which have one status.
pub(super) fn response(kinds: &[Kind]) -> Response {
    let lines = kinds.iter().map(|kind| format!("- `{}`: {}", kind.slug(), kind.title()));
    let lines: Vec<_> = lines.collect();
    let examples = kinds.iter().map(|kind| {
        let at = Ref::new(format!("#/components/examples/{}", kind.slug()));
        (kind.slug(), RefOr::<Example>::Ref(at))
    });
    let content =
        ContentBuilder::new().schema(Some(named::<Problem>())).examples_from_iter(examples);
    let response = ResponseBuilder::new().description(lines.join("\n"));
    let response = response.content(MEDIA_TYPE, content.build());
    let names = kinds.iter().filter_map(|kind| headers_of(*kind));
    let names = names.chain([headers::REQUEST_ID]).chain(headers::LIMITS);
    names.fold(response, headers::with).build()
}

/// What that answer is called among the components.
pub(super) fn name(status: u16, kinds: &[Kind]) -> String {
    let slugs: Vec<_> = kinds.iter().map(|kind| kind.slug()).collect();
    format!("{status}.{}", slugs.join("."))
}

fn headers_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated | Kind::Scope => Some(headers::CHALLENGE),
        Kind::Quota | Kind::Unavailable => Some(headers::RETRY_AFTER),
        Kind::MediaType => Some(headers::ACCEPT_POST),
        _ => None,
    }
}
