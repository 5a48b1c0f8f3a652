//! `gesta show`: everything of one action.

use super::entry::{Detail, Printer};
use super::exit::{Code, Told};
use super::session::{Role, Session};
use crate::action::ActionId;
use crate::format::Item;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta show 0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f    `gesta log -l` tells the ids";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The action's id
    #[arg(value_name = "ID")]
    id: ActionId,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let database = session.open(Role::App).await?;
    let Some(action) = database.reader.action(args.id).await? else {
        let text = format!("there is no action {} in the tenant `{}`", args.id, session.tenant);
        return Err(Told::not_found(text).into());
    };
    let mut out = session.out();
    Printer::new(Detail::Full, database.store.now()).print(&mut out, &[Item::from(&action)])?;
    out.flush()?;
    Ok(Code::Ok)
}
