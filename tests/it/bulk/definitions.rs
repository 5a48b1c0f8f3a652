//! What a definition says of itself: name, labels, places, and all that documents tell.

use gesta::definition::{
    Definition, Level, Mode, Offer, Place, Places, Risk, Stage, TypeSpec, Unit, by_count,
};
use serde_json::json;

use super::fixture::{Nothing, asker, built, definition, kind, newsroom, only, refused};

/// Cases 2 and 68: a name stands for one thing in its type, so that an address does.
#[test]
fn name_is_unique_in_its_type() {
    let twice = newsroom().on("article", definition("close")).on("article", definition("close"));
    assert_eq!(
        refused(twice),
        "`close` of `article` is defined twice; remove or rename one of them"
    );
    let site = newsroom().site(definition("close")).site(definition("close"));
    assert_eq!(refused(site), "site-wide `close` is defined twice; remove or rename one of them");
    let both = newsroom().site(definition("close")).on("article", definition("close"));
    assert!(refused(both.enable("article", "close")).contains("`close` of `article` is defined"));
    let _ = built(newsroom().on("article", definition("close")).on("ticket", definition("close")));
}

#[test]
fn name_is_a_part_of_addresses() {
    for name in ["", "a b", "a.b", "a:b", "a/b", "é", &"x".repeat(64)] {
        let error = refused(newsroom().on("article", definition(name)));
        assert!(
            error.ends_with(
                "is no name of a definition; letters, digits, `_` and `-` are allowed, 1 to 63 of them"
            ),
            "{error}"
        );
    }
    let _ = built(newsroom().site(definition("Make-it_2")));
}

/// Case 2: `make_published` is "Make published".
#[test]
fn label_that_was_not_given_is_the_name_in_words() {
    let catalog = built(newsroom().on("article", definition("make_published")));
    let offer = only(&catalog);
    assert_eq!((&*offer.label, &*offer.plural), ("Make published", "Make published"));
}

/// Case 3: one label at a single object, one in lists.
#[test]
fn label_of_lists_is_the_label_of_one_unless_it_is_given() {
    let publish = Definition::new("publish", "Publish {name}", Nothing);
    let same = built(newsroom().on("article", publish.clone()));
    assert_eq!(only(&same).label_at(Place::List), "Publish article");
    let other = built(newsroom().on("article", publish.plural("Publish selected {plural}")));
    let offer = only(&other);
    assert_eq!(offer.label_at(Place::Object), "Publish article");
    assert_eq!(offer.label_at(Place::List), "Publish selected articles");
}

/// Case 4: one site-wide label, and each type's own words in it.
#[test]
fn labels_have_the_types_names_in_them() {
    let delete = Definition::new("delete", "Delete {name}", Nothing);
    let catalog = built(newsroom().site(delete.plural("Delete selected {plural}")));
    for (of, one, many) in [
        ("article", "Delete article", "Delete selected articles"),
        ("ticket", "Delete trouble ticket", "Delete selected trouble tickets"),
    ] {
        let offer = catalog.find(&asker(&["*"]), &kind(of), "delete").expect("offered");
        assert_eq!((&*offer.label, &*offer.plural), (one, many));
    }
    let named = TypeSpec::new("odd", "{plural}", "odds");
    let catalog =
        built(newsroom().resource(named).on("odd", Definition::new("x", "X {name}", Nothing)));
    let offer = catalog.find(&asker(&["*"]), &kind("odd"), "x").expect("offered");
    assert_eq!(offer.label, "X {plural}");
}

/// Case 4: a slip would stand in front of people.
#[test]
fn placeholder_that_does_not_exist_is_refused() {
    let label = |label: &str| Definition::new("close", label, Nothing);
    for (wrong, text) in [
        (label("Close {nam}"), "{nam}"),
        (label("Close").plural("Close {count}"), "{count}"),
        (label("Close {name"), "{name}"),
    ] {
        let wanted =
            format!("`close` of `article`: {text} is no placeholder; use {{name}}, {{plural}}");
        assert_eq!(refused(newsroom().on("article", wrong.clone())), format!("label of {wanted}"));
        assert!(refused(newsroom().site(wrong)).starts_with("label of site-wide `close`: "));
    }
}

