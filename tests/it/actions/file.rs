//! Definitions from a file: what can be written there, and what is refused at its line.

use gesta::definition::file::{FileError, Nats, Outside, read};
use gesta::definition::{Asker, Catalog, Place, Rights};
use gesta::{Context, ResourceType};

use crate::support::resource;

/// A type, to which tests add what is wrong.
const ARTICLE: &str = "[types.article]
table = \"newsroom.article\"
key = \"id\"
singular = \"article\"
plural = \"articles\"
";

/// The secret of tests.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn tried(text: &str) -> Result<Catalog, FileError> {
    let variable = |name: &str| match name {
        "HOOK" => Some(SECRET.to_owned()),
        "SHORT" => Some("whsec_MfKQ".to_owned()),
        _ => None,
    };
    read("a.toml", text, &Outside { variable: &variable, nats: Nats::None })
}

fn refused(text: &str) -> String {
    match tried(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

fn offered(catalog: &Catalog, kind: &str, rights: Rights) -> Vec<String> {
    let asker = Asker { context: Context::new(&resource("user:1")), rights };
    let kind: ResourceType = kind.parse().expect("a type");
    let offers = catalog.offered(&asker, &kind, Place::List);
    offers
        .into_iter()
        .map(|offer| format!("{}: {}", offer.definition.name(), offer.plural))
        .collect()
}

/// Cases 8, 38 and 48: delete needs its permission, is labelled by the type's plural, and is offered in lists only.
#[test]
fn every_type_has_delete_and_export_without_a_word() {
    let catalog = tried(ARTICLE).expect("a catalog");
    let all = ["delete: Delete these articles", "export: Export these articles"];
    assert_eq!(offered(&catalog, "article", Rights::all()), all);
    assert_eq!(offered(&catalog, "article", Rights::new(["article.delete"])), all[..1]);
    assert_eq!(offered(&catalog, "article", Rights::new(["article.view"])), all[1..]);
    assert_eq!(offered(&catalog, "article", Rights::default()), [""; 0]);
    let asker = Asker { context: Context::new(&resource("user:1")), rights: Rights::all() };
    let at_object = catalog.offered(&asker, &"article".parse().expect("a type"), Place::Object);
    let names: Vec<_> = at_object.iter().map(|offer| offer.definition.name()).collect();
    assert_eq!(names, ["export"]);
}

#[test]
fn site_wide_actions_are_disabled_enabled_replaced_and_left_out() {
    let text = format!(
        "disable = [\"delete\"]
{ARTICLE}enable = [\"delete\"]
[types.job]
singular = \"job\"
plural = \"jobs\"
[types.secret]
singular = \"secret\"
plural = \"secrets\"
none = true
[[actions]]
type = \"job\"
name = \"export\"
label = \"Send {{plural}}\"
sql = \"SELECT 1\"
"
    );
    let catalog = tried(&text).expect("a catalog");
    let of = |kind: &str| offered(&catalog, kind, Rights::all());
    assert_eq!(of("article"), ["export: Export these articles", "delete: Delete these articles"]);
    assert_eq!(of("job"), ["export: Send jobs"], "what works on rows needs a table");
    assert_eq!(of("secret"), [""; 0]);
}

/// What is wrong, on which line, and what is said of it.
fn check_refused<const N: usize>(cases: [(String, &str); N]) {
    for (text, wanted) in cases {
        let told = refused(&text);
        assert!(told.starts_with(wanted), "{told}\n  instead of {wanted}\n{text}");
        assert!(!told.contains("MfKQ") && !told.contains("u:p"), "{told}");
    }
}

fn action(lines: &str) -> String {
    format!("{ARTICLE}[[actions]]\ntype = \"article\"\nname = \"go\"\n{lines}")
}

fn sql(lines: &str) -> String {
    action(&format!("sql = \"SELECT 1\"\n{lines}"))
}

fn http(hook: &str) -> String {
    action(&format!("http = {{ {hook} }}\n"))
}

#[test]
fn wrong_line_of_a_type_is_refused_with_what_is_there_and_what_is_allowed() {
    check_refused([
        ("types = 7".to_owned(), "a.toml:1: invalid type: integer `7`"),
        ("[types.article\n".to_owned(), "a.toml:1: "),
        (
            format!("{ARTICLE}colour = \"red\"\n"),
            "a.toml:6: unknown field `colour`, expected one of `table`, `key`",
        ),
        ("[types.a]\nsingular = \"a\"\n".to_owned(), "a.toml:1: missing field `plural`"),
        (ARTICLE.replace("key = \"id\"\n", ""), "a.toml:2: `table` and `key` belong together"),
        (ARTICLE.replace("newsroom.", ""), "a.toml:1: type `article`: `article` names no schema"),
        (
            ARTICLE.replace("types.article", "types.\"a b\""),
            "a.toml:1: a type of the catalog: resource type `a b`",
        ),
        (
            format!("disable = [\"erase\"]\n{ARTICLE}"),
            "a.toml:1: `disable` names `erase`, which does not exist",
        ),
        (format!("{ARTICLE}enable = [\"erase\"]\n"), "a.toml:6: `enable`"),
    ]);
}

#[test]
fn wrong_line_of_an_action_is_refused_with_what_is_there_and_what_is_allowed() {
    check_refused([
        (action("sql = \" \"\n"), "a.toml:9: `sql` is empty; give one statement"),
        (action(""), "a.toml:8: action `go`: give exactly one of `sql`, `http`, `nats`"),
        (
            sql("risk = \"huge\"\n"),
            "a.toml:10: unknown variant `huge`, expected one of `none`, `confirm`, `danger`",
        ),
        (sql("places = 3\n"), "a.toml:10: "),
        (
            sql("permissions = [\"article.fly\"]\n"),
            "a.toml:10: permission `article.fly` of `go` of `article`",
        ),
        (
            sql("label = \"Go {where}\"\n"),
            "a.toml:10: label of `go` of `article`: {where} is no placeholder",
        ),
        (sql("undo = \"come\"\n"), "a.toml:10: `undo` of `go`"),
        (
            sql("audience = [\"public\", \"\\u0000\"]\n"),
            "a.toml:10: audience of `go` of `article`: `audience`",
        ),
        (sql("").replace("\"go\"", "\"g o\""), "a.toml:8: `g o` is no name of a definition"),
        (sql("[actions.input]\ntype = \"thing\"\n"), "a.toml:10: input of `go` of `article`"),
        (sql("examples = [{ a = 1 }]\n"), "a.toml:10: example 1 of `go` of `article`"),
        (
            sql("[[actions]]\ntype = \"article\"\nname = \"go\"\nsql = \"SELECT 2\"\n"),
            "a.toml:12: `go` of `article` is defined twice",
        ),
        (
            sql("").replace("type = \"article\"", "type = \"book\""),
            "a.toml:7: `go` is for `book`, which is no registered type",
        ),
    ]);
}

#[test]
fn wrong_line_of_what_is_elsewhere_is_refused_with_what_is_there_and_what_is_allowed() {
    check_refused([
        (
            action("nats = { subject = \"a.*\" }\n"),
            "a.toml:9: `a.*` is no subject; words of letters",
        ),
        (action("nats = { subject = \"a\" }\n"), "a.toml:9: `nats` needs a connection to NATS"),
        (
            action("nats = { subject = \"a\", batch = 0 }\n"),
            "a.toml:9: `batch` is 0; 1 to 1000 is allowed",
        ),
        (http("url = \"https://h/\""), "a.toml:9: missing field `secret_env`"),
        (
            http("url = \"https://h/\", secret_env = \"NO\""),
            "a.toml:9: the environment variable `NO` is not set",
        ),
        (
            http("url = \"https://h/\", secret_env = \"SHORT\""),
            "a.toml:9: the environment variable `SHORT` holds no secret",
        ),
        (
            http("url = \"ftp://h/\", secret_env = \"HOOK\""),
            "a.toml:9: `ftp://h/` is no URL of the form",
        ),
        (
            http("url = \"http://u:p@h/\", secret_env = \"HOOK\""),
            "a.toml:9: the URL is no URL of the form",
        ),
        (
            http("url = \"http://127.0.0.1/\", secret_env = \"HOOK\""),
            "a.toml:9: `127.0.0.1` is a private address",
        ),
        (
            http("url = \"http://[::1]:80/\", secret_env = \"HOOK\""),
            "a.toml:9: `[::1]` is a private address",
        ),
        (
            http("url = \"http://h/\", secret_env = \"HOOK\", timeout_s = 301"),
            "a.toml:9: `timeout_s` is 301; 1 to 300",
        ),
    ]);
}

#[test]
fn hosts_are_allowed_by_name() {
    let hook =
        "http = { url = \"http://127.0.0.1:9/x\", secret_env = \"HOOK\", allow = [\"127.0.0.1\"] }";
    let text = format!("{ARTICLE}[[actions]]\ntype = \"article\"\nname = \"go\"\n{hook}\n");
    assert!(tried(&text).is_ok());
}

/// Every sample is parsed, and its examples fit their schemas.
#[tokio::test]
async fn sample_file_is_a_catalog() {
    let path = crate::support::tools::example("actions/actions.toml");
    let text = std::fs::read_to_string(path).expect("the sample");
    let without = tried(&text).expect_err("it needs NATS").to_string();
    assert!(without.contains("GESTA_NATS_URL"), "{without}");
    let nats = crate::support::nats().await;
    let outside = Outside { variable: &|_| None, nats: Nats::At(nats.client.clone()) };
    let catalog = read("actions.toml", &text, &outside).expect("a catalog");
    let articles = offered(&catalog, "article", Rights::all());
    let wanted = [
        "delete: Delete these articles",
        "export: Export these articles",
        "publish: Publish these articles",
        "unpublish: Withdraw these articles",
    ];
    assert_eq!(articles, wanted);
    let sources = offered(&catalog, "source", Rights::new(["source.run"]));
    assert_eq!(sources, ["run_now: Run now"]);
}
