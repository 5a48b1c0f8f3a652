//! Collects what can be run, and checks it together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::asker::Asker;
use super::catalog::{Catalog, Entry, Filter, Listed, Parts, SiteWide};
use super::check::{self, CatalogError, called, list};
use super::label;
use super::model::Definition;
use super::permission;
use super::spec::TypeSpec;
use crate::error::quote;
use crate::resource::ResourceType;

/// Collects types and definitions; [`CatalogBuilder::build`] checks them together.
#[derive(Default)]
pub struct CatalogBuilder {
    types: Vec<TypeSpec>,
    site: Vec<Arc<Definition>>,
    own: Vec<(String, Own)>,
    disabled: BTreeSet<String>,
    none: BTreeSet<String>,
    filters: Vec<Box<Filter>>,
}

/// What a type lists itself.
enum Own {
    Definition(Arc<Definition>),
    /// A site-wide one, also if it is disabled.
    SiteWide(String),
}

impl Own {
    fn name(&self) -> &str {
        match self {
            Self::Definition(definition) => &definition.name,
            Self::SiteWide(name) => name,
        }
    }
}

impl CatalogBuilder {
    /// A type whose objects can be selected.
    #[must_use]
    pub fn resource(mut self, spec: TypeSpec) -> Self {
        self.types.push(spec);
        self
    }

    /// A definition that every type has.
    #[must_use]
    pub fn site(mut self, definition: Definition) -> Self {
        self.site.push(Arc::new(definition));
        self
    }

    /// A definition of one type. It takes the place of a site-wide one of the same name.
    #[must_use]
    pub fn on(mut self, kind: &str, definition: Definition) -> Self {
        self.own.push((kind.to_owned(), Own::Definition(Arc::new(definition))));
        self
    }

    /// No type has this site-wide definition, except for those that it is enabled for.
    #[must_use]
    pub fn disable(mut self, name: &str) -> Self {
        self.disabled.insert(name.to_owned());
        self
    }

    /// One type lists a site-wide definition itself, whether it is disabled or not.
    #[must_use]
    pub fn enable(mut self, kind: &str, name: &str) -> Self {
        self.own.push((kind.to_owned(), Own::SiteWide(name.to_owned())));
        self
    }

    /// Nothing can be run on objects of a type, not even what is site-wide.
    #[must_use]
    pub fn none(mut self, kind: &str) -> Self {
        self.none.insert(kind.to_owned());
        self
    }

    /// What says for each request whether somebody is offered a definition that they have the permission for. Asked for
    /// lists and for runs; of several, all must agree.
    #[must_use]
    pub fn filter(
        mut self,
        filter: impl Fn(&Asker, &ResourceType, &Definition) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filters.push(Box::new(filter));
        self
    }

    /// The catalog.
    ///
    /// # Errors
    /// When something is there twice or names what does not exist, a permission is one that nobody can be given, a schema is
    /// none, or an example does not fit it. The first that is wrong is told, by its name.
    pub fn build(self) -> Result<Catalog, CatalogError> {
        let kinds = self.check_types()?;
        self.check_site()?;
        self.check_own()?;
        let mut types = BTreeMap::new();
        for (kind, spec) in kinds.into_iter().zip(&self.types) {
            let entries = self.entries(spec)?;
            types.insert(kind, Listed { spec: spec.clone(), entries });
        }
        let is_enabled = |definition: &Definition| !self.disabled.contains(&definition.name);
        let site = self.site.iter().map(|definition| SiteWide {
            definition: Arc::clone(definition),
            is_enabled: is_enabled(definition),
        });
        Ok(Catalog::of(Parts { types, site: site.collect(), filters: self.filters }))
    }

    fn check_types(&self) -> Result<Vec<ResourceType>, CatalogError> {
        let mut known = BTreeSet::new();
        let check = |spec: &TypeSpec| {
            let kind = check::spec(spec)?;
            if known.insert(kind.clone()) {
                return Ok(kind);
            }
            Err(CatalogError::DuplicateType(kind.to_string()))
        };
        self.types.iter().map(check).collect()
    }

    fn check_site(&self) -> Result<(), CatalogError> {
        let mut known = BTreeSet::new();
        for definition in &self.site {
            check::definition(definition, None)?;
            if !known.insert(&definition.name) {
                return Err(CatalogError::Duplicate { definition: called(&definition.name, None) });
            }
        }
        self.disabled.iter().try_for_each(|name| self.check_is_site("`disable`", name))
    }

