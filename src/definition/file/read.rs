//! Reads a file, and makes a catalog of it.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;

use super::super::built_in;
use super::super::catalog::Catalog;
use super::super::check::{CatalogError, called};
use super::super::input::Input;
use super::super::model::Definition;
use super::super::remote::{Hook, Secret, Work, is_subject};
use super::super::spec::TypeSpec;
use super::error::FileError;
use super::lines::Lines;
use super::sql::Sql;
use super::text::{Action, Http, Text, Type, Whole, Work as Asked};
use crate::action::Audience;
use crate::error::{chain, quote};

/// Objects in one message; 1,000 are a piece.
const BATCH_MAX: u32 = 1_000;
/// Seconds that an answer may take: longer work belongs to a worker, which reports.
const TIMEOUT_MAX: u32 = 300;
/// Seconds that a worker may be silent.
const SILENCE_MAX: u32 = 3_600;

/// What the actions of a file need from outside.
pub struct Outside<'a> {
    /// The value of an environment variable: secrets are not written into the file.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where orders for workers go.
    pub nats: Nats,
}

/// Where orders for workers go.
#[derive(Clone)]
pub enum Nats {
    /// Nowhere: a file that has some is refused.
    None,
    /// Nowhere, since nothing is run: the definitions are looked at. A run would wait.
    Later,
    /// Over this connection.
    At(async_nats::Client),
}

impl std::fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

/// Makes a catalog of the text of a file; `file` is what errors call it.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read(file: &str, text: &str, outside: &Outside<'_>) -> Result<Catalog, FileError> {
    let lines = Lines { file, text };
    let whole: Whole = toml::from_str(text).map_err(|error| lines.of_toml(&error))?;
    let mut builder = Catalog::builder().site(built_in::delete()).site(built_in::export());
    for name in &whole.disable {
        builder = builder.disable(name.get_ref());
    }
    for (kind, given) in &whole.types {
        builder = builder.resource(spec(lines, kind, given)?);
        for name in &given.enable {
            builder = builder.enable(kind.get_ref(), name.get_ref());
        }
        if given.none {
            builder = builder.none(kind.get_ref());
        }
    }
    for action in &whole.actions {
        let definition = definition(lines, action, outside)?;
        builder = match &action.get_ref().kind {
            Some(kind) => builder.on(kind.get_ref(), definition),
            None => builder.site(definition),
        };
    }
    builder.build().map_err(|error| lines.error(&place(&whole, &error), error))
}

/// Whether a file has orders for workers over NATS; not, where it cannot be read.
#[must_use]
pub fn needs_nats(text: &str) -> bool {
    let whole = toml::from_str::<Whole>(text);
    whole.is_ok_and(|whole| whole.actions.iter().any(|action| action.get_ref().nats.is_some()))
}

