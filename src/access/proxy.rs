//! A reverse proxy that says who asks, because it has logged them in.
//!
//! Off unless an operator names the proxies' networks. From the proxy itself the headers are believed; from anybody else
//! they are refused, not ignored: either somebody tries to be somebody else, or the operator has forgotten a network, and
//! both should be seen. Only the other end of the connection counts, never an address in a header.
//!
//! The proxy has to set or remove each of the headers in every request that it passes on. What would let a forgotten one
//! do harm is not read by default: groups without a table of what they may or without being roles, and the tenant without a
//! header's name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::error::AccessError;
use super::identity::{Identity, Scope, Via};
use crate::error::quote;
use crate::layer::Networks;
use crate::resource::{Named, ResourceId, ResourceRef, ResourceType, Tenant};
use crate::role::RoleName;
use crate::stream::Sight;

/// Groups of one request; directories that put people into more send a part of them.
pub const GROUPS_MAX: usize = 200;

/// What somebody may do and see because of a group, or because the proxy knows them at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// What may be done.
    pub scopes: Vec<Scope>,
    /// What is seen.
    pub sight: Sight,
}

/// The proxies that are believed, which headers they write, and what follows from them.
#[derive(Clone, Debug)]
pub struct ProxyTrust {
    networks: Networks,
    user: HeaderName,
    name: HeaderName,
    groups: HeaderName,
    tenant: Tenancy,
    kind: ResourceType,
    everybody: Rights,
    by_group: BTreeMap<String, Rights>,
    groups_are_roles: bool,
}

/// Where the tenant is from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tenancy {
    One(Tenant),
    Header(HeaderName),
}

