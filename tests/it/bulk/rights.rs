//! Who is offered what.

use gesta::definition::{Catalog, Rights, TypeSpec};

use super::fixture::{asker, built, definition, kind, names_for, newsroom, refused};

fn names(catalog: &Catalog, permissions: &[&str], of: &str) -> Vec<String> {
    names_for(catalog, &asker(permissions), of)
}

/// Case 17.
#[test]
fn any_of_the_permissions_allows() {
    let publish = definition("publish").permissions(&["article.publish", "article.change"]);
    let catalog = built(newsroom().on("article", publish));
    for permissions in [
        &["article.publish"][..],
        &["article.change"],
        &["ticket.view", "article.change"],
        &["article.*"],
        &["*"],
    ] {
        assert_eq!(names(&catalog, permissions, "article"), ["publish"], "{permissions:?}");
    }
    for permissions in [
        &[][..],
        &["article.view"],
        &["ticket.*"],
        &["article"],
        &["article.publisher"],
        &["publish"],
    ] {
        assert_eq!(names(&catalog, permissions, "article"), [""; 0], "{permissions:?}");
    }
}

/// Case 18: and a site-wide definition asks for the word of the type that it is run on.
#[test]
fn every_type_has_four_words_and_those_that_it_adds() {
    let words = |spec: TypeSpec| spec.words().map(str::to_owned).collect::<Vec<_>>();
    let article = TypeSpec::new("article", "article", "articles").permission("publish");
    assert_eq!(words(article), ["add", "change", "delete", "view", "publish"]);
    let catalog = built(newsroom().site(definition("delete").permissions(&["{type}.delete"])));
    assert_eq!(names(&catalog, &["article.delete"], "article"), ["delete"]);
    assert_eq!(names(&catalog, &["article.delete"], "ticket"), [""; 0]);
}

/// Case 67: nobody could run it, and nobody would know why.
#[test]
fn permission_that_nobody_can_be_given_is_refused() {
    let with = |permission: &str| definition("close").permissions(&[permission]);
    for (permission, problem) in [
        (
            "article.publsh",
            "`publsh` is no word of `article`; there are `add`, `change`, `delete`, `view`, \
             `publish`; add one with `TypeSpec::permission`",
        ),
        ("page.view", "`page` is no registered type; there are `article`, `ticket`"),
        ("publish", "write it as `TYPE.WORD`, such as `article.change`"),
        ("", "write it as `TYPE.WORD`, such as `article.change`"),
    ] {
        assert_eq!(
            refused(newsroom().on("article", with(permission))),
            format!("permission `{permission}` of `close` of `article`: {problem}")
        );
    }
    assert!(refused(newsroom().on("article", with("article.*"))).contains("`*` is no word"));
    let site = || newsroom().site(with("{type}.publish"));
    let error = refused(site());
    assert!(error.starts_with("permission `ticket.publish` of `close` of `ticket`: "), "{error}");
    let _ = built(site().none("ticket"));
    let _ = built(site().disable("close").enable("article", "close"));
    let _ = built(newsroom().on("article", with("ticket.change")));
}

/// Case 19: what is not in the list cannot be run by its name either; only the log may know that it is there.
#[test]
fn lists_and_runs_go_by_one_rule() {
    let catalog = built(
        newsroom()
            .site(definition("delete").permissions(&["{type}.delete"]))
            .on("article", definition("publish").permissions(&["article.publish"]))
            .filter(|asker, _, _| !asker.rights.have("ticket.view")),
    );
    let some = ["article.delete", "article.publish", "ticket.delete", "ticket.view"];
    for taken in 0..16_u8 {
        let has = some.iter().enumerate().filter(|(bit, _)| taken & (1 << bit) != 0);
        let permissions: Vec<_> = has.map(|(_, permission)| *permission).collect();
        for of in ["article", "ticket"] {
            let listed = names(&catalog, &permissions, of);
            for name in ["delete", "publish", "burn"] {
                let found = catalog.find(&asker(&permissions), &kind(of), name);
                assert_eq!(found.is_some(), listed.contains(&name.to_owned()), "{permissions:?}");
            }
        }
    }
    assert!(catalog.known(&kind("article"), "publish").is_some());
    assert!(catalog.known(&kind("ticket"), "publish").is_none());
}

/// Case 21.
#[test]
fn definition_without_permissions_is_offered_to_those_who_may_only_view() {
    let catalog = built(
        newsroom()
            .on("article", definition("count"))
            .on("article", definition("publish").permissions(&["article.publish"])),
    );
    assert_eq!(names(&catalog, &["article.view"], "article"), ["count"]);
}

#[test]
fn type_may_hold_points() {
    let rights = Rights::new(["aws.IAMUser.*", "article.view"]);
    assert!(rights.have("aws.IAMUser.delete") && rights.have("article.view"));
    assert!(!rights.have("aws.Role.delete") && !rights.have("article.delete"));
    assert!(!Rights::new(["aws.*"]).have("aws.IAMUser.delete"));
    let spec = TypeSpec::new("aws.IAMUser", "user", "users");
    let delete = definition("delete").permissions(&["{type}.delete"]);
    let catalog = built(newsroom().resource(spec).on("aws.IAMUser", delete));
    assert_eq!(names(&catalog, &["aws.IAMUser.delete"], "aws.IAMUser"), ["delete"]);
}