fn spec(lines: Lines<'_>, kind: &Text, given: &Type) -> Result<TypeSpec, FileError> {
    let mut spec = TypeSpec::new(kind.get_ref(), &given.singular, &given.plural);
    spec = match (&given.table, &given.key) {
        (Some(table), Some(key)) => spec.table(table.get_ref(), key.get_ref()),
        (None, None) => spec,
        (Some(one), None) | (None, Some(one)) => {
            let problem = "`table` and `key` belong together; give both, or none";
            return Err(lines.error(&one.span(), problem));
        }
    };
    if let Some(column) = &given.name {
        spec = spec.name_column(column.get_ref());
    }
    if let Some(columns) = &given.filters {
        spec = spec.filters(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    }
    spec = spec.hidden(&given.hidden.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(given.permissions.iter().fold(spec, |spec, word| spec.permission(word)))
}

fn definition(
    lines: Lines<'_>,
    given: &Spanned<Action>,
    outside: &Outside<'_>,
) -> Result<Definition, FileError> {
    let action = given.get_ref();
    let label = action.label.as_ref().map_or("", |label| label.get_ref());
    let name = action.name.get_ref();
    let input = match &action.input {
        Some(schema) => Input::schema(object(schema.get_ref())),
        None => Input::none(),
    };
    let made = match (&action.sql, &action.http, &action.nats) {
        (Some(sql), None, None) if sql.get_ref().trim().is_empty() => {
            return Err(lines.error(&sql.span(), "`sql` is empty; give one statement"));
        }
        (Some(sql), None, None) => {
            Definition { input, ..Definition::new(name, label, Sql::new(sql.get_ref())) }
        }
        (None, Some(http), None) => {
            Definition::remote(name, label, input, hook(lines, http.get_ref(), outside)?)
        }
        (None, None, Some(nats)) => {
            Definition::remote(name, label, input, work(lines, nats, outside)?)
        }
        _ => {
            let problem =
                format!("action {}: give exactly one of `sql`, `http`, `nats`", quote(name));
            return Err(lines.error(&action.name.span(), problem));
        }
    };
    Ok(described(made, action))
}

/// What is the same whatever it does.
fn described(mut made: Definition, action: &Action) -> Definition {
    made = made
        .about(action.about.trim())
        .risk(action.risk)
        .offered(action.places)
        .stage(action.stage);
    if let Some(permissions) = &action.permissions {
        let any: Vec<_> = permissions.get_ref().iter().map(String::as_str).collect();
        made = made.permissions(&any);
    }
    if let Some(plural) = &action.plural {
        made = made.plural(plural.get_ref());
    }
    if let Some(name) = &action.undo {
        made = made.undo(name.get_ref());
    }
    if let Some(labels) = &action.audience {
        made = made.audience(Audience::labels(labels.get_ref()));
    }
    if action.background {
        made = made.background();
    }
    if action.atomic {
        made = made.atomic();
    }
    let examples = action.examples.iter().flat_map(Spanned::get_ref);
    examples.fold(made, |made, example| made.example(object(example)))
}

fn hook(lines: Lines<'_>, http: &Http, outside: &Outside<'_>) -> Result<Hook, FileError> {
    let batch = lines.number(http.batch.as_ref(), "batch", (1, 1..=BATCH_MAX))?;
    let timeout = lines.number(http.timeout_s.as_ref(), "timeout_s", (15, 1..=TIMEOUT_MAX))?;
    let (name, at) = (http.secret_env.get_ref(), http.secret_env.span());
    let Some(secret) = (outside.variable)(name) else {
        let problem = format!("the environment variable {} is not set", quote(name));
        return Err(lines.error(&at, problem));
    };
    let secret = Secret::parse(&secret).map_err(|error| {
        let problem = format!("the environment variable {} {error}", quote(name));
        lines.error(&at, problem)
    })?;
    let hook = Hook::new(http.url.get_ref(), secret, &http.allow);
    let hook = hook.map_err(|error| lines.error(&http.url.span(), chain(&error)))?;
    Ok(hook.batch(batch).timeout(std::time::Duration::from_secs(timeout.into())))
}

fn work(
    lines: Lines<'_>,
    given: &Spanned<Asked>,
    outside: &Outside<'_>,
) -> Result<Work, FileError> {
    let nats = given.get_ref();
    let batch = lines.number(nats.batch.as_ref(), "batch", (100, 1..=BATCH_MAX))?;
    let silence = lines.number(nats.silence_s.as_ref(), "silence_s", (30, 1..=SILENCE_MAX))?;
    let (subject, at) = (nats.subject.get_ref(), nats.subject.span());
    if !is_subject(subject) {
        let allowed = "words of letters, digits, `_` and `-`, with points between";
        let problem = format!("{} is no subject; {allowed} are allowed", quote(subject));
        return Err(lines.error(&at, problem));
    }
    let work = match &outside.nats {
        Nats::None => {
            let problem = "`nats` needs a connection to NATS; name the server by GESTA_NATS_URL";
            return Err(lines.error(&at, problem));
        }
        Nats::Later => Work::nowhere(subject),
        Nats::At(client) => Work::new(client.clone(), subject),
    };
    Ok(work.batch(batch).silence(std::time::Duration::from_secs(silence.into())))
}

/// A table as JSON. Dates become texts.
fn object(table: &toml::Table) -> Value {
    table.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::Table(table) => object(table),
    }
}

/// Where that stands which the catalog refuses: errors tell a name, or which definition or type it is about.
fn place(whole: &Whole, error: &CatalogError) -> Range<usize> {
    let actions = || whole.actions.iter().map(Spanned::get_ref);
    if let CatalogError::UnknownType { given, .. } | CatalogError::Dangling { given, .. } = error {
        let of_actions = actions().flat_map(|action| action.kind.iter().chain(&action.undo));
        let of_types = whole.types.values().flat_map(|it| &it.enable);
        let mut names = whole.disable.iter().chain(of_types).chain(of_actions);
        let is_it = |name: &&Text| quote(name.get_ref()) == *given;
        return names.find(is_it).map(Spanned::span).unwrap_or_default();
    }
    let text = error.to_string();
    let is_named = |action: &&Action| {
        let kind = action.kind.as_ref().map(|kind| kind.get_ref().as_str());
        text.contains(&called(action.name.get_ref(), kind))
            || matches!(error, CatalogError::Name { given } if *given == quote(action.name.get_ref()))
    };
    // The last one: of two with one name it is the second that is too many.
    if let Some(action) = actions().rfind(is_named) {
        return key_of(action, error).unwrap_or_else(|| action.name.span());
    }
    let mut kinds = whole.types.keys();
    let of_type = kinds.find(|kind| text.contains(&quote(kind.get_ref())));
    of_type.map(Spanned::span).unwrap_or_default()
}

/// The key of an action that an error is about.
fn key_of(action: &Action, error: &CatalogError) -> Option<Range<usize>> {
    match error {
        CatalogError::Placeholder { given, .. } => {
            let labels = [&action.label, &action.plural];
            let mut labels = labels.into_iter().flatten();
            labels.find(|label| label.get_ref().contains(given)).map(Spanned::span)
        }
        CatalogError::Permission { .. } => action.permissions.as_ref().map(Spanned::span),
        CatalogError::Audience { .. } => action.audience.as_ref().map(Spanned::span),
        CatalogError::Schema { .. } => action.input.as_ref().map(Spanned::span),
        CatalogError::Example { .. } => action.examples.as_ref().map(Spanned::span),
        _ => None,
    }
}
