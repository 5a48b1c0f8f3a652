//! Deletes what is selected.

use super::super::consequence::Consequences;
use super::super::effect::Operation;
use super::super::model::{Definition, Risk};
use super::super::piece::{Fate, Fault, Piece};
use super::cascade::{Found, Hold, Judge, Reach, reach, walk};
use super::relation::{Relation, VALUE, rows};
use super::untold;
use crate::action::{NewAction, Source};
use crate::json::Json;
use crate::resource::Resource as _;
use crate::session::fill;

/// The rows, told by their places among the keys, with what they were and the time under their locks.
const DELETE: &str = "-- definition::built_in::delete
DELETE FROM {table} AS t
USING unnest($1::text[]::{kind}[]) WITH ORDINALITY AS g (key, n)
WHERE t.{key} = g.key
RETURNING g.n, (SELECT json_object_agg(e.key, json_build_array({value}, NULL))::text FROM json_each(row_to_json(t.*)) AS e
    WHERE e.value::text <> 'null'), clock_timestamp()";

struct Delete;

/// Deletes the selected objects of any type that has a table, for those who have the permission `TYPE.delete`; what goes
/// with them by `ON DELETE CASCADE` needs the permission of its own type, where it has one.
///
/// Each deletion is an action `delete` with what the row was: of the table's triggers where it is tracked (see
/// [`crate::track`]), else of the run, with `***` for the type's hidden columns. An object that is no longer there is skipped.
///
/// The same holds for rows that go with them, and rows that lose their reference by `ON DELETE SET NULL` or `SET DEFAULT` are
/// an `update`. Rows of a table that is of no type are told to auditors alone, as `schema.table:KEY`, and of deleted ones no
/// value: nobody has said which are secrets. Nothing is recorded of rows without a primary key, in tables that this role may
/// not read, and behind the first 100,000 that go with a piece, unless the table is tracked; the plan and the run say so.
#[must_use]
pub fn delete() -> Definition {
    Definition::new("delete", "Delete this {name}", Delete)
        .plural("Delete these {plural}")
        .about(
            "Deletes the selected objects, and what the database deletes with them. Before it runs it says how many \
             rows that is, and what forbids it.",
        )
        .permissions(&["{type}.delete"])
        .risk(Risk::Danger)
        .on_rows()
        .example(serde_json::json!({}))
}

impl Operation for Delete {
    type Input = ();

    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        let relation = Relation::of(piece).await?;
        let Checked::Allowed(found) = check(piece, &relation).await? else { return Ok(()) };
        let mut actions = match &found {
            Some(found) => untold::actions(piece, &found.untold).await?,
            None => Vec::new(),
        };
        let deleted = delete_rows(piece, &relation).await?;
        if let (Some(found), false) = (&found, deleted.is_empty()) {
            untold::warn(piece, found);
        }
        if !relation.is_tracked {
            actions.extend(deleted);
        }
        if !actions.is_empty() {
            piece.session.emit_all(actions).await?;
        }
        Ok(())
    }

    async fn consequences(
        &self,
        piece: &mut Piece<'_, '_>,
        (): &(),
    ) -> Result<Consequences, Fault> {
        let relation = Relation::of(piece).await?;
        let (ids, judge) = (piece.open_ids(), judge(piece));
        let found = walk(piece.session.transaction(), &relation, &ids, Hold::Loose, &judge).await?;
        Ok(found.consequences)
    }
}

fn judge<'p>(piece: &Piece<'p, '_>) -> Judge<'p> {
    Judge { catalog: piece.catalog, rights: piece.rights }
}

/// Whether a piece may be deleted.
enum Checked {
    /// With what goes with it, where triggers do not tell of all that may.
    Allowed(Option<Found>),
    /// It was said of its object that it may not.
    Denied,
}

/// Whether all that goes with the objects may be deleted by the asker, and what it is. A piece where something may not fails,
/// so that it is divided; of a single object it is said.
async fn check(piece: &mut Piece<'_, '_>, relation: &Relation) -> Result<Checked, Fault> {
    let (found, reach) = {
        let (tx, judge) = (piece.session.transaction(), judge(piece));
        let reach = reach(tx, relation, &judge).await?;
        if reach == Reach::Told {
            return Ok(Checked::Allowed(None));
        }
        (walk(tx, relation, &piece.open_ids(), Hold::Locked, &judge).await?, reach)
    };
    let all = &found.consequences;
    let is_unknown = reach == Reach::Forbidden && !all.is_whole;
    let unknown = "more goes with it than can be checked against your permissions";
    match all.refusal().or_else(|| is_unknown.then(|| unknown.to_owned())) {
        None => Ok(Checked::Allowed(Some(found))),
        Some(refusal) if piece.items.len() == 1 => {
            piece.settle(0, Fate::Denied(refusal));
            Ok(Checked::Denied)
        }
        Some(refusal) => Err(Fault::new(refusal)),
    }
}

/// Deletes the rows, and gives the actions that tell of them.
async fn delete_rows(
    piece: &mut Piece<'_, '_>,
    relation: &Relation,
) -> Result<Vec<NewAction>, Fault> {
    let ids: Vec<&str> = piece.items.iter().map(|item| item.object.id.as_str()).collect();
    let hidden = relation.hidden.as_slice();
    let mut slots = relation.slots().to_vec();
    slots.push(("value", VALUE));
    let tx = piece.session.transaction();
    let found = rows(tx, "delete the rows", &fill(DELETE, &slots), &[&ids, &hidden]).await?;
    let mut was_there = vec![false; ids.len()];
    let mut actions = Vec::with_capacity(found.len());
    for row in &found {
        let index = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
        let Some(item) = piece.items.get(index) else { continue };
        was_there[index] = true;
        let mut object = item.object.to_named();
        object.name.clone_from(&item.name);
        let action = NewAction::new("delete", piece.session.context())
            .source(Source::Run)
            .object(&object)
            .at(row.get(2));
        actions.push(match row.get::<_, Option<String>>(1) {
            Some(changes) => action.changes(Json::from_text(changes)),
            None => action,
        });
    }
    piece.skip_gone(was_there);
    Ok(actions)
}
