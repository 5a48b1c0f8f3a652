//! `gesta emit -`: actions as JSON lines, appended as they come in, many to a commit.

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::emit::tell;
use super::exit::Code;
use super::output::Out;
use super::say;
use super::session::{Role, Session};
use crate::import::{Entry, Input, Jsonl, ReadError};
use crate::resource::Tenant;
use crate::store::{Receipt, WriteError, Writer};

/// Lines that are on their way at the same time: enough to fill commits, few enough to be answered soon.
const IN_FLIGHT: usize = 512;

type Line = Result<Entry, ReadError>;

/// Appends each line, and answers for each in the order given. A line that is refused does not end it.
pub(super) async fn run(session: &Session) -> anyhow::Result<Code> {
    let database = session.open(Role::App).await?;
    let writer = database.store.writer();
    let lines = read(session.tenant.clone())?;
    let lines =
        stream::unfold(lines, async |mut lines| lines.recv().await.map(|line| (line, lines)));
    let answers = lines.map(|line| append(&writer, line)).buffered(IN_FLIGHT);
    let mut answers = std::pin::pin!(answers);
    let (mut out, mut code) = (session.out(), Code::Ok);
    while let Some(answer) = answers.next().await {
        if !report(&mut out, answer?)? {
            code = Code::Partial;
        }
        out.flush()?;
    }
    Ok(code)
}

/// What became of a line.
struct Answer {
    line: u64,
    result: Result<Receipt, String>,
}

async fn append(writer: &Writer, line: Line) -> anyhow::Result<Answer> {
    let Entry { line, action, .. } = line?;
    let result = match action {
        Err(problem) => Err(problem.text),
        Ok(action) => match writer.append(action).await {
            Ok(receipt) => Ok(receipt),
            Err(WriteError::Invalid(problem)) => Err(problem.to_string()),
            Err(WriteError::Conflict(id)) => Ok(Receipt::Conflict(id)),
            Err(error) => return Err(anyhow::Error::new(error).context(format!("line {line}"))),
        },
    };
    Ok(Answer { line, result })
}

/// Says whether the line is stored.
fn report(out: &mut Out, answer: Answer) -> std::io::Result<bool> {
    let Answer { line, result } = answer;
    match result {
        Ok(Receipt::Conflict(id)) => {
            say::warning(&format!(
                "line {line}: another action has the id {id} already; nothing was overwritten"
            ));
            tell(out, Some(line), Receipt::Conflict(id))?;
            Ok(false)
        }
        Ok(receipt) => tell(out, Some(line), receipt).map(|()| true),
        Err(problem) => {
            say::warning(&format!("line {line}: {problem}"));
            Ok(false)
        }
    }
}

/// Reads on a thread of its own, which may wait for a terminal for ever without keeping the program from its end.
fn read(tenant: Tenant) -> std::io::Result<mpsc::Receiver<Line>> {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    std::thread::Builder::new().name("gesta-stdin".to_owned()).spawn(move || {
        match Jsonl::new(std::io::stdin()).with_optional_ids().entries(&tenant) {
            Err(error) => drop(sender.blocking_send(Err(error))),
            Ok(entries) => {
                for entry in entries {
                    // Nobody listens any more after an error.
                    if sender.blocking_send(entry).is_err() {
                        return;
                    }
                }
            }
        }
    })?;
    Ok(receiver)
}
