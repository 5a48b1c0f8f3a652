//! Chunks of an import into the log: straight, or through a staging table.

use std::ops::Range;

use deadpool_postgres::{Client, Transaction};
use futures_util::SinkExt;
use tokio_postgres::error::SqlState;

use super::append::{compare_action, insert_action};
use super::import::Chunk;
use super::retry::{self, Verdict};
use super::{Failure, Store, failed};
use crate::import::{Problem, Refusal};
use crate::resource::Tenant;

/// Whether row security applies to this role: then COPY is refused.
const SECURED: &str = "-- store::load::secured
SELECT row_security_active('gesta.action')";

const COPY: &str = "-- store::load::copy
COPY gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
FROM STDIN (FORMAT binary)";

/// One a connection. `n` is the place in the chunk.
const CREATE_STAGE: &str = "-- store::load::create_stage
CREATE TEMPORARY TABLE IF NOT EXISTS gesta_import_stage (
    tenant text, id uuid, actor_type text, actor_id text, verb text, object_type text, object_id text, target_type text,
    target_id text, occurred_at timestamptz, run_id uuid, source text, outcome text, description text, changes jsonb,
    data jsonb, names jsonb, context jsonb, audience text[], n bigint GENERATED ALWAYS AS IDENTITY
)";

const DROP_STAGE: &str = "-- store::load::drop_stage
DROP TABLE IF EXISTS pg_temp.gesta_import_stage";

const EMPTY_STAGE: &str = "-- store::load::empty_stage
TRUNCATE pg_temp.gesta_import_stage RESTART IDENTITY";

const COPY_STAGE: &str = "-- store::load::copy_stage
COPY pg_temp.gesta_import_stage (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
FROM STDIN (FORMAT binary)";

/// In the order of ids, so that two imports that meet the same ids wait for each other in one order only; of rows with
/// the same id the first one counts.
const INSERT: &str = insert_action!(
    "-- store::load::insert
WITH scope AS (SELECT set_config('gesta.tenant', $1, true))",
    ("scope, pg_temp.gesta_import_stage AS r
ORDER BY r.id, r.n"),
    "
ON CONFLICT (tenant, id) DO NOTHING
RETURNING id"
);

/// Runs after `INSERT` in the same transaction, so the tenant is set, and every row finds one of its id.
const CONFLICTS: &str = concat!(
    compare_action!(
        "-- store::load::conflicts
SELECT c.n
FROM (",
        "pg_temp.gesta_import_stage AS r"
    ),
    ") AS c
WHERE NOT c.same
ORDER BY c.n"
);

/// What became of the rows of a chunk.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) appended: u64,
    pub(crate) duplicates: u64,
    pub(crate) conflicts: Vec<Refusal>,
    pub(crate) refused: Vec<Refusal>,
}

/// The way of rows into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Straight,
    Staged,
}

/// Whether the role may copy into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Copy,
    RowSecurity,
}

/// Stores chunks on one connection, and on another one where that breaks.
pub(crate) struct Loader {
    store: Store,
    tenant: Tenant,
    session: Option<Session>,
    rights: Rights,
    way: Way,
}

/// A connection, and whether it has a staging table.
struct Session {
    client: Client,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Missing,
    Made,
}

/// Counts of a transaction, before or after its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counts {
    appended: u64,
    duplicates: u64,
    /// Places in the piece.
    conflicts: Vec<usize>,
}

impl Loader {
    pub(crate) async fn start(store: &Store, tenant: &Tenant) -> Result<Self, Failure> {
        let client = store.client().await?;
        let row = client.query_one(SECURED, &[]).await.map_err(failed("ask for row security"))?;
        let (rights, way) = if row.get(0) {
            (Rights::RowSecurity, Way::Staged)
        } else {
            (Rights::Copy, Way::Straight)
        };
        let (store, tenant) = (store.clone(), tenant.clone());
        let session = Some(Session { client, stage: Stage::Missing });
        Ok(Self { store, tenant, session, rights, way })
    }

