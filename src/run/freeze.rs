//! Resolving a selection: one INSERT … SELECT on the server, in the order of the table's keys. All runs take rows in the
//! same order, so that two over the same rows wait for each other and do not deadlock.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::{RunError, database};
use super::info::SelectionInfo;
use super::open;
use super::runs::{Runs, begin, query};
use super::select::{Filter, SELECTED_LEN_MAX, SELECTION_LIFE, Which};
use super::version::{self, Names};
use crate::definition::{Asker, TypeSpec};
use crate::error::quote;
use crate::resource::{ResourceId, ResourceType};
use crate::search::{Query, SearchQuery};
use crate::store::table::{Table, quoted};
use crate::store::{Failure, failed};
use crate::stream::Reader;

/// Characters of a name, of at most four bytes each.
const NAME_CHARS: &str = "256";

/// Objects of the selections that somebody may have open before the next one is refused.
const OPEN_LEN_MAX: usize = 5 * SELECTED_LEN_MAX;

/// Values of a filter's column.
const VALUES_MAX: usize = 10_000;

/// Objects of all selections that somebody has made and that have not expired.
const OPEN: &str = "-- run::freeze::open
SELECT coalesce(sum(s.total), 0)::bigint AS total
FROM gesta.selection AS s
WHERE s.tenant = $1 AND s.maker_type = $2 AND s.maker_id = $3 AND s.expires_at > clock_timestamp()";

const KEEP: &str = "-- run::freeze::keep
INSERT INTO gesta.selection (tenant, id, object_type, maker_type, maker_id, rule, total, dropped, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + $9 * interval '1 second')";

/// Ids of a type without a table are what they are; the same one twice is one object.
const IDS: &str = "-- run::freeze::ids
INSERT INTO gesta.selected (tenant, selection, place, object_id)
SELECT $1, $2, row_number() OVER (ORDER BY g.id) - 1, g.id
FROM (SELECT DISTINCT u.id COLLATE \"C\" AS id FROM unnest($3::text[]) AS u (id)) AS g";

/// What is being selected, for whom.
pub(super) struct Freeze<'a> {
    pub(super) runs: &'a Runs,
    pub(super) asker: &'a Asker,
    pub(super) kind: &'a ResourceType,
    pub(super) spec: &'a TypeSpec,
    pub(super) reader: Option<&'a Reader>,
}

/// How an id that is given is compared with a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    /// As the key's type, by its index.
    Typed,
    /// As texts: an id among them is none of the key's type.
    Text,
}

/// A condition on rows, and its parameters, which begin at $3.
struct Condition {
    sql: String,
    params: Vec<Vec<String>>,
}

