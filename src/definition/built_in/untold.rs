//! The actions of rows that a deletion takes with it, and that no trigger tells of: made before it, under the rows' locks.
//!
//! The database still deletes them itself: a deletion of ours, row by row from the bottom up, would need rights that a cascade
//! does not, would go past `ON DELETE RESTRICT`, and would not end where rows refer to each other.

use super::super::consequence::Impact;
use super::super::level::Level;
use super::super::piece::{Fault, Piece};
use super::cascade::{Found, Place, Untold, kind_of};
use super::relation::{VALUE, rows};
use crate::action::{Audience, NewAction, Source};
use crate::json::Json;
use crate::resource::{Resource as _, ResourceRef, ResourceType};
use crate::session::fill;
use crate::store::table::quoted;

/// Rows that are read at a time.
const PART_LEN: usize = 1_000;
/// Actions that are kept before they are recorded: as many as an INSERT has.
const KEPT_MAX: usize = 10_000;
/// Bytes of their changes.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Rows by their places: what they are called, and what is told of them. The condition gives the hidden columns a type where
/// nothing asks for them.
const ROWS: &str = "-- definition::built_in::untold
SELECT {id}, {name}, {changes}, clock_timestamp()
FROM unnest($1::oid[], $3::text[]::tid[]) AS d (relation, place)
JOIN {table} AS c ON c.ctid = d.place AND c.tableoid = d.relation
WHERE $2::text[] IS NOT NULL";

/// What a deleted row was.
const DELETED: &str = "(SELECT json_object_agg(e.key, json_build_array({value}, NULL))::text
    FROM json_each(row_to_json(c.*)) AS e WHERE e.value::text <> 'null')";

/// Whose objects the rows of a table are, and how they are told.
struct Known {
    kind: ResourceType,
    id: String,
    name: String,
    hidden: Vec<String>,
    audience: Audience,
    /// What is told of a deleted row.
    deleted: String,
}

impl Known {
    fn of(piece: &Piece<'_, '_>, untold: &Untold) -> Result<Option<Self>, Fault> {
        let (reference, mut resources) = (&untold.reference, piece.catalog.resources());
        let of_type = resources.find_map(|(kind, spec)| {
            let (_, key) = spec.table_and_key().filter(|it| it.0 == reference.shown)?;
            Some((kind, spec, key))
        });
        let Some((kind, spec, key)) = of_type else {
            let known = kind_of(reference).zip(reference.id.clone());
            return Ok(known.map(|(kind, id)| Self {
                kind,
                id,
                name: "NULL::text".to_owned(),
                hidden: Vec::new(),
                audience: Audience::auditors(),
                deleted: "NULL::text".to_owned(),
            }));
        };
        let wrong = |error| Fault::caused(format!("the type `{kind}` has no such column"), error);
        let name = match spec.name_column_name() {
            Some(column) => format!("left(c.{}::text, 256)", quoted(column).map_err(wrong)?),
            None => "NULL::text".to_owned(),
        };
        Ok(Some(Self {
            kind: kind.clone(),
            id: format!("c.{}::text", quoted(key).map_err(wrong)?),
            name,
            hidden: spec.hidden_columns().to_vec(),
            audience: Audience::default(),
            deleted: fill(DELETED, &[("value", VALUE)]),
        }))
    }
}

/// The actions of rows that something is about to happen to. Where there are many, the first ones are recorded at once.
pub(super) async fn actions(
    piece: &mut Piece<'_, '_>,
    all: &[Untold],
) -> Result<Vec<NewAction>, Fault> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    for untold in all {
        let Some(known) = Known::of(piece, untold)? else { continue };
        for places in untold.places.chunks(PART_LEN) {
            bytes += read(piece, untold, &known, places, &mut kept).await?;
            if kept.len() + PART_LEN > KEPT_MAX || bytes > KEPT_BYTES_MAX {
                piece.session.emit_all(std::mem::take(&mut kept)).await?;
                bytes = 0;
            }
        }
    }
    Ok(kept)
}

/// Adds the actions of some rows, and gives the bytes of their changes.
async fn read(
    piece: &mut Piece<'_, '_>,
    untold: &Untold,
    known: &Known,
    places: &[Place],
    actions: &mut Vec<NewAction>,
) -> Result<usize, Fault> {
    let (verb, changes) = match untold.impact {
        Impact::Emptied => ("update", format!("{}::text", untold.reference.emptied)),
        _ => ("delete", known.deleted.clone()),
    };
    let slots = [
        ("id", known.id.as_str()),
        ("name", &known.name),
        ("changes", &changes),
        ("table", &untold.reference.table),
    ];
    let (tables, places): (Vec<u32>, Vec<&str>) =
        places.iter().map(|(table, place)| (*table, place.as_str())).unzip();
    let tx = piece.session.transaction();
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&tables, &known.hidden, &places];
    let found = rows(tx, "read what goes with them", &fill(ROWS, &slots), &params).await?;
    let mut bytes = 0;
    for row in &found {
        let id = row.get::<_, Option<&str>>(0).unwrap_or_default();
        let object = ResourceRef::new(known.kind.as_str(), id).map_err(|error| {
            let table = &untold.reference.shown;
            Fault::caused(format!("a row of {table} that goes with it cannot be recorded"), error)
        })?;
        let mut object = object.to_named();
        object.name = row.get(1);
        let action = NewAction::new(verb, piece.session.context())
            .source(Source::Run)
            .audience(known.audience.clone())
            .object(&object)
            .at(row.get(3));
        actions.push(match row.get::<_, Option<String>>(2) {
            Some(changes) => {
                bytes += changes.len();
                action.changes(Json::from_text(changes))
            }
            None => action,
        });
    }
    Ok(bytes)
}

/// Says what went with the objects and is not recorded.
pub(super) fn warn(piece: &mut Piece<'_, '_>, found: &Found) {
    for sentence in found.consequences.unrecorded() {
        piece.tell(Level::Warning, sentence);
    }
    if found.is_cut {
        let text =
            "more rows went with it than are recorded one by one; smaller selections would be";
        piece.tell(Level::Warning, text);
    }
}
