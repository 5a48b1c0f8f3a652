//! Inputs: what is refused, what is shown.

use std::collections::BTreeMap;

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

fn masked(input: &Input, given: Value) -> Value {
    let shown = input.masked(&given);
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
        assert_eq!(masked(&input, given), wanted);
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
        assert_eq!(masked(&input, given), wanted);
    }
    assert_eq!(masked(&Input::none(), json!({ "token": SECRET })), json!({ "token": "***" }));
}