impl Freeze<'_> {
    /// Makes the selection, or nothing of it.
    pub(super) async fn freeze(&self, which: Which) -> Result<SelectionInfo, RunError> {
        match self.attempt(&which, Compare::Typed).await {
            // Nobody knows which id it was, so all are compared as texts, which no index answers.
            Err(RunError::Filter(_)) if matches!(which, Which::Ids(_) | Which::Within { .. }) => {
                self.attempt(&which, Compare::Text).await
            }
            other => other,
        }
    }

    async fn attempt(&self, which: &Which, compare: Compare) -> Result<SelectionInfo, RunError> {
        let id = open::random_id()?;
        let mut client = self.runs.client().await?;
        let tx = begin(&mut client, &self.asker.context.tenant).await?;
        version::settings(&tx).await?;
        let given = given(which)?;
        self.check_open(&tx).await?;
        let len = self.insert(&tx, id, which, compare).await?;
        let dropped = given.saturating_sub(len);
        if len == 0 {
            return Err(RunError::EmptySelection { dropped: number(dropped) });
        }
        if len > SELECTED_LEN_MAX {
            return Err(RunError::TooMany);
        }
        self.keep(&tx, id, rule(which, given), len, dropped).await?;
        let info = open::find(&tx, self.asker, id).await?.info;
        tx.commit().await.map_err(database("keep the selection"))?;
        Ok(info)
    }

    /// Each selection is rows on the disk for an hour.
    async fn check_open(&self, tx: &Transaction<'_>) -> Result<(), RunError> {
        let (ctx, actor) = (&self.asker.context, &self.asker.context.actor().resource);
        let params: [&(dyn ToSql + Sync); 3] =
            [&ctx.tenant.as_str(), &actor.kind.as_str(), &actor.id.as_str()];
        let rows = query(tx, "read the selections", OPEN, &params).await?;
        let open: i64 = rows.first().map_or(Ok(0), |row| super::runs::cell(row, "total"))?;
        if usize::try_from(open).is_ok_and(|open| open >= OPEN_LEN_MAX) {
            return Err(RunError::TooManyOpen { open });
        }
        Ok(())
    }

    /// Gives how many objects there are.
    async fn insert(
        &self,
        tx: &Transaction<'_>,
        id: Uuid,
        which: &Which,
        compare: Compare,
    ) -> Result<usize, RunError> {
        let names = Names::find(&self.runs.store, tx, self.kind, self.spec).await?;
        let (ids, rows) = match which {
            Which::Log(query) => return self.log(tx, id, query, names.as_ref()).await,
            Which::Ids(ids) => (Some(ids), None),
            Which::Rows(rows) => (None, Some(rows)),
            Which::Within { ids, rows } => (Some(ids), Some(rows)),
        };
        let Some(names) = names else {
            return match (ids, rows) {
                (Some(ids), None) => self.ids(tx, id, ids).await,
                _ => Err(RunError::Filter(format!(
                    "the type `{}` has no table; give ids or a search",
                    self.kind
                ))),
            };
        };
        let mut condition = Condition { sql: "true".to_owned(), params: Vec::new() };
        if let Some(ids) = ids {
            condition.ids(&names, ids, compare);
        }
        if let Some(rows) = rows {
            condition.rows(&names.known, self.spec, rows)?;
        }
        let sql = format!(
            "-- run::freeze::rows
INSERT INTO gesta.selected (tenant, selection, place, object_id, name, version)
SELECT $1, $2, row_number() OVER (ORDER BY t.{key}) - 1, t.{key}::text, {name}, hashtextextended(t::text, 0)
FROM {table} AS t
WHERE {condition}
ORDER BY t.{key}
LIMIT {limit}",
            key = names.key,
            name = self.name()?,
            table = names.table,
            condition = condition.sql,
            limit = SELECTED_LEN_MAX + 1,
        );
        let tenant = self.asker.context.tenant.as_str();
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &id];
        params.extend(condition.params.iter().map(|values| values as &(dyn ToSql + Sync)));
        let inserted = tx.execute(&sql, &params).await.map_err(|error| self.told(error))?;
        Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
    }

    async fn ids(&self, tx: &Transaction<'_>, id: Uuid, ids: &[String]) -> Result<usize, RunError> {
        for id in ids {
            ResourceId::new(id.as_str()).map_err(RunError::Id)?;
        }
        let tenant = self.asker.context.tenant.as_str();
        let statement = tx.prepare_cached(IDS).await.map_err(database("prepare a statement"))?;
        let inserted = tx.execute(&statement, &[&tenant, &id, &ids]).await;
        let inserted = inserted.map_err(database("keep the selection"))?;
        Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
    }

    /// Objects of actions, joined with the table where there is one.
    async fn log(
        &self,
        tx: &Transaction<'_>,
        id: Uuid,
        query: &Query,
        names: Option<&Names>,
    ) -> Result<usize, RunError> {
        let reader = self.reader.ok_or_else(|| {
            RunError::Filter("a search of the log takes a reader, who sees the log".to_owned())
        })?;
        if reader.tenant() != &self.asker.context.tenant {
            return Err(RunError::Filter("the reader is another tenant's".to_owned()));
        }
        let limit = SELECTED_LEN_MAX + 1;
        let insert = match names {
            Some(Names { table, key, .. }) => format!(
                "INSERT INTO gesta.selected (tenant, selection, place, object_id, name, version)
SELECT $1, $SELECTION, row_number() OVER (ORDER BY t.{key}) - 1, t.{key}::text, {name}, hashtextextended(t::text, 0)
FROM found AS f
JOIN {table} AS t ON t.{key}::text = f.id
ORDER BY t.{key}
LIMIT {limit}",
                name = self.name()?,
            ),
            None => format!(
                "INSERT INTO gesta.selected (tenant, selection, place, object_id)
SELECT $1, $SELECTION, row_number() OVER (ORDER BY f.id) - 1, f.id
FROM found AS f
ORDER BY f.id
LIMIT {limit}"
            ),
        };
        let search = SearchQuery::new(query.clone());
        let inserted = search.over_objects(reader, tx, self.kind, &insert, id).await;
        let inserted = inserted.map_err(|error| match error.code() {
            Some(code) if code.code().starts_with("22") => database("search the log")(error),
            _ => version::told(self.kind, error),
        })?;
        Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
    }

    async fn keep(
        &self,
        tx: &Transaction<'_>,
        id: Uuid,
        rule: Value,
        len: usize,
        dropped: usize,
    ) -> Result<(), RunError> {
        let (ctx, kind) = (&self.asker.context, self.kind.as_str());
        let maker = &ctx.actor().resource;
        let (tenant, life) = (ctx.tenant.as_str(), SELECTION_LIFE.as_secs_f64());
        let (len, dropped) = (signed(len), signed(dropped));
        let params: [&(dyn ToSql + Sync); 9] = [
            &tenant,
            &id,
            &kind,
            &maker.kind.as_str(),
            &maker.id.as_str(),
            &rule,
            &len,
            &dropped,
            &life,
        ];
        query(tx, "keep the selection", KEEP, &params).await.map(drop)
    }

    /// What a row is called, as an expression.
    fn name(&self) -> Result<String, RunError> {
        let Some(column) = self.spec.name_column_name() else { return Ok("NULL::text".to_owned()) };
        let column = quoted(column).map_err(|error| self.misfit(error.to_string()))?;
        Ok(format!("left(t.{column}::text, {NAME_CHARS})"))
    }

    fn misfit(&self, problem: String) -> RunError {
        RunError::Table { kind: self.kind.clone(), problem }
    }

    /// A value that is none of a column's type is the caller's mistake.
    fn told(&self, error: tokio_postgres::Error) -> RunError {
        let Some(code) = error.code() else { return database("select the rows")(error) };
        match (&code.code()[..2], code.code()) {
            ("22", _) | (_, "42883" | "42846" | "42704") => {
                let failure: Failure = failed("compare values")(error);
                RunError::Filter(crate::error::chain(&failure))
            }
            _ => version::told(self.kind, error),
        }
    }
}