    /// Leaves the connection as it was. A failure to do so is no failure of the import.
    pub(crate) async fn finish(mut self) {
        if let Some(Session { client, stage: Stage::Made }) = self.session.take() {
            let _ = client.batch_execute(DROP_STAGE).await;
        }
    }

    /// Stores some rows of a chunk. Where the database refuses them for the sake of a row, halves are tried, down to
    /// that row.
    pub(crate) async fn store(
        &mut self,
        chunk: &Chunk,
        rows: Range<usize>,
    ) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let mut pieces = vec![rows];
        while let Some(piece) = pieces.pop() {
            match self.store_piece(chunk, &piece).await {
                Ok(counts) => {
                    self.choose_way(&counts);
                    tally.appended += counts.appended;
                    tally.duplicates += counts.duplicates;
                    let conflicts = counts.conflicts.iter().map(|row| conflict(chunk, *row));
                    tally.conflicts.extend(conflicts);
                }
                Err(failure) if retry::judge(&failure) != Verdict::Row => return Err(failure),
                Err(failure) if piece.len() == 1 => {
                    tally.refused.push(refused(chunk, piece.start, &failure));
                }
                Err(_) => {
                    let middle = piece.start + piece.len() / 2;
                    pieces.extend([middle..piece.end, piece.start..middle]);
                }
            }
        }
        Ok(tally)
    }

    /// Where duplicates were met there will be more of them; after a clean piece the straight way is tried again.
    fn choose_way(&mut self, counts: &Counts) {
        let clean = counts.duplicates == 0 && counts.conflicts.is_empty();
        self.way = if clean && self.rights == Rights::Copy { Way::Straight } else { Way::Staged };
    }

    /// Stores a piece in one transaction, again where the failure is one that passes.
    async fn store_piece(
        &mut self,
        chunk: &Chunk,
        piece: &Range<usize>,
    ) -> Result<Counts, Failure> {
        // What a transaction counted whose commit was not answered.
        let mut doubtful: Option<Counts> = None;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut counts = None;
            let failure = match self.transact(chunk, piece, &mut counts).await {
                Ok(counts) => return Ok(settle(doubtful, counts)),
                Err(failure) => failure,
            };
            let meets_duplicates =
                self.way == Way::Straight && failure.code() == Some(&SqlState::UNIQUE_VIOLATION);
            if meets_duplicates {
                self.way = Way::Staged;
                continue;
            }
            if attempt >= retry::ATTEMPTS_MAX || retry::judge(&failure) != Verdict::Again {
                return Err(failure);
            }
            if retry::leaves_doubt(&failure) {
                doubtful = counts.or(doubtful);
            }
            // Whatever it was, after a failure that may repeat itself the way that cannot meet an id twice is taken.
            self.way = Way::Staged;
            tracing::warn!(attempt, error = %crate::error::chain(&failure), "storing a chunk again");
            retry::wait(attempt).await;
        }
    }

    /// One transaction. Its counts are left behind as soon as nothing but the commit is missing.
    async fn transact(
        &mut self,
        chunk: &Chunk,
        piece: &Range<usize>,
        counts: &mut Option<Counts>,
    ) -> Result<Counts, Failure> {
        let mut session = match self.session.take() {
            Some(session) if !session.client.is_closed() => session,
            _ => Session { client: self.store.client().await?, stage: Stage::Missing },
        };
        let done = session.run(self.way, &self.tenant, chunk, piece, counts).await;
        self.session = Some(session);
        done
    }
}

impl Session {
    async fn run(
        &mut self,
        way: Way,
        tenant: &Tenant,
        chunk: &Chunk,
        piece: &Range<usize>,
        counts: &mut Option<Counts>,
    ) -> Result<Counts, Failure> {
        if way == Way::Staged && self.stage == Stage::Missing {
            self.client
                .batch_execute(CREATE_STAGE)
                .await
                .map_err(failed("make a staging table"))?;
            self.stage = Stage::Made;
        }
        let tx = self.client.transaction().await.map_err(failed("begin"))?;
        let done = match way {
            Way::Straight => straight(&tx, chunk, piece).await?,
            Way::Staged => staged(&tx, tenant, chunk, piece).await?,
        };
        *counts = Some(done.clone());
        tx.commit().await.map_err(failed("commit"))?;
        Ok(done)
    }
}

