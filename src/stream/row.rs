//! Rows of the log as actions.

use serde::Deserialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::action::{Action, ActionId, Audience, Outcome, Source};
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

/// The action in a row. It fails only where something else than this crate wrote the row.
pub(crate) fn action(row: &Row) -> Result<Action, Malformed> {
    let names = match row.try_get::<_, Option<Json>>(17)? {
        Some(names) => serde_json::from_str(names.get())?,
        None => Names::default(),
    };
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
        audience: Audience::labels(row.try_get::<_, Vec<String>>(19)?),
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
