//! The whole document.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, PathsBuilder};
use utoipa::openapi::schema::{Components, ComponentsBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, ServerBuilder,
};

use super::doc::{BEARER, Doc, Finished, Tag};
use super::{headers, problems};
use crate::access::Scope;
use crate::server::BasePath;

const ABOUT: &str = "\
Activity streams and audit events on PostgreSQL: who did what, to which object, when and why.

- Bodies and answers are JSON in UTF-8; times are RFC 3339, in answers UTC with microseconds; ids are texts.
- Limits of texts are bytes of UTF-8. A schema counts characters, so a text within `maxLength` may still be too long.
- No text may hold U+0000, and no number may be beyond a double's range, also inside of free JSON.
- Parameters and fields that are not known are refused, never ignored.
- What is refused or fails is answered with `application/problem+json` (RFC 9457). Its `type` leads to an explanation.
- Bodies may be packed (`Content-Encoding: gzip` or `zstd`), and answers are where `Accept-Encoding` allows it.
- `X-Request-Id` is taken and given back; `traceparent` is kept with what is appended.
- A head of a request with more than 32 KiB (path, parameters, headers) is answered with 431 and no body.
- Within version 1 things are only added: readers skip what they do not know.";

/// The document of these operations, each with its path and method.
pub(in crate::server) fn document(
    operations: impl IntoIterator<Item = (String, HttpMethod, Doc)>,
    base_path: &BasePath,
) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new();
    let mut shared = BTreeMap::new();
    for (path, method, doc) in operations {
        let Finished { mut operation, schemas, responses, parameters } = doc.finish();
        components = components.schemas_from_iter(schemas).responses_from_iter(responses);
        for parameter in parameters {
            operation = refer(&mut shared, operation, parameter);
        }
        paths = paths.path(path, PathItem::new(method, operation));
    }
    for (name, parameter) in shared {
        components = components.parameter(name, parameter);
    }
    let license = LicenseBuilder::new()
        .name(env!("CARGO_PKG_LICENSE"))
        .identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new()
        .title("Gesta")
        .description(Some(ABOUT))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(license.build()));
    let base = if base_path.as_str().is_empty() { "/" } else { base_path.as_str() };
    let tags = Tag::ALL.into_iter().map(|tag| {
        let (name, description) = tag.told();
        TagBuilder::new().name(name).description(Some(description)).build()
    });
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url(base).build()]))
        .tags(Some(tags))
        .paths(paths.build())
        .components(Some(common(components)))
        .build()
}

/// A parameter stands among the components, unless another one of its name is there.
fn refer(
    shared: &mut BTreeMap<String, Parameter>,
    operation: OperationBuilder,
    parameter: Parameter,
) -> OperationBuilder {
    let name = parameter.name.clone();
    if *shared.entry(name.clone()).or_insert_with(|| parameter.clone()) != parameter {
        return operation.parameter(parameter);
    }
    operation.parameter_ref(Ref::new(format!("#/components/parameters/{name}")))
}

/// What all operations refer to.
fn common(mut components: ComponentsBuilder) -> Components {
    for (name, header) in headers::all() {
        components = components.header(name, header);
    }
    for (name, example) in problems::examples() {
        components = components.example(name, example);
    }
    let scopes = Scope::ALL.map(|scope| format!("- `{scope}`: {}", scope.text())).join("\n");
    let about = format!(
        "A key, made by `gesta key create` or `POST /api/v1/keys`. The roles that an operation names are its scopes:\n\n{scopes}"
    );
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let scheme = scheme.bearer_format("gesta_ID_SECRET").description(Some(about));
    components.security_scheme(BEARER, SecurityScheme::Http(scheme.build())).build()
}