/// After a commit that was not answered: where all that it would have stored is found, it was stored by it.
fn settle(doubtful: Option<Counts>, found: Counts) -> Counts {
    match doubtful {
        Some(before) if found.appended == 0 && found.conflicts == before.conflicts => before,
        _ => found,
    }
}

async fn straight(
    tx: &Transaction<'_>,
    chunk: &Chunk,
    piece: &Range<usize>,
) -> Result<Counts, Failure> {
    let appended = copy(tx, COPY, chunk, piece).await?;
    Ok(Counts { appended, duplicates: 0, conflicts: Vec::new() })
}

async fn staged(
    tx: &Transaction<'_>,
    tenant: &Tenant,
    chunk: &Chunk,
    piece: &Range<usize>,
) -> Result<Counts, Failure> {
    let tenant = tenant.as_str();
    tx.batch_execute(EMPTY_STAGE).await.map_err(failed("empty the staging table"))?;
    let staged = copy(tx, COPY_STAGE, chunk, piece).await?;
    let insert = tx.prepare_cached(INSERT).await.map_err(failed("prepare"))?;
    let appended = tx.execute(&insert, &[&tenant]).await.map_err(failed("insert staged rows"))?;
    let mut conflicts = Vec::new();
    if appended < staged {
        let compare = tx.prepare_cached(CONFLICTS).await.map_err(failed("prepare"))?;
        let rows = tx.query(&compare, &[&tenant]).await.map_err(failed("compare staged rows"))?;
        let places = rows.iter().map(|row| usize::try_from(row.get::<_, i64>(0) - 1));
        conflicts.extend(places.flatten().map(|place| piece.start + place));
    }
    let duplicates = staged - appended - conflicts.len() as u64;
    Ok(Counts { appended, duplicates, conflicts })
}

/// Copies rows, and says how many there were.
async fn copy(
    tx: &Transaction<'_>,
    sql: &'static str,
    chunk: &Chunk,
    piece: &Range<usize>,
) -> Result<u64, Failure> {
    let statement = tx.prepare_cached(sql).await.map_err(failed("prepare"))?;
    let sink = tx.copy_in(&statement).await.map_err(failed("begin to copy"))?;
    futures_util::pin_mut!(sink);
    for message in chunk.rows.messages(piece) {
        sink.feed(message).await.map_err(failed("copy"))?;
    }
    sink.finish().await.map_err(failed("copy"))
}

fn conflict(chunk: &Chunk, row: usize) -> Refusal {
    let id = chunk.rows.id(row).map(|id| format!(" {id}")).unwrap_or_default();
    let text = format!("another action has the id{id} already; nothing was overwritten");
    let problem = Problem { field: Some("id".to_owned()), text };
    Refusal { line: chunk.lines[row], problem, raw: Box::default() }
}

fn refused(chunk: &Chunk, row: usize, failure: &Failure) -> Refusal {
    let text = crate::error::visible(&crate::error::chain(failure)).into_owned();
    let problem = match column(failure) {
        Some(field) => Problem::of(&field, text),
        None => Problem { field: None, text },
    };
    Refusal { line: chunk.lines[row], problem, raw: Box::default() }
}

/// The column that the server names, where it does: of its own accord, or in the context of COPY.
fn column(failure: &Failure) -> Option<String> {
    let Failure::Statement { source, .. } = failure else { return None };
    let error = source.as_db_error()?;
    let of_copy = |context: &str| {
        Some(context.split_once(", column ")?.1.split([':', '\n']).next()?.to_owned())
    };
    error.column().map(str::to_owned).or_else(|| error.where_().and_then(of_copy))
}
