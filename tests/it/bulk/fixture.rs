//! A newsroom's types, and definitions that do nothing.

use gesta::definition::{
    Asker, Catalog, CatalogBuilder, Definition, Fault, Offer, Operation, Piece, Place, Rights,
    TypeSpec,
};
use gesta::{Context, ResourceType};

use crate::support::resource;

/// Does nothing.
pub(super) struct Nothing;

impl Operation for Nothing {
    type Input = ();
    async fn run(&self, _: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

pub(super) fn definition(name: &str) -> Definition {
    Definition::new(name, "", Nothing)
}

pub(super) fn kind(name: &str) -> ResourceType {
    ResourceType::new(name).expect("a type")
}

/// Articles, which can be published, and tickets.
pub(super) fn newsroom() -> CatalogBuilder {
    Catalog::builder()
        .resource(TypeSpec::new("article", "article", "articles").permission("publish"))
        .resource(TypeSpec::new("ticket", "trouble ticket", "trouble tickets"))
}

pub(super) fn built(builder: CatalogBuilder) -> Catalog {
    builder.build().expect("a catalog")
}

/// Why a catalog is refused.
pub(super) fn refused(builder: CatalogBuilder) -> String {
    builder.build().expect_err("must be refused").to_string()
}

pub(super) fn asker(permissions: &[&str]) -> Asker {
    Asker {
        context: Context::new(&resource("user:42")),
        rights: Rights::new(permissions.iter().copied()),
    }
}

/// What somebody with all rights is offered in lists of a type.
pub(super) fn names(catalog: &Catalog, of: &str) -> Vec<String> {
    names_for(catalog, &asker(&["*"]), of)
}

pub(super) fn names_for(catalog: &Catalog, asker: &Asker, of: &str) -> Vec<String> {
    let offers = catalog.offered(asker, &kind(of), Place::List);
    offers.iter().map(|offer| offer.name().to_owned()).collect()
}

/// The only offer for articles.
pub(super) fn only(catalog: &Catalog) -> Offer<'_> {
    let mut offers = catalog.offered(&asker(&["*"]), &kind("article"), Place::List);
    assert_eq!(offers.len(), 1);
    offers.remove(0)
}
