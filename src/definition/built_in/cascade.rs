//! What a deletion takes with it: the rows that refer to what is deleted, and those that refer to these.
//!
//! Rows are told by table and place (`ctid`), level by level. Before a plan they are only looked at; before a deletion
//! they are locked, each level before the next one is looked for. Whoever would add a reference to a locked row waits, so
//! nothing goes with a deletion that was not seen here.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Transaction;

use super::super::asker::Rights;
use super::super::catalog::Catalog;
use super::super::consequence::{Consequence, Consequences, Impact};
use super::super::piece::Fault;
use super::reference::{self, Reference, Rule};
use super::relation::{Relation, rows};
use crate::resource::ResourceType;
use crate::session::fill;

/// Levels of references that are followed: a tree of this depth is an accident, or one that nobody overlooks anyway.
pub const DEPTH_MAX: usize = 64;
/// Rows that are counted: who reads "at least 100,000" knows enough, and their places take some megabytes.
pub const ROWS_MAX: usize = 100_000;
/// Keys that are named of rows that forbid a deletion.
pub const KEYS_MAX: usize = 5;

/// The selected rows.
const CHOSEN: &str = "-- definition::built_in::chosen
SELECT t.tableoid, t.ctid::text
FROM {table} AS t
WHERE t.{key} = ANY ($1::text[]::{kind}[])
{lock}";

/// The rows that refer to some rows.
const REFERRING: &str = "-- definition::built_in::referring
SELECT c.tableoid, c.ctid::text, {key}
FROM unnest($1::oid[], $2::text[]::tid[]) AS d (relation, place)
JOIN {parent} AS p ON p.ctid = d.place AND p.tableoid = d.relation
JOIN {child} AS c ON {on}
LIMIT $3
{lock}";

/// Whether rows are held until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// They are looked at.
    Loose,
    /// They are locked, as far as this role may.
    Locked,
}

/// A row: table or partition, and place in it.
pub(super) type Place = (u32, String);

/// What was found so far.
struct Walk<'a> {
    tx: &'a Transaction<'a>,
    hold: Hold,
    /// The tables that were come to, in quotes.
    tables: HashMap<u32, String>,
    /// Rows that are deleted, by table; those of the first level are the selected ones.
    doomed: HashMap<u32, HashSet<Place>>,
    /// Rows that lose a reference, by the constraint.
    emptied: HashMap<u32, (Reference, HashSet<Place>)>,
    /// Rows that forbid it, with their keys.
    forbidding: Vec<(Reference, Place, Option<String>)>,
    /// Tables that cannot be read.
    unread: BTreeMap<(Impact, String), Reference>,
    /// One of the references by which a table was come to.
    children: HashMap<u32, Reference>,
    chosen: HashSet<Place>,
    rows: usize,
    is_whole: bool,
    is_cut: bool,
}

/// What was found.
pub(super) struct Found {
    pub(super) consequences: Consequences,
    /// The rows that no trigger tells of.
    pub(super) untold: Vec<Untold>,
    /// Whether a limit was reached: there may be more rows.
    pub(super) is_cut: bool,
}

/// Rows of a table without triggers of ours, which something happens to.
pub(super) struct Untold {
    pub(super) reference: Reference,
    /// Deleted, or emptied of this reference.
    pub(super) impact: Impact,
    pub(super) places: Vec<Place>,
}

/// Where a deletion may come to, by the foreign keys that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Nowhere, or to tables alone whose triggers tell of it.
    Told,
    /// To rows of other tables.
    Untold,
    /// To rows that the asker may not delete.
    Forbidden,
}

/// What deleting some rows of a table takes with it.
pub(super) async fn walk(
    tx: &Transaction<'_>,
    relation: &Relation,
    ids: &[&str],
    hold: Hold,
    judge: &Judge<'_>,
) -> Result<Found, Fault> {
    let mut walk = Walk {
        tx,
        hold,
        tables: HashMap::from([(relation.oid, relation.table.clone())]),
        doomed: HashMap::new(),
        emptied: HashMap::new(),
        forbidding: Vec::new(),
        unread: BTreeMap::new(),
        children: HashMap::new(),
        chosen: HashSet::new(),
        rows: 0,
        is_whole: true,
        is_cut: false,
    };
    let mut level = walk.choose(relation, ids).await?;
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        if depth == DEPTH_MAX || walk.rows >= ROWS_MAX {
            walk.is_cut = true;
            break;
        }
        level = walk.descend(level).await?;
    }
    Ok(walk.told(judge))
}

