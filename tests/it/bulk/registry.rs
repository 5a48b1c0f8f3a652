//! What a type has: site-wide definitions and its own, in their order, and what is refused when a catalog is built.

use gesta::definition::{Catalog, Definition, Place, TypeSpec};

use super::fixture::{asker, built, definition, kind, names, names_for, newsroom, refused};

/// Case 1: nothing is found by falling from one kind of name to the next.
#[test]
fn definition_is_the_types_own_or_a_site_wide_one_by_its_name() {
    let catalog = built(
        newsroom()
            .site(definition("export"))
            .disable("export")
            .on("article", definition("publish"))
            .enable("article", "export"),
    );
    assert_eq!(names(&catalog, "article"), ["publish", "export"]);
    assert!(catalog.find(&asker(&["*"]), &kind("article"), "burn").is_none());
    assert!(catalog.find(&asker(&["*"]), &kind("page"), "publish").is_none());
    assert_eq!(names(&catalog, "page"), [""; 0]);
}

/// Cases 1 and 10: a slip is told at the start, not found by somebody who misses an action.
#[test]
fn name_of_nothing_is_refused_with_those_that_there_are() {
    let site = || newsroom().site(definition("delete")).site(definition("export"));
    assert_eq!(
        refused(site().disable("delte")),
        "`disable` names `delte`, which does not exist; there are `delete`, `export`"
    );
    assert_eq!(
        refused(site().enable("article", "exprt")),
        "`enable` of `article` names `exprt`, which does not exist; there are `delete`, `export`"
    );
    assert_eq!(
        refused(site().on("article", definition("publish").undo("hide"))),
        "`undo` of `publish` of `article` names `hide`, which does not exist; \
         there are `delete`, `export`, `publish`"
    );
    for builder in [
        site().on("artcle", definition("publish")),
        site().enable("artcle", "export"),
        site().none("artcle"),
    ] {
        let error = refused(builder);
        let end = "is for `artcle`, which is no registered type; there are `article`, `ticket`";
        assert!(error.ends_with(end), "{error}");
    }
}

/// A site-wide definition is undone by what each type that has it has.
#[test]
fn undo_is_looked_for_in_each_type() {
    let hide =
        || newsroom().site(definition("hide").undo("show")).on("article", definition("show"));
    assert!(refused(hide()).starts_with("`undo` of `hide` of `ticket` names `show`"));
    let _ = built(hide().none("ticket"));
    let _ = built(hide().on("ticket", definition("show")));
}

/// Case 9.
#[test]
fn site_wide_definition_is_offered_for_every_type() {
    let catalog = built(newsroom().site(definition("export")));
    for of in ["article", "ticket"] {
        assert_eq!(names(&catalog, of), ["export"]);
    }
    assert_eq!(catalog.sites().count(), 1);
}

/// Case 10.
#[test]
fn disabled_definition_is_offered_nowhere() {
    let catalog =
        built(newsroom().site(definition("delete")).site(definition("export")).disable("delete"));
    for of in ["article", "ticket"] {
        assert_eq!(names(&catalog, of), ["export"]);
        assert!(catalog.find(&asker(&["*"]), &kind(of), "delete").is_none());
        assert!(catalog.known(&kind(of), "delete").is_none());
    }
}

/// Case 11.
#[test]
fn type_enables_again_what_is_disabled() {
    let site = || newsroom().site(definition("delete")).disable("delete");
    let catalog = built(site().enable("article", "delete"));
    assert_eq!(names(&catalog, "article"), ["delete"]);
    assert_eq!(names(&catalog, "ticket"), [""; 0]);
}

/// Case 12.
#[test]
fn disabled_definition_is_still_known_by_its_name() {
    let catalog =
        built(newsroom().site(definition("delete")).site(definition("export")).disable("delete"));
    assert!(catalog.site("delete").is_some() && catalog.site("burn").is_none());
    let enabled: Vec<_> = catalog.sites().map(Definition::name).collect();
    assert_eq!(enabled, ["export"]);
}

/// Case 13.
#[test]
fn definition_of_a_type_takes_the_place_of_a_site_wide_one() {
    let own = definition("delete").about("Into the bin.");
    let site = newsroom().site(definition("delete")).site(definition("export"));
    let catalog = built(site.on("article", own));
    assert_eq!(names(&catalog, "article"), ["export", "delete"]);
    let about = |of| catalog.find(&asker(&["*"]), &kind(of), "delete").map(|offer| offer.about());
    assert_eq!((about("article"), about("ticket")), (Some("Into the bin."), Some("")));
}