impl Condition {
    fn bind(&mut self, values: Vec<String>) -> String {
        self.params.push(values);
        format!("${}::text[]", self.params.len() + 2)
    }

    fn ids(&mut self, names: &Names, ids: &[String], compare: Compare) {
        // What the database could not store is no row's key.
        let ids = ids.iter().filter(|id| !id.contains('\0')).cloned().collect();
        let bound = self.bind(ids);
        let is = match compare {
            Compare::Typed => format!("t.{} = ANY ({bound}::{}[])", names.key, names.key_kind),
            Compare::Text => format!("t.{}::text = ANY ({bound})", names.key),
        };
        self.sql = format!("{} AND {is}", self.sql);
    }

    fn rows(&mut self, table: &Table, spec: &TypeSpec, filter: &Filter) -> Result<(), RunError> {
        for (name, values) in &filter.0 {
            let column = table.column(name).filter(|_| spec.may_filter(name)).ok_or_else(|| {
                let names = table.columns.iter().map(|column| column.name.as_str());
                let known: Vec<_> = names.filter(|name| spec.may_filter(name)).collect();
                let known = known.join("`, `");
                RunError::Filter(format!(
                    "{} cannot be filtered by; there are `{known}`",
                    quote(name)
                ))
            })?;
            if values.is_empty() || values.len() > VALUES_MAX {
                let given = values.len();
                return Err(RunError::Filter(format!(
                    "{} has {given} values; give 1 to {VALUES_MAX}",
                    quote(name)
                )));
            }
            let texts = values.iter().filter_map(|value| text(name, value).transpose());
            let bound = self.bind(texts.collect::<Result<_, _>>()?);
            let sql = quoted(&column.name).map_err(|error| RunError::Filter(error.to_string()))?;
            let or_null = if values.contains(&Value::Null) {
                format!(" OR t.{sql} IS NULL")
            } else {
                String::new()
            };
            self.sql =
                format!("{} AND (t.{sql} = ANY ({bound}::{}[]){or_null})", self.sql, column.kind);
        }
        Ok(())
    }
}

/// A value as PostgreSQL reads it; none for null.
fn text(column: &str, value: &Value) -> Result<Option<String>, RunError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.contains('\0') => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        _ => {
            let problem = "takes texts, numbers, true, false and null";
            Err(RunError::Filter(format!("{} {problem}", quote(column))))
        }
    }
}

/// How many different ids were given.
fn given(which: &Which) -> Result<usize, RunError> {
    let (Which::Ids(ids) | Which::Within { ids, .. }) = which else { return Ok(0) };
    if ids.len() > SELECTED_LEN_MAX {
        return Err(RunError::TooMany);
    }
    Ok(ids.iter().collect::<HashSet<_>>().len())
}

/// How it was asked for.
fn rule(which: &Which, given: usize) -> Value {
    match which {
        Which::Ids(_) => json!({ "ids": given }),
        Which::Rows(rows) => json!({ "filter": rows.to_json() }),
        Which::Log(query) => json!({ "query": query.to_string() }),
        Which::Within { rows, .. } => json!({ "ids": given, "filter": rows.to_json() }),
    }
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn signed(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