/// Where deleting rows of a table may come to.
pub(super) async fn reach(
    tx: &Transaction<'_>,
    relation: &Relation,
    judge: &Judge<'_>,
) -> Result<Reach, Fault> {
    let mut reach = Reach::Told;
    let (mut known, mut level) = (HashSet::from([relation.oid]), vec![relation.oid]);
    while !level.is_empty() {
        let mut found = reference::to(tx, &level).await?;
        found.retain(|reference| matches!(reference.rule, Rule::Cascade | Rule::Empty));
        if found.iter().any(|reference| !reference.is_tracked) {
            reach = Reach::Untold;
        }
        found.retain(|reference| reference.rule == Rule::Cascade && known.insert(reference.child));
        if found.iter().any(|reference| judge.missing(&reference.shown).is_some()) {
            return Ok(Reach::Forbidden);
        }
        level = found.iter().map(|reference| reference.child).collect();
    }
    Ok(reach)
}

impl Walk<'_> {
    fn lock(&self, is_lockable: bool, of: &'static str) -> &'static str {
        if self.hold == Hold::Locked && is_lockable { of } else { "" }
    }

    async fn choose(
        &mut self,
        relation: &Relation,
        ids: &[&str],
    ) -> Result<HashMap<u32, Vec<Place>>, Fault> {
        let slots = [
            ("table", relation.table.as_str()),
            ("key", &relation.key),
            ("kind", &relation.key_kind),
            ("lock", self.lock(relation.is_lockable, "FOR UPDATE OF t")),
        ];
        let found = rows(self.tx, "read the selected rows", &fill(CHOSEN, &slots), &[&ids]).await?;
        self.chosen = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        self.doomed.insert(relation.oid, self.chosen.clone());
        let chosen: Vec<_> = self.chosen.iter().cloned().collect();
        Ok(if chosen.is_empty() { HashMap::new() } else { HashMap::from([(relation.oid, chosen)]) })
    }

    /// Goes from deleted rows to those that refer to them, and gives those of them that are deleted too.
    async fn descend(
        &mut self,
        level: HashMap<u32, Vec<Place>>,
    ) -> Result<HashMap<u32, Vec<Place>>, Fault> {
        let parents: Vec<_> = level.keys().copied().collect();
        let mut next: HashMap<u32, Vec<Place>> = HashMap::new();
        for reference in reference::to(self.tx, &parents).await? {
            self.children.insert(reference.child, reference.clone());
            self.tables.insert(reference.child, reference.table.clone());
            if !reference.is_readable {
                let unread = (impact(reference.rule), reference.shown.clone());
                self.unread.insert(unread, reference);
                self.is_whole = false;
                continue;
            }
            let above = level.get(&reference.parent).map(Vec::as_slice).unwrap_or_default();
            let fresh = self.follow(&reference, above).await?;
            next.entry(reference.child).or_default().extend(fresh);
        }
        next.retain(|_, places| !places.is_empty());
        Ok(next)
    }

    /// The rows that refer to some rows by one foreign key; gives those that are deleted and were not known before.
    async fn follow(
        &mut self,
        reference: &Reference,
        above: &[Place],
    ) -> Result<Vec<Place>, Fault> {
        let parent = self.tables.get(&reference.parent).map(String::as_str).unwrap_or_default();
        let slots = [
            ("parent", parent),
            ("child", &reference.table),
            ("on", &reference.on),
            ("key", &reference.key),
            ("lock", self.lock(reference.is_lockable, "FOR UPDATE OF c")),
        ];
        let (tables, places): (Vec<u32>, Vec<&str>) =
            above.iter().map(|(table, place)| (*table, place.as_str())).unzip();
        // A row may be found twice: by two of its references.
        let limit = i64::try_from(ROWS_MAX.saturating_sub(self.rows) + 1).unwrap_or(i64::MAX);
        let sql = fill(REFERRING, &slots);
        let found =
            rows(self.tx, "read what refers to them", &sql, &[&tables, &places, &limit]).await?;
        self.is_cut |= i64::try_from(found.len()).map_or(true, |len| len >= limit);
        let mut fresh = Vec::new();
        for row in &found {
            let place: Place = (row.get(0), row.get(1));
            let is_new = match reference.rule {
                Rule::Cascade => {
                    let is_new =
                        self.doomed.entry(reference.child).or_default().insert(place.clone());
                    fresh.extend(is_new.then_some(place));
                    is_new
                }
                Rule::Empty => {
                    let emptied = self.emptied.entry(reference.oid);
                    let emptied = emptied.or_insert_with(|| (reference.clone(), HashSet::new()));
                    emptied.1.insert(place)
                }
                Rule::Check | Rule::Forbid => {
                    self.forbidding.push((reference.clone(), place, row.get(2)));
                    true
                }
            };
            self.rows += usize::from(is_new);
        }
        Ok(fresh)
    }

    fn told(mut self, judge: &Judge<'_>) -> Found {
        let (mut all, untold) = (Vec::new(), self.untold());
        let doomed: HashSet<Place> = self.doomed.values().flatten().cloned().collect();
        for (table, places) in &self.doomed {
            let rows = places.difference(&self.chosen).count();
            if let (Some(reference), 1..) = (self.children.get(table), rows) {
                all.push(judge.consequence(Impact::Deleted, reference, Some(rows), Vec::new()));
            }
        }
        let mut emptied: BTreeMap<&str, (&Reference, HashSet<&Place>)> = BTreeMap::new();
        for (reference, places) in self.emptied.values() {
            let table =
                emptied.entry(&reference.shown).or_insert_with(|| (reference, HashSet::new()));
            table.1.extend(places.difference(&doomed));
        }
        for (reference, places) in emptied.into_values().filter(|(_, places)| !places.is_empty()) {
            let rows = Some(places.len());
            all.push(judge.consequence(Impact::Emptied, reference, rows, Vec::new()));
        }
        // What is deleted itself forbids nothing, except that RESTRICT does not wait for what cascades.
        self.forbidding.retain(|(reference, place, _)| match reference.rule {
            Rule::Forbid => !self.chosen.contains(place),
            _ => !doomed.contains(place),
        });
        let mut by_table: BTreeMap<&str, (&Reference, BTreeMap<&Place, Option<&str>>)> =
            BTreeMap::new();
        for (reference, place, key) in &self.forbidding {
            let table =
                by_table.entry(&reference.shown).or_insert_with(|| (reference, BTreeMap::new()));
            table.1.insert(place, key.as_deref());
        }
        for (reference, places) in by_table.into_values() {
            let mut keys: Vec<_> = places.values().flatten().map(|key| (*key).to_owned()).collect();
            keys.sort_unstable();
            keys.truncate(KEYS_MAX);
            all.push(judge.consequence(Impact::Forbidding, reference, Some(places.len()), keys));
        }
        for ((impact, _), reference) in &self.unread {
            all.push(judge.consequence(*impact, reference, None, Vec::new()));
        }
        all.sort_by(|a, b| (a.impact, &a.table).cmp(&(b.impact, &b.table)));
        let consequences = Consequences { all, is_whole: self.is_whole && !self.is_cut };
        Found { consequences, untold, is_cut: self.is_cut }
    }

    /// The rows of tables without triggers of ours. A row that is deleted by one reference does not lose another one.
    fn untold(&self) -> Vec<Untold> {
        let emptied = self.emptied.values().map(|(reference, places)| Untold {
            reference: reference.clone(),
            impact: Impact::Emptied,
            places: places.iter().filter(|it| !self.is_doomed(it)).cloned().collect(),
        });
        let deleted = self.doomed.iter().filter_map(|(table, places)| {
            let places = places.difference(&self.chosen).cloned().collect();
            let reference = self.children.get(table)?.clone();
            Some(Untold { reference, impact: Impact::Deleted, places })
        });
        let mut all: Vec<_> = emptied.chain(deleted).collect();
        all.retain(|it| !it.reference.is_tracked && !it.places.is_empty());
        all.sort_by(|a, b| (a.impact, &a.reference.shown).cmp(&(b.impact, &b.reference.shown)));
        all
    }

    fn is_doomed(&self, place: &Place) -> bool {
        self.doomed.values().any(|places| places.contains(place))
    }
}

