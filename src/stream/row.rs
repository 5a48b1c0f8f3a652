//! Rows of the log as actions.

use serde::Deserialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::action::{Action, ActionId, Audience, Outcome, Source};
use crate::error::quote;
use crate::json::Json;
use crate::resource::{Named, ResourceId, ResourceRef, ResourceType, Tenant};

/// The columns that [`action`] reads, in its order.
macro_rules! columns {
    () => {
        "a.tenant, a.id, a.actor_type, a.actor_id, a.verb, a.object_type, a.object_id, a.target_type, a.target_id,
    a.occurred_at, a.recorded_at, a.run_id, a.source, a.outcome, a.description, a.changes, a.data, a.names, a.context,
    a.audience"
    };
}
pub(crate) use columns;

#[derive(Default, Deserialize)]
struct Names {
    actor: Option<String>,
    object: Option<String>,
    target: Option<String>,
}

type Malformed = Box<dyn std::error::Error + Send + Sync>;

/// Which action cannot be understood, so that somebody can look.
#[derive(Debug, thiserror::Error)]
#[error("action {id} of tenant {tenant}")]
struct Unreadable {
    id: Uuid,
    /// Cut and quoted.
    tenant: String,
    source: Malformed,
}

/// The action in a row. It fails only where something else than this crate wrote the row, before the database refused such
/// rows (migration 12), and says which action it is.
///
/// It does not fail over what an action can be told without. Names that are no texts are read as if there were none, an
/// audience that is no list of labels as that of auditors alone. Statements compare the labels of the column itself, and may
/// still find such an action for a reader who has one of them.
pub(crate) fn action(row: &Row) -> Result<Action, Malformed> {
    understand(row).map_err(|source| match (row.try_get(0), row.try_get(1)) {
        (Ok(tenant), Ok(id)) => Unreadable { id, tenant: quote(tenant), source }.into(),
        _ => source,
    })
}

/// The labels of a column, or none where it is null. What is no list of labels is for auditors alone.
pub(crate) fn audience(row: &Row, column: usize) -> Option<Audience> {
    let labels = row.try_get::<_, Option<Vec<String>>>(column);
    labels.unwrap_or_else(|_| Some(Vec::new())).map(Audience)
}

fn understand(row: &Row) -> Result<Action, Malformed> {
    let names = row.try_get::<_, Option<Json>>(17)?;
    let names = names.and_then(|names| serde_json::from_str::<Names>(names.get()).ok());
    let names = names.unwrap_or_default();
    Ok(Action {
        tenant: Tenant::new(row.try_get::<_, String>(0)?)?,
        id: ActionId::try_from(row.try_get::<_, Uuid>(1)?)?,
        actor: named(row.try_get(2)?, row.try_get(3)?, names.actor)?,
        verb: row.try_get(4)?,
        object: optional(row.try_get(5)?, row.try_get(6)?, names.object)?,
        target: optional(row.try_get(7)?, row.try_get(8)?, names.target)?,
        occurred_at: row.try_get(9)?,
        recorded_at: row.try_get(10)?,
        run: row.try_get(11)?,
        source: word(row.try_get(12)?, Source::from_word)?,
        outcome: word(row.try_get(13)?, Outcome::from_word)?,
        description: row.try_get(14)?,
        changes: row.try_get(15)?,
        data: row.try_get(16)?,
        context: row.try_get(18)?,
        audience: audience(row, 19).unwrap_or_else(Audience::auditors),
    })
}

fn word<T>(word: &str, read: fn(&str) -> Option<T>) -> Result<T, Malformed> {
    read(word).ok_or_else(|| format!("`{word}` is not known to this version").into())
}

fn named(kind: &str, id: &str, name: Option<String>) -> Result<Named, Malformed> {
    let resource = ResourceRef { kind: ResourceType::new(kind)?, id: ResourceId::new(id)? };
    Ok(Named { resource, name })
}

fn optional(
    kind: Option<&str>,
    id: Option<&str>,
    name: Option<String>,
) -> Result<Option<Named>, Malformed> {
    match (kind, id) {
        (Some(kind), Some(id)) => named(kind, id, name).map(Some),
        _ => Ok(None),
    }
}
