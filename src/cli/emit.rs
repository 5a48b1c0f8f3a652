//! `gesta emit`: one action from flags.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use serde::Serialize;
use uuid::Uuid;

use super::exit::{Code, Told};
use super::output::{Format, Out};
use super::select::{outcome, uuid};
use super::session::{Role, Session, now};
use super::when::When;
use crate::action::{ActionId, Audience, NewAction, Outcome};
use crate::context::Context;
use crate::error::quote;
use crate::json::Json;
use crate::resource::{Named, ResourceRef};
use crate::store::Receipt;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta emit close --actor user:ann --object issue:70 --target project:gesta
  gesta emit edit --actor user:ann --object issue:70 --change status=open,closed
  gesta emit publish --actor user:ann --object page:1 --data '{\"words\": 900}'
  gesta emit login --actor user:ann --outcome denied --reason 'wrong password'
  gesta emit - < actions.jsonl                  the JSON form that `gesta log` gives";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What was done, such as close; `-` reads actions as JSON lines from standard input
    verb: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    why: Why,
}

/// Who, what, when.
#[derive(clap::Args)]
#[command(next_help_heading = "What happened")]
struct What {
    /// Who did it
    #[arg(long, value_name = "TYPE:ID")]
    actor: Option<ResourceRef>,
    /// What they are called
    #[arg(long, value_name = "NAME", requires = "actor")]
    actor_name: Option<String>,
    /// What it was done to
    #[arg(long, value_name = "TYPE:ID")]
    object: Option<ResourceRef>,
    /// What it is called
    #[arg(long, value_name = "NAME", requires = "object")]
    object_name: Option<String>,
    /// In, to or for what it was done
    #[arg(long, value_name = "TYPE:ID")]
    target: Option<ResourceRef>,
    /// What it is called
    #[arg(long, value_name = "NAME", requires = "target")]
    target_name: Option<String>,
    /// A field that changed; values are JSON, else text; may be repeated
    #[arg(long, value_name = "FIELD=OLD,NEW")]
    change: Vec<Change>,
    /// Payload: JSON, or @FILE that holds it
    #[arg(long, value_name = "JSON|@FILE")]
    data: Option<String>,
    /// Free text for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How the attempt ended: ok, failed, denied [default: ok]
    #[arg(long, value_name = "OUTCOME", value_parser = outcome(), hide_possible_values = true)]
    outcome: Option<Outcome>,
    /// When it happened [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<When>,
    /// Its id, a UUIDv7: to repeat the command is safe then
    #[arg(long, value_name = "ID")]
    id: Option<ActionId>,
}

/// The circumstances, and who may see it.
#[derive(clap::Args)]
#[command(next_help_heading = "Circumstances")]
struct Why {
    /// Why it was done
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Whom the actor stood in for
    #[arg(long, value_name = "TYPE:ID")]
    on_behalf_of: Option<ResourceRef>,
    /// Id of the request, as in the application's logs
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Where the request came from
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip: Option<IpAddr>,
    /// The run or bulk operation that it belongs to
    #[arg(long, value_name = "ID", value_parser = uuid)]
    run: Option<Uuid>,
    /// Who may see it; may be repeated; empty for auditors only [default: public]
    #[arg(long, value_name = "LABEL")]
    audience: Vec<String>,
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("{} is not an address such as 10.1.2.3 or 2001:db8::1", quote(text)))
}

/// `status=draft,published`.
#[derive(Clone, Debug)]
struct Change {
    field: String,
    values: [Json; 2],
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{} is not of the form FIELD=OLD,NEW, such as status=open,closed", quote(text))
        };
        let (field, values) = text.split_once('=').ok_or_else(wrong)?;
        let values = halves(values).ok_or_else(wrong)?;
        if field.is_empty() { Err(wrong()) } else { Ok(Self { field: field.to_owned(), values }) }
    }
}

/// Two values at the first comma that leaves JSON on both sides; else two texts at the first comma of all.
fn halves(text: &str) -> Option<[Json; 2]> {
    let both = |(at, _): (usize, &str)| {
        let (old, new) = (&text[..at], &text[at + 1..]);
        Some([Json::parse(old).ok()?, Json::parse(new).ok()?])
    };
    text.match_indices(',').find_map(both).or_else(|| {
        let (old, new) = text.split_once(',')?;
        Some([value(old), value(new)])
    })
}

/// Nothing is null; what is no JSON is a text.
fn value(text: &str) -> Json {
    match text {
        "" => Json::from(serde_json::Value::Null),
        text => Json::parse(text).unwrap_or_else(|_| Json::from(serde_json::Value::from(text))),
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    if args.verb == "-" {
        return super::emit_lines::run(session).await;
    }
    let action = args.action(session, now())?;
    let database = session.open(Role::App).await?;
    let mut client = database.store.client().await?;
    let failed = "failed to append the action";
    let tx = client.transaction().await.context(failed)?;
    let receipt = database.store.append(&tx, action).await?;
    tx.commit().await.context(failed)?;
    let mut out = session.out();
    // Whoever repeats the command because of its error would store the action a second time.
    tell(&mut out, None, receipt).and_then(|()| out.flush()).map_err(|error| {
        let done = format!("the action {} is stored, but that cannot be printed", receipt.id());
        anyhow::Error::new(error).context(done)
    })?;
    Ok(Code::Ok)
}

/// What became of an action, as it is printed.
#[derive(Serialize)]
struct ReceiptForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    receipt: &'static str,
    id: ActionId,
}

