//! All that can be run, by type.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::asker::Asker;
use super::builder::CatalogBuilder;
use super::model::{Definition, Place};
use super::offer::Offer;
use super::spec::TypeSpec;
use crate::resource::ResourceType;

/// What says for each request whether somebody is offered a definition.
pub(super) type Filter = dyn Fn(&Asker, &ResourceType, &Definition) -> bool + Send + Sync;

/// All that can be run on the objects of all types; checked when it is built, and cheap to clone. The default one is
/// empty.
///
/// What a type has: the site-wide definitions in their order, without those that are disabled and those that the type
/// lists itself under the same name; then what the type lists, in its order.
///
/// ```
/// use gesta::definition::{Asker, Catalog, Definition, Fault, Operation, Piece, Place, Rights, TypeSpec};
/// use gesta::{Context, ResourceRef, ResourceType};
///
/// struct Publish;
/// impl Operation for Publish {
///     type Input = ();
///     async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
///         // … UPDATE newsroom.article … through piece.session() …
///         Ok(())
///     }
/// }
///
/// let publish = Definition::new("publish", "Publish {name}", Publish)
///     .plural("Publish selected {plural}")
///     .permissions(&["article.publish"]);
/// let catalog = Catalog::builder()
///     .resource(TypeSpec::new("article", "article", "articles").permission("publish"))
///     .on("article", publish)
///     .build()?;
///
/// let article = ResourceType::new("article")?;
/// let editor = Asker {
///     context: Context::new(&ResourceRef::new("user", "42")?),
///     rights: Rights::new(["article.publish"]),
/// };
/// let offers = catalog.offered(&editor, &article, Place::List);
/// assert_eq!(offers[0].plural, "Publish selected articles");
///
/// let reader = Asker { rights: Rights::default(), ..editor };
/// assert!(catalog.find(&reader, &article, "publish").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Catalog(Arc<Parts>);

#[derive(Default)]
pub(super) struct Parts {
    pub(super) types: BTreeMap<ResourceType, Listed>,
    pub(super) site: Vec<SiteWide>,
    pub(super) filters: Vec<Box<Filter>>,
}

/// A type and what it has, in the order in which it is offered.
pub(super) struct Listed {
    pub(super) spec: TypeSpec,
    pub(super) entries: Vec<Entry>,
}

/// A definition as a type has it.
pub(super) struct Entry {
    pub(super) definition: Arc<Definition>,
    pub(super) label: String,
    pub(super) plural: String,
    pub(super) permissions: Vec<String>,
}

/// A definition that every type has, up to exceptions.
pub(super) struct SiteWide {
    pub(super) definition: Arc<Definition>,
    pub(super) is_enabled: bool,
}

impl Catalog {
    /// Starts a catalog.
    #[must_use]
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    pub(super) fn of(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// A type.
    #[must_use]
    pub fn resource(&self, kind: &ResourceType) -> Option<&TypeSpec> {
        self.0.types.get(kind).map(|listed| &listed.spec)
    }

    /// All types, by name.
    pub fn resources(&self) -> impl Iterator<Item = (&ResourceType, &TypeSpec)> {
        self.0.types.iter().map(|(kind, listed)| (kind, &listed.spec))
    }

    /// What somebody may run on objects of a type, as it is offered at a place, always in the same order.
    #[must_use]
    pub fn offered(&self, asker: &Asker, kind: &ResourceType, place: Place) -> Vec<Offer<'_>> {
        let entries = self.entries(kind).iter();
        let here = entries.filter(|entry| entry.definition.places.include(place));
        here.filter(|entry| self.allows(asker, kind, entry)).map(Offer::of).collect()
    }

    /// What somebody may run on objects of a type, wherever it is offered, in the same order.
    #[must_use]
    pub fn all(&self, asker: &Asker, kind: &ResourceType) -> Vec<Offer<'_>> {
        let entries = self.entries(kind).iter();
        entries.filter(|entry| self.allows(asker, kind, entry)).map(Offer::of).collect()
    }

    /// What somebody may run, by its name. Nothing where they may not: asked for by name, it is as unknown to them as it is
    /// in lists.
    #[must_use]
    pub fn find(&self, asker: &Asker, kind: &ResourceType, name: &str) -> Option<Offer<'_>> {
        self.entry(kind, name).filter(|entry| self.allows(asker, kind, entry)).map(Offer::of)
    }

    /// What can be run on objects of a type, whoever asks: it tells an attempt that was refused from a slip.
    #[must_use]
    pub fn known(&self, kind: &ResourceType, name: &str) -> Option<&Definition> {
        self.entry(kind, name).map(|entry| &*entry.definition)
    }

    /// The same, as it would be offered to whoever may run it.
    pub(crate) fn known_offer(&self, kind: &ResourceType, name: &str) -> Option<Offer<'_>> {
        self.entry(kind, name).map(Offer::of)
    }

    /// A site-wide definition, also a disabled one.
    #[must_use]
    pub fn site(&self, name: &str) -> Option<&Definition> {
        let mut all = self.0.site.iter().map(|site| &*site.definition);
        all.find(|definition| definition.name == name)
    }

    /// The site-wide definitions that are not disabled, in their order.
    pub fn sites(&self) -> impl Iterator<Item = &Definition> {
        self.0.site.iter().filter(|site| site.is_enabled).map(|site| &*site.definition)
    }

    fn entries(&self, kind: &ResourceType) -> &[Entry] {
        self.0.types.get(kind).map_or(&[], |listed| &listed.entries)
    }

    fn entry(&self, kind: &ResourceType, name: &str) -> Option<&Entry> {
        self.entries(kind).iter().find(|entry| entry.definition.name == name)
    }

    /// One rule for lists and for runs.
    fn allows(&self, asker: &Asker, kind: &ResourceType, entry: &Entry) -> bool {
        let any = &entry.permissions;
        (any.is_empty() || any.iter().any(|permission| asker.rights.have(permission)))
            && self.0.filters.iter().all(|filter| filter(asker, kind, &entry.definition))
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |listed: &Listed| -> Vec<_> {
            listed.entries.iter().map(|entry| entry.definition.name.clone()).collect()
        };
        let types = self.0.types.iter().map(|(kind, listed)| (kind.as_str(), names(listed)));
        f.debug_map().entries(types).finish()
    }
}