/// Cases 5 and 49.
#[test]
fn definition_is_offered_at_the_places_that_it_names() {
    let catalog = built(
        newsroom()
            .on("article", definition("lists").offered(Places::List))
            .on("article", definition("one").offered(Places::Object))
            .on("article", definition("both").offered(Places::Both)),
    );
    let at = |place| {
        let offers = catalog.offered(&asker(&["*"]), &kind("article"), place);
        offers.iter().map(Offer::name).collect::<Vec<_>>()
    };
    assert_eq!(at(Place::List), ["lists", "both"]);
    assert_eq!(at(Place::Object), ["one", "both"]);
}

/// Case 6: everything else has a meaning without being said.
#[test]
fn definition_of_which_only_name_and_operation_are_said_is_offered_in_lists_to_all() {
    let catalog = built(newsroom().on("article", definition("close")));
    let offers = |place| catalog.offered(&asker(&[]), &kind("article"), place).len();
    assert_eq!((offers(Place::List), offers(Place::Object)), (1, 0));
    let offer = only(&catalog);
    assert_eq!(
        (offer.risk(), offer.mode(), offer.unit()),
        (Risk::None, Mode::Foreground, Unit::Object)
    );
    assert_eq!((offer.stage(), offer.about(), offer.undo()), (Stage::Stable, "", None));
    assert!(offer.permissions().is_empty() && offer.examples().is_empty());
    assert_eq!(offer.input().in_words(), "nothing");
}

/// Case 7: a document of a definition is made of its offer.
#[test]
fn offer_tells_all_that_documents_need() {
    let publish = definition("publish")
        .about("Readers see it at once.")
        .offered(Places::Both)
        .stage(Stage::Beta)
        .permissions(&["{type}.publish", "article.change"])
        .risk(Risk::Confirm)
        .background()
        .atomic()
        .undo("withdraw")
        .example(json!({}));
    let catalog = built(newsroom().on("article", publish).on("article", definition("withdraw")));
    let offer = catalog.find(&asker(&["*"]), &kind("article"), "publish").expect("offered");
    assert_eq!((offer.name(), offer.about()), ("publish", "Readers see it at once."));
    assert_eq!((offer.places(), offer.stage()), (Places::Both, Stage::Beta));
    assert_eq!(offer.permissions(), ["article.publish", "article.change"]);
    assert_eq!(
        (offer.risk(), offer.mode(), offer.unit()),
        (Risk::Confirm, Mode::Background, Unit::Run)
    );
    assert_eq!((offer.undo(), offer.examples()), (Some("withdraw"), vec![json!({})]));
    assert_eq!(offer.schema()["type"], "object");
    let words = json!([offer.places(), offer.stage(), offer.risk(), offer.mode(), offer.unit()]);
    assert_eq!(words, json!(["both", "beta", "confirm", "background", "run"]));
}

/// Case 35: by name or number, and a bad one is answered with all there are.
#[test]
fn message_has_one_of_five_levels() {
    let told = Level::ALL.map(|level| (level.as_str(), level.number()));
    assert_eq!(
        told,
        [("debug", 10), ("info", 20), ("success", 25), ("warning", 30), ("error", 40)]
    );
    assert_eq!("SUCCESS".parse(), Ok(Level::Success));
    assert_eq!("30".parse(), Ok(Level::Warning));
    let error = "loud".parse::<Level>().expect_err("no level").to_string();
    assert_eq!(
        error,
        "`loud` is no level; there are debug (10), info (20), success (25), warning (30), error (40)"
    );
}

/// Case 37.
#[test]
fn text_goes_by_the_count() {
    let told = |count| by_count(count, "1 story was published.", "{count} stories were published.");
    assert_eq!(told(1), "1 story was published.");
    assert_eq!(told(0), "0 stories were published.");
    assert_eq!(told(2431), "2,431 stories were published.");
    let tickets = TypeSpec::new("ticket", "ticket", "tickets");
    assert_eq!((tickets.count(1), tickets.count(2)), ("1 ticket".into(), "2 tickets".into()));
}