impl ProxyTrust {
    /// Believes connections from these networks. `X-Gesta-User` is the id of a resource of the given type, such as `user`,
    /// `X-Gesta-Name` what they are called, `X-Gesta-Groups` a list with commas. The tenant is `default`. Nobody may do
    /// anything yet.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>, kind: ResourceType) -> Self {
        Self {
            networks: Networks::new(networks),
            user: HeaderName::from_static("x-gesta-user"),
            name: HeaderName::from_static("x-gesta-name"),
            groups: HeaderName::from_static("x-gesta-groups"),
            tenant: Tenancy::One(Tenant::default()),
            kind,
            everybody: Rights { scopes: Vec::new(), sight: Sight::Labels(Vec::new()) },
            by_group: BTreeMap::new(),
            groups_are_roles: false,
        }
    }

    /// The header of the id.
    #[must_use]
    pub fn user_header(mut self, name: HeaderName) -> Self {
        self.user = name;
        self
    }

    /// The header of the name.
    #[must_use]
    pub fn name_header(mut self, name: HeaderName) -> Self {
        self.name = name;
        self
    }

    /// The header of the groups.
    #[must_use]
    pub fn groups_header(mut self, name: HeaderName) -> Self {
        self.groups = name;
        self
    }

    /// Everybody belongs to this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Tenancy::One(tenant);
        self
    }

    /// The header of the tenant; a request without it is refused.
    #[must_use]
    pub fn tenant_header(mut self, name: HeaderName) -> Self {
        self.tenant = Tenancy::Header(name);
        self
    }

    /// What everybody may whom the proxy names.
    #[must_use]
    pub fn everybody(mut self, rights: Rights) -> Self {
        self.everybody = rights;
        self
    }

    /// What the members of a group may besides.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, rights: Rights) -> Self {
        self.by_group.insert(name.into(), rights);
        self
    }

    /// Groups are also roles: whoever is in the group `editor` has what the tenant's role `editor` has, for that request
    /// and without being its member. So a group `administrator` has everything.
    #[must_use]
    pub fn roles_of_groups(mut self) -> Self {
        self.groups_are_roles = true;
        self
    }

    /// Who asks, for a connection whose other end is `peer`; nobody where the proxy names nobody.
    ///
    /// # Errors
    /// When somebody else sends these headers, or one of them is there twice, cannot be understood, or is missing.
    pub fn identity(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
    ) -> Result<Option<Identity>, AccessError> {
        if !self.networks.contain(peer) {
            return match self.names().find(|name| headers.contains_key(*name)) {
                Some(name) => Err(AccessError::Untrusted { peer, header: name.clone() }),
                None => Ok(None),
            };
        }
        let Some(id) = only(headers, &self.user)? else { return Ok(None) };
        let id = ResourceId::new(plain(id, &self.user)?);
        let id = id.map_err(|error| wrong(&self.user, error.to_string()))?;
        let named = only(headers, &self.name)?.map(|text| plain(text, &self.name)).transpose()?;
        let resource = ResourceRef { kind: self.kind.clone(), id };
        let who = match named.filter(|name| !name.is_empty()) {
            Some(name) => resource.named(name),
            None => Named { resource, name: None },
        };
        let groups = self.groups_of(headers)?;
        let Rights { scopes, sight } = self.rights(&groups);
        let tenant = Some(self.tenant_of(headers)?);
        Ok(Some(Identity {
            tenant,
            who,
            is_actor: true,
            scopes,
            sight,
            groups: self.roles(&groups),
            quota: None,
            via: Via::Proxy,
        }))
    }

    /// The headers that a proxy is believed, as far as they are read.
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let groups = self.reads_groups().then_some(&self.groups);
        // A header of the tenant alone is also what keys of all tenants come with.
        [Some(&self.user), Some(&self.name), groups].into_iter().flatten()
    }

    fn tenant_of(&self, headers: &HeaderMap) -> Result<Tenant, AccessError> {
        match &self.tenant {
            Tenancy::One(tenant) => Ok(tenant.clone()),
            Tenancy::Header(name) => {
                let given = only(headers, name)?.ok_or_else(|| wrong(name, "it is missing"))?;
                Tenant::new(plain(given, name)?).map_err(|error| wrong(name, error.to_string()))
            }
        }
    }

    fn reads_groups(&self) -> bool {
        self.groups_are_roles || !self.by_group.is_empty()
    }

    /// The groups that they are in, as far as somebody asks for them.
    fn groups_of<'a>(&self, headers: &'a HeaderMap) -> Result<Vec<&'a str>, AccessError> {
        if !self.reads_groups() {
            return Ok(Vec::new());
        }
        let list = only(headers, &self.groups)?.unwrap_or_default();
        if list.split(',').count() > GROUPS_MAX {
            let problem = format!("it names more than {GROUPS_MAX} groups");
            return Err(wrong(&self.groups, problem));
        }
        Ok(list.split(',').map(str::trim).collect())
    }

    /// The groups that could be roles.
    fn roles(&self, groups: &[&str]) -> Vec<String> {
        let is_role = |group: &&&str| self.groups_are_roles && RoleName::new(**group).is_ok();
        groups.iter().filter(is_role).map(|group| (*group).to_owned()).collect()
    }

    /// What everybody may, and what the groups may.
    fn rights(&self, groups: &[&str]) -> Rights {
        let mut all = vec![&self.everybody];
        all.extend(groups.iter().filter_map(|group| self.by_group.get(*group)));
        let scopes: BTreeSet<_> = all.iter().flat_map(|rights| &rights.scopes).copied().collect();
        let mut labels = BTreeSet::new();
        let mut sees_all = false;
        for rights in all {
            match &rights.sight {
                Sight::Everything => sees_all = true,
                Sight::Labels(given) => labels.extend(given.iter().cloned()),
            }
        }
        let labels = Sight::Labels(labels.into_iter().collect());
        let sight = if sees_all { Sight::Everything } else { labels };
        Rights { scopes: scopes.into_iter().collect(), sight }
    }
}

fn wrong(name: &HeaderName, problem: impl Into<String>) -> AccessError {
    AccessError::Header { header: name.clone(), problem: problem.into() }
}

/// The value of a header. Twice it would be the client's once, and nobody can tell which.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, AccessError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong(name, "it is there twice"));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| wrong(name, "it is no UTF-8"))?;
    Ok(Some(text))
}

fn plain(text: &str, name: &HeaderName) -> Result<String, AccessError> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(wrong(name, format!("{} holds a control character", quote(text))));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
