//! Schemas of texts, whose limits are those of the code.

use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Schema, SchemaFormat};

use crate::resource::{ID_LEN_MAX, TENANT_LEN_MAX, TYPE_LEN_MAX};
use crate::search::TEXT_LEN_MAX;
use crate::stream::follow::FLAG_LEN_MAX;

/// No control characters (Unicode's class Cc).
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// What PostgreSQL can keep in a text.
const STORABLE: &str = r"^[^\u0000]*$";
/// A UUIDv7.
const ACTION_ID: &str =
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$";
/// The years of times that can be stored.
const YEARS: &str = "^(19[7-9][0-9]|[2-9][0-9]{3})-";
/// A resource, as `TYPE:ID`.
const REFERENCE: &str = r"^[A-Za-z0-9_.\-]{1,63}:[^\u0000]{1,2048}$";

/// A text; the limit is one of bytes, so no text may have more characters.
pub(crate) fn text(max: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(max)).pattern(Some(STORABLE))
}

/// A text without control characters, and not empty.
pub(crate) fn line(max: usize) -> ObjectBuilder {
    text(max).min_length(Some(1)).pattern(Some(PRINTABLE))
}

/// The same, or null.
pub(crate) fn or_null(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}

pub(crate) fn tenant() -> ObjectBuilder {
    line(TENANT_LEN_MAX)
}

pub(crate) fn resource_type() -> ObjectBuilder {
    line(TYPE_LEN_MAX).pattern(Some(r"^[A-Za-z0-9_.\-]+$"))
}

pub(crate) fn resource_id() -> ObjectBuilder {
    text(ID_LEN_MAX).min_length(Some(1))
}

/// A resource in one text.
pub(crate) fn reference() -> ObjectBuilder {
    text(TYPE_LEN_MAX + 1 + ID_LEN_MAX).pattern(Some(REFERENCE))
}

pub(crate) fn action_id() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(uuid())).pattern(Some(ACTION_ID))
}

/// Any UUID.
pub(crate) fn uuid() -> SchemaFormat {
    custom("uuid")
}

/// A UUID that a path has.
pub(crate) fn uuid_text() -> ObjectBuilder {
    text(36).format(Some(uuid()))
}

/// A time of the years 1970 to 9999 (RFC 3339).
pub(crate) fn time() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some(YEARS))
}

/// One of some words.
pub(crate) fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

pub(crate) fn boolean() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// A search.
pub(crate) fn search_text() -> ObjectBuilder {
    let about = format!(
        "Terms that all hold: a text, or KEY:VALUE, with AND, OR, NOT or -, and parentheses. Keys: {}.",
        crate::search::known()
    );
    let text = text(TEXT_LEN_MAX).format(Some(custom("gesta-query"))).description(Some(about));
    text.examples(["verb:close actor:user:42"])
}

/// The cursor of a page that was given out; empty for the first page.
pub(crate) fn cursor() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(custom("gesta-cursor")))
}

/// A position of the log that was given out, or `start`; empty for now.
pub(crate) fn position() -> ObjectBuilder {
    let position = ObjectBuilder::new().schema_type(Type::String);
    position.format(Some(custom("gesta-position"))).examples(["start"])
}

/// A time zone: a name of the IANA database, or an offset.
pub(crate) fn zone() -> ObjectBuilder {
    let zone = ObjectBuilder::new().schema_type(Type::String).format(Some(custom("time-zone")));
    zone.examples(["Europe/Zurich"])
}

/// A text of a pattern.
pub(crate) fn word_like(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

/// A number in an URL or a body.
pub(crate) fn number(min: usize, max: usize) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(min)).maximum(Some(max))
}

/// Words with commas between; each is one of these.
pub(crate) fn words<'a>(known: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    let known = known.into_iter().collect::<Vec<_>>().join("|");
    word_like(&format!("^({known})(,({known}))*$"))
}

/// A time as people give it: `2h`, `now-3d`, `yesterday`, `2026-11`, RFC 3339.
pub(crate) fn when() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(custom("gesta-time")))
        .examples(["7d"])
}

/// The same, or the id of an action for the moment right after it.
pub(crate) fn moment() -> ObjectBuilder {
    when().format(Some(custom("gesta-moment")))
}

/// A form that no pattern can say (JSON Schema validation, section 7.2.3): the description of the field does.
fn custom(name: &str) -> SchemaFormat {
    SchemaFormat::Custom(name.to_owned())
}

/// The kind of a follow; empty for any.
pub(crate) fn flag() -> ObjectBuilder {
    line(FLAG_LEN_MAX).min_length(None)
}

/// Any JSON.
pub(crate) fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

/// A schema that stands among the components.
pub(crate) fn named<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// The same, or null.
pub(crate) fn named_or_null<T: ToSchema>() -> Schema {
    AnyOfBuilder::new().item(named::<T>()).item(ObjectBuilder::new().schema_type(Type::Null)).into()
}