fn impact(rule: Rule) -> Impact {
    match rule {
        Rule::Cascade => Impact::Deleted,
        Rule::Empty => Impact::Emptied,
        Rule::Check | Rule::Forbid => Impact::Forbidding,
    }
}

/// The type of rows whose table is of no type of the catalog: its name, where it can be one and rows have a key.
pub(super) fn kind_of(reference: &Reference) -> Option<ResourceType> {
    reference.id.as_ref().and_then(|_| ResourceType::new(reference.shown.as_str()).ok())
}

/// Tells whose objects the rows of a table are, and whether the asker may delete them.
pub(super) struct Judge<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) rights: &'a Rights,
}

impl Judge<'_> {
    /// The permission that is missing to delete rows of a table, where they are objects of a type.
    pub(super) fn missing(&self, table: &str) -> Option<String> {
        let mut needed = self.kinds(table).map(|kind| format!("{kind}.delete"));
        needed.find(|permission| !self.rights.have(permission))
    }

    fn kinds(&self, table: &str) -> impl Iterator<Item = &ResourceType> {
        let all = self.catalog.resources();
        let all = all.filter(move |(_, spec)| spec.table_and_key().is_some_and(|it| it.0 == table));
        all.map(|(kind, _)| kind)
    }

    fn consequence(
        &self,
        impact: Impact,
        reference: &Reference,
        rows: Option<usize>,
        keys: Vec<String>,
    ) -> Consequence {
        let table = &reference.shown;
        let missing = if impact == Impact::Deleted { self.missing(table) } else { None };
        let kind = self.kinds(table).next();
        let is_known = rows.is_some() && (kind.is_some() || kind_of(reference).is_some());
        Consequence {
            impact,
            table: table.clone(),
            kind: kind.cloned(),
            rows: rows.map(|rows| u64::try_from(rows).unwrap_or(u64::MAX)),
            keys,
            missing,
            is_recorded: reference.is_tracked || is_known || impact == Impact::Forbidding,
        }
    }
}
