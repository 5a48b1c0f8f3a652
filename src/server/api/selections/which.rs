//! Which objects a body selects: a selection that was made before, or ids, a filter, a search, or ids inside of a filter.

use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Type};
use uuid::Uuid;

use crate::access::Scope;
use crate::definition::Asker;
use crate::resource::ResourceType;
use crate::run::{Filter, SELECTED_LEN_MAX, SelectionInfo, Which};
use crate::search::Query;
use crate::server::openapi::text::{or_null, resource_id, search_text, uuid};
use crate::server::read::search_of_body;
use crate::server::{AppState, Caller, Fault, Kind, Problem};

/// What a body says of it. Fields may be null, which is as if they were left out.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) selection: Option<Uuid>,
    pub(crate) terms: Terms,
}

/// What a body says of objects that are to be selected.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) filter: Option<Value>,
    pub(crate) q: Option<String>,
}

/// What was understood of it.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// A selection that was made before.
    Made(Uuid),
    /// One that is to be made.
    New(Which),
}

const TERMS: &str = "`ids`, `filter` and `q`";
const ANYTHING: &str = "`selection`, `ids`, `filter` and `q`";

impl Given {
    /// Whether anything is said at all, and not too much.
    pub(crate) fn understood(self) -> Result<Chosen, Problem> {
        match (self.selection, self.terms.which(ANYTHING)?) {
            (Some(made), None) => Ok(Chosen::Made(made)),
            (None, Some(which)) => Ok(Chosen::New(which)),
            (Some(_), Some(_)) => Err(too_much(ANYTHING)),
            (None, None) => Err(nothing(ANYTHING)),
        }
    }
}

impl Terms {
    /// The same, where no selection can be named.
    pub(super) fn understood(self) -> Result<Which, Problem> {
        self.which(TERMS)?.ok_or_else(|| nothing(TERMS))
    }

    fn which(self, choices: &str) -> Result<Option<Which>, Problem> {
        Ok(match (self.ids, self.filter, self.q) {
            (None, None, None) => None,
            (Some(ids), None, None) => Some(Which::Ids(ids)),
            (None, Some(rows), None) => Some(Which::Rows(Filter::from_json(&rows)?)),
            (Some(ids), Some(rows), None) => {
                Some(Which::Within { ids, rows: Filter::from_json(&rows)? })
            }
            (None, None, Some(q)) => Some(Which::Log(Query::parse(&q).map_err(search_of_body)?)),
            _ => return Err(too_much(choices)),
        })
    }
}

fn nothing(choices: &str) -> Problem {
    refused("nothing says which objects", choices)
}

fn too_much(choices: &str) -> Problem {
    refused("more than one thing says which objects", choices)
}

fn refused(why: &str, choices: &str) -> Problem {
    let detail = format!("{why}; give one of {choices}, or `ids` together with `filter`");
    Problem::fault(Kind::Unprocessable, Fault::pointer("", "one-of", detail))
}

impl Chosen {
    /// The selection, which is made where it is not there yet.
    pub(crate) async fn made(
        self,
        state: &AppState,
        caller: &Caller,
        asker: &Asker,
        kind: &ResourceType,
    ) -> Result<Uuid, Problem> {
        match self {
            Self::Made(id) => Ok(id),
            Self::New(which) => Ok(select(state, caller, asker, kind, which).await?.id),
        }
    }
}

/// Makes a selection.
pub(super) async fn select(
    state: &AppState,
    caller: &Caller,
    asker: &Asker,
    kind: &ResourceType,
    which: Which,
) -> Result<SelectionInfo, Problem> {
    let reader = match which {
        Which::Log(_) => Some(caller.reader(Scope::EventsRead)?),
        _ => None,
    };
    Ok(state.runs().select(asker, kind, which, reader.as_ref()).await?)
}

/// Fields of a body that selects.
pub(crate) fn properties(schema: ObjectBuilder) -> ObjectBuilder {
    let ids = ArrayBuilder::new()
        .schema_type(or_null(Type::Array))
        .items(resource_id())
        .max_items(Some(SELECTED_LEN_MAX))
        .description(Some("Objects by their ids. What is not there is left out."));
    let filter = ObjectBuilder::new()
        .schema_type(or_null(Type::Object))
        .additional_properties(Some(AdditionalProperties::<utoipa::openapi::Schema>::FreeForm(true)))
        .description(Some(
            "Objects whose columns have these values, all of them: `{\"state\": \"draft\"}`; one of several: \
             `{\"state\": [\"draft\", \"review\"]}`. Together with `ids`: those of the ids that the filter finds.",
        ));
    let q = search_text().schema_type(or_null(Type::String)).description(Some(
        "Objects of this type in the actions that the search finds. It needs `events:read`.",
    ));
    schema.property("ids", ids).property("filter", filter).property("q", q)
}

/// A selection that was made before.
pub(crate) fn id_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .format(Some(uuid()))
        .description(Some("A selection that was made before."))
}
