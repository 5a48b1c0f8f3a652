//! What a run leaves to take away, as a stream of bytes.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use serde_json::json;
use uuid::Uuid;

use super::error::RunError;
use super::info::{ItemOutcome, RunInfo};
use super::items::ItemQuery;
use super::runs::{Runs, begin};
use crate::definition::{Asker, Definition, Download, Item, Piece};
use crate::session::Session;

/// Somebody took away what a run left; on the run, by whoever did.
pub const RUN_DOWNLOAD: &str = "run.download";
/// Objects that are read at a time: few enough for rows of a megabyte.
const PART_LEN: usize = 200;

/// A file on its way.
pub struct Downloaded {
    /// Its content type.
    pub content_type: &'static str,
    /// A name for it: letters, digits, `_`, `-` and points.
    pub file_name: String,
    /// Its bytes. A stream that is dropped reads no further; after an error there is nothing more.
    pub bytes: BoxStream<'static, Result<Bytes, RunError>>,
}

impl fmt::Debug for Downloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloaded").field("file_name", &self.file_name).finish_non_exhaustive()
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    /// The objects behind a place; nothing for the first ones.
    Behind(Option<u32>),
}

impl Runs {
    /// The file of a run that has ended, for whoever ran it and still may: of the objects that it has done, as they are now.
    /// It is read a few objects at a time, each in a transaction of its own, and never held as a whole. The download is an
    /// action before the first byte.
    ///
    /// # Errors
    /// Where there is no such run of the asker's, it leaves nothing to take away, or the asker may not run it any more (which
    /// is recorded); the database's.
    pub async fn download(&self, asker: &Asker, id: Uuid) -> Result<Downloaded, RunError> {
        let run = self.run(&asker.context.tenant, id).await?;
        if run.actor.resource != asker.context.actor().resource {
            return Err(RunError::NotFound(id));
        }
        let Some(offer) = self.catalog.find(asker, &run.kind, &run.name) else {
            return Err(self.refuse(asker, &run.kind, &run.name).await);
        };
        let wrong = |problem| RunError::NoDownload { id, problem };
        let download = offer.definition.download.as_ref();
        let download = download.ok_or_else(|| wrong("its action makes no file"))?;
        if !run.state.is_ended() {
            return Err(wrong("it has not ended"));
        }
        let head = download.head(&run.input);
        let file_name = format!("{}-{}-{id}.{}", run.kind, run.name, head.extension);
        self.tell_download(asker, &run, offer.definition, &file_name).await?;
        let from = From { runs: self.clone(), asker: asker.clone(), run };
        let steps = try_unfold((from, Some(Next::Head)), |(from, next)| async move {
            let Some(next) = next else { return Ok(None) };
            let (bytes, next) = from.step(next).await?;
            Ok(Some((bytes, (from, next))))
        });
        Ok(Downloaded { content_type: head.content_type, file_name, bytes: steps.boxed() })
    }

    async fn tell_download(
        &self,
        asker: &Asker,
        run: &RunInfo,
        definition: &Definition,
        file: &str,
    ) -> Result<(), RunError> {
        let about = (&run.kind, definition.name());
        let told = Self::told(RUN_DOWNLOAD, &asker.context, (run.id, &run.label), about)?;
        let told = told.data(json!({ "file": file, "objects": run.counts.done }));
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        self.append(&tx, vec![told]).await?;
        self.commit(tx, "record the download").await
    }
}

/// Where a download comes from.
struct From {
    runs: Runs,
    asker: Asker,
    run: RunInfo,
}

impl From {
    /// The next bytes, and what comes after them.
    async fn step(&self, next: Next) -> Result<(Bytes, Option<Next>), RunError> {
        let Next::Behind(after) = next else {
            return Ok((self.bytes(&[], next).await?, Some(Next::Behind(None))));
        };
        let wanted = ItemQuery { outcome: Some(ItemOutcome::Done), after, limit: Some(PART_LEN) };
        let page = self.runs.items(&self.run.tenant, self.run.id, wanted).await?;
        if page.items.is_empty() {
            return Ok((Bytes::new(), None));
        }
        let goes_on = page.next.map(|place| Next::Behind(Some(place)));
        let item = |info: super::info::ItemInfo| Item {
            place: info.place,
            object: info.object,
            name: info.name,
        };
        let items: Vec<_> = page.items.into_iter().map(item).collect();
        Ok((self.bytes(&items, next).await?, goes_on))
    }

    /// The bytes of some objects, or what comes before all of them. The transaction is rolled back: nothing was changed.
    async fn bytes(&self, items: &[Item], next: Next) -> Result<Bytes, RunError> {
        let runs = &self.runs;
        let missing =
            || RunError::UnknownAction { kind: self.run.kind.clone(), name: self.run.name.clone() };
        let definition = runs.catalog.known(&self.run.kind, &self.run.name).ok_or_else(missing)?;
        let download: &dyn Download = &**definition.download.as_ref().ok_or_else(missing)?;
        let mut client = runs.client().await?;
        let ctx = self.asker.context.clone().run(self.run.id);
        let session = Session::begin(&runs.store, &mut client, &ctx).await;
        let mut session = session.map_err(|error| RunError::Interrupted(error.into()))?;
        let (catalog, rights) = (&runs.catalog, &self.asker.rights);
        let mut piece = Piece::new(&mut session, catalog, rights, &self.run.kind, items);
        let input = &self.run.input;
        let bytes = match next {
            Next::Head => download.begin(&mut piece, input).await,
            Next::Behind(_) => download.part(&mut piece, input).await,
        };
        bytes.map_err(RunError::Interrupted)
    }
}
