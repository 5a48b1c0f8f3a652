//! `gesta run download`: the file that a run has left, byte by byte as a program reads it.

use futures_util::TryStreamExt as _;

use super::One;
use crate::cli::engine::{By, Engine};
use crate::cli::exit::Code;
use crate::cli::session::Session;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(args: &Args, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &args.by).await?;
    let mut file = engine.runs.download(&engine.asker, args.one.id).await?;
    let mut out = session.out();
    while let Some(bytes) = file.bytes.try_next().await? {
        out.bytes(&bytes)?;
    }
    out.flush()?;
    Ok(Code::Ok)
}
