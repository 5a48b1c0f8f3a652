//! `POST /events:validate`: the checks of appending, and nothing is stored. Whether an id is taken is not looked for.

use axum::extract::State;
use axum::response::Response;

use super::batch::{format, parsed};
use crate::server::admit::Sender;
use crate::server::entries::{ANY, Entry, any};
use crate::server::refusal::Refusal;
use crate::server::results::{Fate, Item, Results};
use crate::server::{AppState, Appends, Payload, Problem, Query, content_type};

pub(crate) async fn post(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Appends(caller): Appends,
    payload: Payload,
) -> Result<Response, Problem> {
    let answer = format(&payload.headers, content_type(&payload.headers, &ANY)?)?;
    let entries = parsed(payload, Sender::new(&caller), any).await?;
    let items = entries.into_iter().map(|entry| look(&state, entry)).collect();
    Ok(Results(items).reply(answer))
}

fn look(state: &AppState, Entry { place, action }: Entry) -> Item {
    let checked = action.and_then(|action| {
        let stamped = state.store().stamp(action);
        stamped.map_err(|invalid| Refusal::from(crate::import::Problem::from(invalid)))
    });
    let fate = match checked {
        Ok(_) => Fate::Valid,
        Err(refusal) => Fate::Invalid(refusal.fault),
    };
    Item { place, fate }
}