    fn check_own(&self) -> Result<(), CatalogError> {
        let mut known = BTreeSet::new();
        for (kind, own) in &self.own {
            let name = own.name();
            self.check_is_type(|| quote(name), kind)?;
            match own {
                Own::Definition(definition) => check::definition(definition, Some(kind))?,
                Own::SiteWide(_) => self.check_is_site(&format!("`enable` of `{kind}`"), name)?,
            }
            let definition = || called(name, Some(kind));
            if self.none.contains(kind) {
                return Err(CatalogError::NotNone { kind: kind.clone(), definition: definition() });
            }
            if !known.insert((kind, name)) {
                return Err(CatalogError::Duplicate { definition: definition() });
            }
        }
        self.none.iter().try_for_each(|kind| self.check_is_type(|| "`none`".to_owned(), kind))
    }

    fn check_is_type(&self, what: impl Fn() -> String, kind: &str) -> Result<(), CatalogError> {
        if self.types.iter().any(|spec| spec.kind() == kind) {
            return Ok(());
        }
        let known = list(self.types.iter().map(TypeSpec::kind));
        Err(CatalogError::UnknownType { what: what(), given: quote(kind), known })
    }

    fn check_is_site(&self, what: &str, name: &str) -> Result<(), CatalogError> {
        if self.site_wide(name).is_some() {
            return Ok(());
        }
        let known = list(self.site.iter().map(|definition| definition.name.as_str()));
        Err(CatalogError::Dangling { what: what.to_owned(), given: quote(name), known })
    }

    fn site_wide(&self, name: &str) -> Option<&Arc<Definition>> {
        self.site.iter().find(|definition| definition.name == name)
    }

    /// What a type has, in the order in which it is offered.
    fn definitions_of(&self, spec: &TypeSpec) -> Vec<&Arc<Definition>> {
        let (kind, has_table) = (spec.kind(), spec.table_and_key().is_some());
        if self.none.contains(kind) {
            return Vec::new();
        }
        let own = || self.own.iter().filter(|(of, _)| of == kind).map(|(_, own)| own);
        let is_listed = |name: &str| own().any(|own| own.name() == name);
        let site = self.site.iter().filter(|definition| {
            let is_here = has_table || !definition.needs_table;
            is_here && !self.disabled.contains(&definition.name) && !is_listed(&definition.name)
        });
        let listed = own().filter_map(|own| match own {
            Own::Definition(definition) => Some(definition),
            Own::SiteWide(name) => self.site_wide(name),
        });
        site.chain(listed).collect()
    }

    fn entries(&self, spec: &TypeSpec) -> Result<Vec<Entry>, CatalogError> {
        let definitions = self.definitions_of(spec);
        let names = || definitions.iter().map(|definition| definition.name.as_str());
        let checked = definitions.iter().map(|definition| {
            let dangling = definition.undo.as_deref().filter(|undo| !names().any(|it| it == *undo));
            match dangling {
                None => self.entry(definition, spec),
                Some(undo) => Err(CatalogError::Dangling {
                    what: format!("`undo` of {}", called(&definition.name, Some(spec.kind()))),
                    given: quote(undo),
                    known: list(names()),
                }),
            }
        });
        checked.collect()
    }

    /// A definition with the type's names and permissions.
    fn entry(&self, definition: &Arc<Definition>, spec: &TypeSpec) -> Result<Entry, CatalogError> {
        let called = || called(&definition.name, Some(spec.kind()));
        let filled = |label: &str| {
            label::fill(label, spec.singular(), spec.plural_name())
                .map_err(|given| CatalogError::Placeholder { definition: called(), given })
        };
        let label = match definition.label.as_str() {
            "" => label::from_name(&definition.name),
            label => filled(label)?,
        };
        let plural = definition.plural.as_deref().map_or_else(|| Ok(label.clone()), filled)?;
        let resolve = |given: &String| permission::resolve(given, spec.kind());
        let permissions: Vec<_> = definition.permissions.iter().map(resolve).collect();
        for given in &permissions {
            if let Some(problem) = permission::problem(given, &self.types) {
                let (definition, given) = (called(), quote(given));
                return Err(CatalogError::Permission { definition, given, problem });
            }
        }
        Ok(Entry { definition: Arc::clone(definition), label, plural, permissions })
    }
}
