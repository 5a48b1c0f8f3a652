//! Inputs: what is refused, what is shown.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Login {
    user: String,
    #[schemars(extend("writeOnly" = true))]
    password: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("writeOnly" = true))]
#[expect(dead_code, reason = "only the schema is used")]
struct Token(String);

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "lowercase")]
#[expect(dead_code, reason = "only the schema is used")]
enum Way {
    Login(Login),
    Token { token: Token },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Given {
    /// Where it goes.
    #[schemars(length(min = 1, max = 200))]
    address: String,
    login: Option<Login>,
    #[serde(default)]
    all: Vec<Login>,
    #[serde(default)]
    by_name: BTreeMap<String, Token>,
    way: Option<Way>,
    #[schemars(extend("writeOnly" = true))]
    whole: Option<Login>,
    #[serde(default, skip_serializing)]
    unwritten: String,
    #[serde(flatten)]
    more: More,
    #[serde(default)]
    free: Value,
    next: Option<Box<Given>>,
    #[schemars(range(min = 1, max = 9))]
    times: Option<u8>,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct More {
    #[schemars(extend("writeOnly" = true))]
    pin: Option<u32>,
}

const SECRET: &str = "hunter2";

fn masked(input: &Input, given: &Value) -> Value {
    let shown = input.masked(given);
    assert!(!shown.to_string().contains(SECRET), "{shown}");
    shown
}

#[test]
fn secret_is_masked_wherever_it_stands() {
    let input = Input::of::<Given>();
    let login = json!({ "user": "alice", "password": SECRET });
    let shown = json!({ "user": "alice", "password": "***" });
    for (given, wanted) in [
        (json!({ "login": login }), json!({ "login": shown })),
        (json!({ "all": [login, login] }), json!({ "all": [shown, shown] })),
        (json!({ "by_name": { "a": SECRET } }), json!({ "by_name": { "a": "***" } })),
        (json!({ "whole": login }), json!({ "whole": "***" })),
        (json!({ "unwritten": SECRET }), json!({ "unwritten": "***" })),
        (json!({ "pin": 1234 }), json!({ "pin": "***" })),
        (
            json!({ "next": { "next": { "login": login } } }),
            json!({ "next": { "next": { "login": shown } } }),
        ),
        (
            json!({ "way": { "by": "token", "token": SECRET } }),
            json!({ "way": { "by": "token", "token": "***" } }),
        ),
        (
            json!({ "way": { "by": "login", "user": "alice", "password": SECRET } }),
            json!({ "way": { "by": "login", "user": "alice", "password": "***" } }),
        ),
        // That it was not given shows.
        (json!({ "login": { "password": null } }), json!({ "login": { "password": null } })),
        // What anything may stand in is no secret.
        (json!({ "free": { "a": [1, "b"] } }), json!({ "free": { "a": [1, "b"] } })),
        (json!({ "address": "x", "times": 3 }), json!({ "address": "x", "times": 3 })),
    ] {
        assert_eq!(masked(&input, &given), wanted);
    }
}

#[test]
fn what_the_schema_does_not_speak_of_is_masked_as_a_secret_is() {
    let input = Input::of::<Given>();
    for (given, wanted) in [
        (json!({ "pasword": SECRET }), json!({ "pasword": "***" })),
        (json!({ "login": { "pass": SECRET } }), json!({ "login": { "pass": "***" } })),
        (json!({ "login": SECRET }), json!({ "login": "***" })),
        (json!({ "login": [SECRET] }), json!({ "login": "***" })),
        (json!({ "address": { "user": SECRET } }), json!({ "address": "***" })),
        (json!({ "way": { "by": SECRET } }), json!({ "way": { "by": "***" } })),
        (json!([SECRET]), json!("***")),
        (json!(SECRET), json!("***")),
    ] {
        assert_eq!(masked(&input, &given), wanted);
    }
    assert_eq!(masked(&Input::none(), &json!({ "token": SECRET })), json!({ "token": "***" }));
}

fn told(input: &Input, given: &Value) -> Vec<String> {
    let faults = input.check(given).expect_err("refused");
    faults.iter().map(ToString::to_string).collect()
}

/// Every keyword that can fail, over a value that is a secret.
#[test]
fn no_text_of_a_fault_holds_a_value() {
    let long = "x".repeat(100);
    for wrong in [
        json!({ "type": "integer" }),
        json!({ "enum": ["a", "b"] }),
        json!({ "const": "a" }),
        json!({ "maxLength": 2 }),
        json!({ "minLength": 20 }),
        json!({ "pattern": "^a+$" }),
        json!({ "format": "date-time" }),
        json!({ "anyOf": [{ "type": "integer" }, { "maxLength": 1 }] }),
        json!({ "oneOf": [{ "type": "integer" }, { "maxLength": 1 }] }),
        json!({ "oneOf": [{ "type": "string" }, {}] }),
        json!({ "not": { "type": "string" } }),
        json!({ "if": { "type": "string" }, "then": { "maxLength": 1 } }),
        json!({ "$ref": "#/$defs/never" }),
        json!(false),
    ] {
        let schema = json!({ "$defs": { "never": false }, "properties": {
            "secret": { "allOf": [wrong, { "writeOnly": true }] },
            "list": { "items": wrong, "contains": { "type": "integer" }, "uniqueItems": true },
        } });
        let input = Input::schema(schema);
        assert_eq!(input.problem(), None);
        let given = json!({ "secret": SECRET, "list": [SECRET, SECRET] });
        let told = told(&input, &given);
        assert!(told.iter().any(|text| text.starts_with("/secret: ")), "{told:?}");
        assert!(!told.concat().contains(SECRET), "{told:?}");
    }
    let input = Input::schema(
        json!({ "additionalProperties": false, "propertyNames": { "maxLength": 3 } }),
    );
    let told = told(&input, &json!({ long: "\u{1b}[31m", "\u{1b}[31m": SECRET }));
    assert!(
        told.iter()
            .all(|text| text.len() < 400 && !text.contains(['\u{1b}']) && !text.contains(SECRET)),
        "{told:?}"
    );
}

#[test]
fn faults_are_told_with_their_places_and_are_few() {
    let input =
        Input::schema(json!({ "properties": { "a/b": { "items": { "type": "integer" } } } }));
    let given: Vec<_> = (0..1000).map(|_| json!("x")).collect();
    let told = told(&input, &json!({ "a/b": given }));
    assert_eq!(told.len(), 20);
    assert_eq!(told[19], "/a~1b/19: the value is not of type \"integer\"");
}

#[test]
fn reference_is_followed_by_whatever_name_it_has() {
    let secret = json!({ "type": "string", "writeOnly": true });
    let defs = json!({ "A of B": secret, "a/b": secret, "é": secret });
    for to in ["#/$defs/A%20of%20B", "#/$defs/a~1b", "#/$defs/%C3%A9"] {
        let schema = json!({ "$defs": defs, "properties": { "a": { "$ref": to } } });
        let input = Input::schema(schema);
        assert_eq!(input.problem(), None, "{to}");
        assert_eq!(masked(&input, &json!({ "a": SECRET })), json!({ "a": "***" }), "{to}");
    }
    for to in ["#/$defs/%", "#/$defs/%zz", "#/$defs/%ff", "#/$defs/none", "", "a"] {
        let schema = json!({ "$defs": defs, "properties": { "a": { "$ref": to } } });
        assert!(Input::schema(schema).problem().is_some(), "{to}");
    }
}

/// A property may be called as a keyword is, and a value may look like a reference.
#[test]
fn only_schemas_are_looked_through_for_references() {
    let schema = json!({
        "properties": { "$ref": { "type": "string" }, "$id": { "const": { "$ref": "x" } } },
        "default": { "$ref": "https://example.com" },
        "examples": [{ "$id": "x" }],
    });
    assert_eq!(Input::schema(schema).problem(), None);
}

#[test]
fn schema_that_refers_to_itself_ends() {
    let schema = json!({
        "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "anyOf": [{ "$ref": "#/$defs/a" }, { "writeOnly": true }] } },
        "properties": { "a": { "$ref": "#/$defs/a" } },
    });
    let input = Input::schema(schema);
    assert_eq!(masked(&input, &json!({ "a": SECRET })), json!({ "a": "***" }));
    let deep = (0..100)
        .fold(json!({ "login": { "password": SECRET } }), |inner, _| json!({ "next": inner }));
    let _ = masked(&Input::of::<Given>(), &deep);
    let words = Input::of::<Given>().in_words();
    assert_eq!(words.lines().filter(|line| line.contains("times: ")).count(), 1);
}

#[test]
fn struct_takes_no_fields_that_it_does_not_have() {
    let input = Input::of::<Login>();
    assert_eq!(input.check(&json!({ "user": "alice" })), Ok(()));
    assert_eq!(
        told(&input, &json!({ "user": "alice", "pasword": SECRET })),
        ["the input: there are no such fields: pasword"]
    );
    let input = Input::of::<Given>();
    assert_eq!(
        input.check(&json!({ "address": "x", "pin": 1, "next": { "address": "y" } })),
        Ok(())
    );
    assert!(input.check(&json!({ "address": "x", "pim": 1 })).is_err());
    let free = Input::of::<BTreeMap<String, u8>>();
    assert_eq!(free.check(&json!({ "any": 1 })), Ok(()));
}

#[test]
fn input_of_each_kind_is_told_in_words() {
    let words = Input::of::<Given>().in_words();
    let line = |name: &str| {
        let start = format!("{name}: ");
        words.lines().find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
    };
    assert_eq!(line("address"), "address: text, 1 to 200 characters; required. Where it goes.");
    assert_eq!(line("all"), "all: list of object with password, user");
    assert_eq!(line("login"), "login: object");
    assert_eq!(line("  password"), "  password: text, secret");
    assert_eq!(line("by_name"), "by_name: object");
    let optional = json!({ "$defs": { "a": { "writeOnly": true, "type": "string" } }, "properties": {
        "a": { "anyOf": [{ "$ref": "#/$defs/a" }, { "type": "null" }], "default": "hunter2" },
    } });
    assert_eq!(Input::schema(optional).in_words(), "a: text, secret");
    assert_eq!(line("pin"), "pin: whole number, at least 0, secret");
    assert_eq!(line("times"), "times: whole number, 1 to 9");
    assert_eq!(line("free"), "free: anything");
    assert_eq!(line("whole"), "whole: object, secret");
    for (schema, text) in [
        (json!({ "type": "object" }), "nothing"),
        (json!(true), "anything"),
        (
            json!({ "type": "array", "items": { "type": "string", "writeOnly": true } }),
            "list of text, secret",
        ),
        (json!({ "enum": ["a", 1, null] }), "\"a\" or 1"),
        (json!({ "type": ["string", "null"], "format": "date-time" }), "date and time (RFC 3339)"),
        (json!({ "type": "string", "pattern": "^a$" }), "text like `^a$`"),
        (
            json!({ "type": "array", "maxItems": 3, "items": { "type": "boolean" } }),
            "list of true or false, at most 3 of them",
        ),
        (
            json!({ "anyOf": [{ "type": "number", "minimum": 0.5 }, { "const": "all" }] }),
            "number, at least 0.5 or \"all\"",
        ),
    ] {
        assert_eq!(Input::schema(schema).in_words(), text);
    }
}

/// Any JSON of the fields of [`Given`], of fields that are not its, and of slips, with secrets wherever secrets could be.
fn anything() -> impl Strategy<Value = Value> {
    let names = [
        "address",
        "login",
        "user",
        "password",
        "pasword",
        "all",
        "by_name",
        "way",
        "by",
        "token",
        "whole",
        "unwritten",
        "pin",
        "next",
        "times",
        "$ref",
    ];
    let leaf = prop_oneof![Just(json!(1)), Just(Value::Null), Just(json!([])), Just(json!({}))];
    leaf.prop_recursive(5, 60, 4, move |inner| {
        let secret = |name: &str| !matches!(name, "address" | "user" | "by" | "times");
        let field = (proptest::sample::select(names.to_vec()), inner.clone(), any::<bool>());
        let field = field.prop_map(move |(name, value, is_text)| {
            let value = if is_text && secret(name) { SECRET.into() } else { value };
            (name.to_owned(), value)
        });
        let object = proptest::collection::vec(field, 0..4);
        let object = object.prop_map(|fields| Value::Object(fields.into_iter().collect()));
        prop_oneof![3 => object, 1 => proptest::collection::vec(inner, 0..4).prop_map(Value::from)]
    })
}

static GIVEN: LazyLock<Input> = LazyLock::new(Input::of::<Given>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_could_be_a_secret_is_shown_or_told(given in anything()) {
        let input = &*GIVEN;
        prop_assert!(!input.masked(&given).to_string().contains(SECRET));
        let told = input.check(&given).err().into_iter().flatten();
        prop_assert!(told.map(|fault| fault.to_string()).all(|text| !text.contains(SECRET)));
    }

    #[test]
    fn what_is_shown_has_the_form_of_what_was_given(given in anything()) {
        let shown = GIVEN.masked(&given);
        prop_assert!(is_alike(&shown, &given), "{} of {}", shown, given);
    }
}

fn is_alike(shown: &Value, given: &Value) -> bool {
    match (shown, given) {
        (Value::Object(shown), Value::Object(given)) => {
            shown.len() == given.len()
                && shown.iter().all(|(name, value)| is_alike(value, &given[name]))
        }
        (Value::Array(shown), Value::Array(given)) => {
            shown.len() == given.len() && shown.iter().zip(given).all(|(a, b)| is_alike(a, b))
        }
        _ => shown == given || *shown == MASK,
    }
}
