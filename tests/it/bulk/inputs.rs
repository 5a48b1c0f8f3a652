//! What a definition is given besides the objects: told, checked, and shown without secrets.

use gesta::definition::{Definition, Fault, Input, Operation, Piece};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fixture::{asker, built, kind, newsroom, refused};

#[derive(Deserialize, JsonSchema)]
struct Letter {
    /// What stands above it.
    #[schemars(length(min = 1, max = 40))]
    subject: String,
    #[serde(default)]
    copies: u8,
    /// What the mail server knows us by.
    #[schemars(extend("writeOnly" = true))]
    password: String,
}

struct Send;

impl Operation for Send {
    type Input = Letter;
    async fn run(&self, piece: &mut Piece<'_, '_>, letter: &Letter) -> Result<(), Fault> {
        let text = format!("{} {} {}", letter.subject, letter.copies, letter.password.len());
        piece.tell(gesta::definition::Level::Info, text);
        Ok(())
    }
}

fn send() -> Definition {
    Definition::new("send", "Send {plural}", Send)
}

/// Case 59: the form of an action is a type, and its fields are told to people and programs.
#[test]
fn input_is_told_checked_and_masked() {
    let given = json!({ "subject": "Hello", "password": "hunter2" });
    let catalog = built(newsroom().on("article", send().example(given.clone())));
    let offer = catalog.find(&asker(&[]), &kind("article"), "send").expect("offered");
    assert_eq!(
        offer.input().in_words(),
        "copies: whole number, 0 to 255; 0 where it is not given\n\
         password: text, secret; required. What the mail server knows us by.\n\
         subject: text, 1 to 40 characters; required. What stands above it."
    );
    assert_eq!(offer.schema()["properties"]["subject"]["maxLength"], 40);
    assert_eq!(offer.examples(), [json!({ "subject": "Hello", "password": "***" })]);
    assert_eq!(offer.definition.check(&given), Ok(()));
    let wrong = json!({ "subject": "", "password": 1, "copies": 300, "sbject": "x" });
    let faults = offer.definition.check(&wrong).expect_err("wrong");
    let mut told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "/copies: the value is greater than the maximum of 255",
            "/password: the value is not of type \"string\"",
            "/subject: the value is shorter than 1 character",
            "the input: there are no such fields: sbject",
        ]
    );
}

#[test]
fn example_that_is_not_valid_is_refused() {
    let valid = json!({ "subject": "Hello", "password": "x" });
    let error = refused(newsroom().on("article", send().example(valid).example(json!({}))));
    assert_eq!(
        error,
        "example 2 of `send` of `article`: the input: \"subject\" is a required property"
    );
    let secret = json!({ "subject": "Hello", "password": ["hunter2"] });
    let error = refused(newsroom().site(send().example(secret)));
    assert_eq!(
        error,
        "example 1 of site-wide `send`: /password: the value is not of type \"string\""
    );
}

/// Reads less than its schema says.
#[derive(JsonSchema)]
struct Narrow {
    #[expect(dead_code, reason = "only the schema is used")]
    hour: u8,
}

impl<'de> Deserialize<'de> for Narrow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let hour = value["hour"].as_u64().and_then(|hour| hour.try_into().ok());
        let hour = hour.filter(|hour| *hour < 24);
        hour.map(|hour| Self { hour })
            .ok_or_else(|| serde::de::Error::custom(format!("no: {value}")))
    }
}

struct Wait;

impl Operation for Wait {
    type Input = Narrow;
    async fn run(&self, _: &mut Piece<'_, '_>, _: &Narrow) -> Result<(), Fault> {
        Ok(())
    }
}

/// It would fail at each object.
#[test]
fn input_that_fits_the_schema_and_cannot_be_read_is_refused_without_its_values() {
    let wait = Definition::new("wait", "Wait", Wait);
    assert_eq!(wait.check(&json!({ "hour": 23 })), Ok(()));
    let faults = wait.check(&json!({ "hour": 24 })).expect_err("refused");
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["the input: fits the schema, but not the operation's type; correct its schema"]
    );
}

#[test]
fn operation_that_takes_nothing_takes_an_object_without_fields() {
    let nothing = super::fixture::definition("close");
    assert_eq!(nothing.check(&json!({})), Ok(()));
    assert!(nothing.check(&json!({ "a": 1 })).is_err());
    assert!(nothing.check(&json!([])).is_err());
}

#[test]
fn schema_that_is_none_is_refused() {
    struct Elsewhere;
    impl gesta::definition::Remote for Elsewhere {
        fn send<'a>(
            &'a self,
            _: &'a gesta::definition::Order,
            _: &'a dyn gesta::definition::Reporter,
        ) -> futures_util::future::BoxFuture<'a, Result<gesta::definition::Sent, Fault>> {
            Box::pin(async { Ok(gesta::definition::Sent::Heard) })
        }
    }
    let error = |schema: Value| {
        let remote = Definition::remote("call", "Call", Input::schema(schema), Elsewhere);
        refused(newsroom().on("article", remote))
    };
    for (schema, wanted) in [
        (json!({ "type": "objct" }), "not a JSON schema: "),
        (json!({ "pattern": "(" }), "not a JSON schema: "),
        // It would take a time that grows with the square of the input, or worse.
        (json!({ "properties": { "a": { "pattern": "(a)\\1" } } }), "not a JSON schema: "),
        (json!([1]), "not a JSON schema: "),
        (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "`$schema` is `http:"),
        (
            json!({ "properties": { "a": { "$ref": "#/$defs/A" } } }),
            "`$ref` is `#/$defs/A`; it refers to a part of the same schema that exists",
        ),
        (json!({ "items": [{ "$ref": "https://example.com/a" }] }), "`$ref` is `https:"),
        (json!({ "allOf": [{ "$ref": "other.json" }] }), "`$ref` is `other.json`"),
        (json!({ "$dynamicRef": "#a" }), "`$dynamicRef` is not allowed; use `$ref`"),
        (json!({ "allOf": [{ "$id": "x" }] }), "`$id` is allowed at the root only"),
    ] {
        let error = error(schema);
        let start = format!("input of `call` of `article`: {wanted}");
        assert!(error.starts_with(&start), "{error}");
    }
}
