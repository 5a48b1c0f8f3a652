//! A body in one media type: its schema, and examples.

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use super::text::{anything, named};

/// Named schemas.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A body in one media type.
pub(crate) struct Media {
    pub(super) name: &'static str,
    schema: RefOr<Schema>,
    examples: Vec<(&'static str, Value)>,
    pub(super) schemas: Schemas,
}

impl Media {
    /// A value of a type.
    pub(crate) fn of<T: ToSchema>(name: &'static str) -> Self {
        Self { name, schema: named::<T>(), examples: Vec::new(), schemas: schemas::<T>() }
    }

    /// A value of a type as JSON, with an example.
    pub(crate) fn json<T: ToSchema>(example: Value) -> Self {
        Self::of::<T>("application/json").example("one", example)
    }

    /// An array of a type.
    pub(crate) fn list<T: ToSchema>(name: &'static str) -> Self {
        let items = ArrayBuilder::new().items(named::<T>());
        Self { schema: Schema::from(items).into(), ..Self::of::<T>(name) }
    }

    /// An array of a type, whose elements are judged one by one: any is taken, and each that is none is told so.
    pub(crate) fn judged<T: ToSchema>(name: &'static str, max: usize) -> Self {
        let items = or_any(named::<T>(), anything());
        let items = ArrayBuilder::new().items(items).max_items(Some(max)).min_items(Some(1));
        Self { schema: Schema::from(items).into(), ..Self::of::<T>(name) }
    }

    /// A text, such as lines of JSON.
    pub(crate) fn text(name: &'static str, description: &str) -> Self {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let schema = Schema::from(text).into();
        Self { name, schema, examples: Vec::new(), schemas: Vec::new() }
    }

    /// Lines of JSON, or events. What they are is no JSON value, so there is no type that a schema could say.
    pub(crate) fn lines(name: &'static str, description: &str) -> Self {
        let lines = anything();
        let schema = Schema::from(lines.description(Some(description))).into();
        Self { schema, ..Self::text(name, description) }
    }

    /// A JSON object of somebody else's specification.
    pub(crate) fn object(name: &'static str, description: &str) -> Self {
        let object = ObjectBuilder::new().description(Some(description));
        Self { schema: Schema::from(object).into(), ..Self::text(name, description) }
    }

    /// An array of such objects.
    pub(crate) fn objects(name: &'static str, description: &str) -> Self {
        let array = ArrayBuilder::new().items(ObjectBuilder::new()).description(Some(description));
        Self { schema: Schema::from(array).into(), ..Self::text(name, description) }
    }

    /// This or another schema in the same media type.
    pub(crate) fn or(mut self, mut other: Self) -> Self {
        let both = AnyOfBuilder::new().item(self.schema).item(other.schema);
        self.schemas.append(&mut other.schemas);
        self.examples.append(&mut other.examples);
        Self { schema: Schema::from(both).into(), ..self }
    }

    /// Anything is taken, and told whether it is this.
    pub(crate) fn or_anything(self) -> Self {
        Self { schema: or_any(self.schema, anything()), ..self }
    }

    /// Anything that is no array is taken, and told whether it is this.
    pub(crate) fn or_any_single(self) -> Self {
        let kinds = [Type::Object, Type::String, Type::Number, Type::Boolean, Type::Null];
        let single = ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds));
        Self { schema: or_any(self.schema, single), ..self }
    }

    pub(crate) fn example(mut self, name: &'static str, value: Value) -> Self {
        self.examples.push((name, value));
        self
    }

    pub(super) fn content(self) -> Content {
        let example = |(name, value)| (name, ExampleBuilder::new().value(Some(value)).build());
        let examples = self.examples.into_iter().map(example);
        ContentBuilder::new().schema(Some(self.schema)).examples_from_iter(examples).build()
    }
}

fn or_any(schema: RefOr<Schema>, any: ObjectBuilder) -> RefOr<Schema> {
    let any = any.description(Some("Anything else is answered as invalid, by itself."));
    Schema::from(AnyOfBuilder::new().item(schema).item(any)).into()
}

/// A type's schema, and those that it is made of.
pub(super) fn schemas<T: ToSchema>() -> Schemas {
    let mut all = Vec::new();
    T::schemas(&mut all);
    all.push((T::name().into_owned(), T::schema()));
    all
}
