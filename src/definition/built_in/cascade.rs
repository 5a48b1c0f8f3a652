//! What a deletion takes with it: the rows that refer to what is deleted, and those that refer to these.
//!
//! Rows are told by table and place (`ctid`), level by level. Before a plan they are only looked at; before a deletion
//! they are locked, each level before the next one is looked for. Whoever would add a reference to a locked row waits, so
//! nothing goes with a deletion that was not seen here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
type Place = (u32, String);

/// What was found so far.
struct Walk<'a> {
    tx: &'a Transaction<'a>,
    hold: Hold,
    /// The tables that were come to, in quotes.
    tables: HashMap<u32, String>,
    /// Rows that are deleted, by table; those of the first level are the selected ones.
    doomed: HashMap<u32, HashSet<Place>>,
    emptied: HashMap<u32, HashSet<Place>>,
    /// Rows that forbid it, with their keys.
    forbidding: Vec<(Reference, Place, Option<String>)>,
    /// Tables that cannot be read.
    unread: BTreeSet<(Impact, String)>,
    /// Names of the tables as people write them.
    shown: HashMap<u32, String>,
    chosen: HashSet<Place>,
    rows: usize,
    is_whole: bool,
}

/// What deleting some rows of a table takes with it.
pub(super) async fn walk(
    tx: &Transaction<'_>,
    relation: &Relation,
    ids: &[&str],
    hold: Hold,
    judge: &Judge<'_>,
) -> Result<Consequences, Fault> {
    let mut walk = Walk {
        tx,
        hold,
        tables: HashMap::from([(relation.oid, relation.table.clone())]),
        doomed: HashMap::new(),
        emptied: HashMap::new(),
        forbidding: Vec::new(),
        unread: BTreeSet::new(),
        shown: HashMap::new(),
        chosen: HashSet::new(),
        rows: 0,
        is_whole: true,
    };
    let mut level = walk.choose(relation, ids).await?;
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        if depth == DEPTH_MAX || walk.rows >= ROWS_MAX {
            walk.is_whole = false;
            break;
        }
        level = walk.descend(level).await?;
    }
    Ok(walk.told(judge))
}

/// Whether a deletion may come to rows that the asker may not delete, by the foreign keys that there are.
pub(super) async fn may_reach_forbidden(
    tx: &Transaction<'_>,
    relation: &Relation,
    judge: &Judge<'_>,
) -> Result<bool, Fault> {
    let (mut known, mut level) = (HashSet::from([relation.oid]), vec![relation.oid]);
    while !level.is_empty() {
        let mut found = reference::to(tx, &level).await?;
        found.retain(|reference| reference.rule == Rule::Cascade && known.insert(reference.child));
        if found.iter().any(|reference| judge.missing(&reference.shown).is_some()) {
            return Ok(true);
        }
        level = found.iter().map(|reference| reference.child).collect();
    }
    Ok(false)
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
            self.shown.insert(reference.child, reference.shown.clone());
            self.tables.insert(reference.child, reference.table.clone());
            if !reference.is_readable {
                self.unread.insert((impact(reference.rule), reference.shown));
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
        self.is_whole &= i64::try_from(found.len()).is_ok_and(|len| len < limit);
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
                Rule::Empty => self.emptied.entry(reference.child).or_default().insert(place),
                Rule::Check | Rule::Forbid => {
                    self.forbidding.push((reference.clone(), place, row.get(2)));
                    true
                }
            };
            self.rows += usize::from(is_new);
        }
        Ok(fresh)
    }

    fn told(mut self, judge: &Judge<'_>) -> Consequences {
        let mut all = Vec::new();
        let doomed: HashSet<Place> = self.doomed.values().flatten().cloned().collect();
        for (table, places) in &self.doomed {
            let rows = places.iter().filter(|place| !self.chosen.contains(*place)).count();
            if let (Some(shown), 1..) = (self.shown.get(table), rows) {
                all.push(judge.consequence(Impact::Deleted, shown, Some(rows), Vec::new()));
            }
        }
        for (table, places) in &self.emptied {
            let rows = places.difference(&doomed).count();
            if let (Some(shown), 1..) = (self.shown.get(table), rows) {
                all.push(judge.consequence(Impact::Emptied, shown, Some(rows), Vec::new()));
            }
        }
        // What is deleted itself forbids nothing, except that RESTRICT does not wait for what cascades.
        self.forbidding.retain(|(reference, place, _)| match reference.rule {
            Rule::Forbid => !self.chosen.contains(place),
            _ => !doomed.contains(place),
        });
        let mut by_table: BTreeMap<&str, BTreeMap<&Place, Option<&str>>> = BTreeMap::new();
        for (reference, place, key) in &self.forbidding {
            by_table.entry(&reference.shown).or_default().insert(place, key.as_deref());
        }
        for (shown, places) in by_table {
            let mut keys: Vec<_> = places.values().flatten().map(|key| (*key).to_owned()).collect();
            keys.sort_unstable();
            keys.truncate(KEYS_MAX);
            all.push(judge.consequence(Impact::Forbidding, shown, Some(places.len()), keys));
        }
        for (impact, shown) in &self.unread {
            all.push(judge.consequence(*impact, shown, None, Vec::new()));
        }
        all.sort_by(|a, b| (a.impact, &a.table).cmp(&(b.impact, &b.table)));
        Consequences { all, is_whole: self.is_whole }
    }
}

fn impact(rule: Rule) -> Impact {
    match rule {
        Rule::Cascade => Impact::Deleted,
        Rule::Empty => Impact::Emptied,
        Rule::Check | Rule::Forbid => Impact::Forbidding,
    }
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
        table: &str,
        rows: Option<usize>,
        keys: Vec<String>,
    ) -> Consequence {
        let missing = if impact == Impact::Deleted { self.missing(table) } else { None };
        Consequence {
            impact,
            table: table.to_owned(),
            kind: self.kinds(table).next().cloned(),
            rows: rows.map(|rows| u64::try_from(rows).unwrap_or(u64::MAX)),
            keys,
            missing,
        }
    }
}