/// Prints a receipt.
pub(super) fn tell(out: &mut Out, line: Option<u64>, receipt: Receipt) -> std::io::Result<()> {
    let word = match receipt {
        Receipt::Appended(_) => "appended",
        Receipt::Duplicate(_) => "duplicate",
        Receipt::Conflict(_) => "conflict",
    };
    match out.format() {
        Format::Jsonl => out.json(&ReceiptForm { line, receipt: word, id: receipt.id() }),
        Format::Csv => out.csv([word, &receipt.id().to_string()]),
        Format::Table => out.text(&format!("{word} {}", receipt.id())),
    }
}

impl Args {
    fn action(
        self,
        session: &Session,
        now: chrono::DateTime<chrono::Utc>,
    ) -> anyhow::Result<NewAction> {
        let Self { verb, what, why } = self;
        let Some(actor) = named(what.actor, what.actor_name) else {
            return Err(Told::usage("--actor TYPE:ID is needed: who did it?").into());
        };
        let mut action = NewAction::new(verb, &why.context(&actor, session));
        action.object = named(what.object, what.object_name);
        action.target = named(what.target, what.target_name);
        action.id = what.id;
        action.occurred_at = what.at.map(|when| when.at(now));
        action.outcome = what.outcome.unwrap_or_default();
        action.description = what.description;
        action.changes = changes(&what.change)?;
        action.data = what.data.as_deref().map(payload).transpose()?;
        match why.audience.as_slice() {
            [] => {}
            [label] if label.is_empty() => action.audience = Audience::auditors(),
            labels => action.audience = Audience::labels(labels),
        }
        Ok(action)
    }
}

impl Why {
    fn context(&self, actor: &Named, session: &Session) -> Context {
        let mut context = Context::new(actor).tenant(session.tenant.clone());
        if let Some(run) = self.run {
            context = context.run(run);
        }
        if let Some(reason) = &self.reason {
            context = context.reason(reason);
        }
        if let Some(other) = &self.on_behalf_of {
            context = context.on_behalf_of(other);
        }
        if let Some(id) = &self.request_id {
            context = context.request_id(id);
        }
        match self.ip {
            Some(ip) => context.ip(ip),
            None => context,
        }
    }
}

fn named(resource: Option<ResourceRef>, name: Option<String>) -> Option<Named> {
    let resource = resource?;
    Some(match name {
        Some(name) => resource.named(name),
        None => Named { resource, name: None },
    })
}

fn changes(changes: &[Change]) -> anyhow::Result<Option<Json>> {
    let mut fields = BTreeMap::new();
    for Change { field, values } in changes {
        if fields.insert(field, values).is_some() {
            let text = format!("--change names the field {} twice", quote(field));
            return Err(Told::usage(text).into());
        }
    }
    Ok(if fields.is_empty() { None } else { Some(Json::of(&fields)?) })
}

/// The JSON given, or that of a file.
fn payload(given: &str) -> anyhow::Result<Json> {
    let text = match given.strip_prefix('@') {
        None => given.to_owned(),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("failed to read --data")?;
            text
        }
        Some(path) => std::fs::read_to_string(Path::new(path))
            .with_context(|| format!("failed to read --data from {}", quote(path)))?,
    };
    let wrong = |error| Told::usage(format!("--data {} {error}", quote(&text)));
    Ok(Json::parse(text.trim()).map_err(wrong)?)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn changes_are_json_where_they_can_be_and_else_text() {
        for (given, wanted) in [
            ("status=draft,published", r#"{"status":["draft","published"]}"#),
            ("size=10,12.50", r#"{"size":[10,12.50]}"#),
            ("owner=,user:ann", r#"{"owner":[null,"user:ann"]}"#),
            ("tags=[1,2],[1,2,3]", r#"{"tags":[[1,2],[1,2,3]]}"#),
            ("code=007,008", r#"{"code":["007","008"]}"#),
            ("q=a=1,b=2", r#"{"q":["a=1","b=2"]}"#),
        ] {
            let change = given.parse::<Change>().expect(given);
            let json = changes(&[change]).expect(given).expect("a field");
            assert_eq!(json.get(), wanted);
        }
        for given in ["status", "status=draft", "=a,b"] {
            let error = given.parse::<Change>().expect_err(given);
            assert!(error.contains("is not of the form FIELD=OLD,NEW"), "{error}");
        }
    }
}