/// Case 14.
#[test]
fn site_wide_definitions_come_first_then_the_types_own_as_they_were_listed() {
    let catalog = built(
        newsroom()
            .on("article", definition("z"))
            .site(definition("y"))
            .enable("article", "x")
            .on("article", definition("b"))
            .site(definition("x"))
            .site(definition("a")),
    );
    assert_eq!(names(&catalog, "article"), ["y", "a", "z", "x", "b"]);
    assert_eq!(names(&catalog, "ticket"), ["y", "x", "a"]);
}

/// Case 15: what a program says of the type later is a mistake; there are no subclasses that could inherit.
#[test]
fn nothing_can_be_run_on_a_type_that_wants_none() {
    let site = || newsroom().site(definition("delete")).none("article");
    let catalog = built(site());
    assert_eq!(names(&catalog, "article"), [""; 0]);
    assert!(catalog.known(&kind("article"), "delete").is_none());
    assert_eq!(names(&catalog, "ticket"), ["delete"]);
    for builder in [site().on("article", definition("publish")), site().enable("article", "delete")]
    {
        let error = refused(builder);
        assert!(
            error.starts_with("`none` says that nothing can be run on `article`, but "),
            "{error}"
        );
    }
}

/// Case 16: for some requests less is offered, in lists and by name.
#[test]
fn program_filters_what_is_offered_for_each_request() {
    let site = newsroom().site(definition("delete")).site(definition("export"));
    let catalog = built(
        site.filter(|asker, _, definition| {
            definition.name() != "delete" || asker.context.actor().resource.id.as_str() == "42"
        })
        .filter(|_, kind, definition| kind.as_str() != "ticket" || definition.name() == "delete"),
    );
    let mut other = asker(&["*"]);
    other.context = gesta::Context::new(&crate::support::resource("user:7"));
    assert_eq!(names(&catalog, "article"), ["delete", "export"]);
    assert_eq!(names(&catalog, "ticket"), ["delete"]);
    assert_eq!(names_for(&catalog, &other, "article"), ["export"]);
    assert!(catalog.find(&other, &kind("article"), "delete").is_none());
    assert!(catalog.known(&kind("article"), "delete").is_some());
}

#[test]
fn catalog_of_somebody_who_defines_nothing_is_empty() {
    let catalog = Catalog::default();
    assert_eq!((catalog.resources().count(), catalog.sites().count()), (0, 0));
    assert!(catalog.offered(&asker(&["*"]), &kind("article"), Place::List).is_empty());
    assert!(catalog.resource(&kind("article")).is_none());
}

#[test]
fn types_are_found_by_name_and_told_in_its_order() {
    let catalog = built(newsroom().resource(TypeSpec::new("aws.IAMUser", "user", "users")));
    let kinds: Vec<_> = catalog.resources().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["article", "aws.IAMUser", "ticket"]);
    let ticket = catalog.resource(&kind("ticket")).expect("a type");
    assert_eq!((ticket.singular(), ticket.plural_name()), ("trouble ticket", "trouble tickets"));
}

#[test]
fn type_that_cannot_be_one_is_refused() {
    let refused = |spec: TypeSpec| refused(newsroom().resource(spec));
    let page = || TypeSpec::new("page", "page", "pages");
    assert_eq!(
        refused(TypeSpec::new("ticket", "a", "b")),
        "type `ticket` is registered twice; remove one of them"
    );
    assert_eq!(
        refused(TypeSpec::new("a b", "a", "b")),
        "a type of the catalog: resource type `a b` contains ' '; \
         letters, digits, `_`, `.` and `-` are allowed"
    );
    assert_eq!(
        refused(TypeSpec::new("page", "page", "")),
        "type `page`: say what one and what many of its objects are called"
    );
    assert_eq!(
        refused(page().table("page", "id")),
        "type `page`: `page` names no schema; write it as `schema.table`"
    );
    for spec in [page().table("web.page", ""), page().table("web.page", "id").filters(&["x", ""])] {
        assert!(refused(spec).contains("`` is no name of a table or column"));
    }
    assert_eq!(
        refused(page().name_column("title")),
        "type `page`: `title` is a column of no table; name one with `table`"
    );
    assert_eq!(
        refused(page().permission("a.b")),
        "type `page`: `a.b` is no word of a permission; 1 to 63 letters, digits, `_` and `-` are allowed"
    );
}
