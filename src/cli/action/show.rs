//! `gesta action show`: what an action is called, takes and does.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::engine::{By, Engine};
use crate::cli::exit::Code;
use crate::cli::output::Format;
use crate::cli::session::Session;
use crate::definition::Offer;
use crate::resource::ResourceType;
use crate::server::ActionForm;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The type of the objects
    #[arg(value_name = "TYPE")]
    kind: ResourceType,
    /// The name of the action
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &args.by).await?;
    let offer = engine.offer(&args.kind, &args.name)?;
    let action = ActionForm::from(&offer);
    let mut out = session.out();
    match out.format() {
        Format::Jsonl => out.json(&action)?,
        Format::Csv => {
            out.csv(["name", "label", "plural", "about", "risk", "mode", "unit", "stage", "undo"])?;
            let undo = action.undo.as_deref().unwrap_or_default();
            let ActionForm { name, label, plural, about, risk, mode, unit, stage, .. } = &action;
            out.csv([name, label, plural, about, *risk, *mode, *unit, *stage, undo])?;
        }
        Format::Table => out.text(&text(&args.kind, &offer, &action))?,
    }
    out.flush()?;
    Ok(Code::Ok)
}

fn text(kind: &ResourceType, offer: &Offer<'_>, action: &ActionForm) -> String {
    let mut text = format!("{}\n", action.plural);
    if !action.about.is_empty() {
        let _ = writeln!(text, "{}", action.about);
    }
    let needs = match action.permissions.as_slice() {
        [] => "no permission".to_owned(),
        any => any.join(" or "),
    };
    let risk = match action.risk {
        "none" => "none",
        "confirm" => "it runs after its plan was confirmed",
        _ => "it cannot be taken back; it runs after its plan was confirmed",
    };
    let runs = match (action.mode, action.unit) {
        ("background", "run") => "in the background, all objects or none",
        ("background", _) => "in the background, each object by itself",
        (_, "run") => "at once, all objects or none",
        _ => "at once, each object by itself",
    };
    let undo = action.undo.as_deref().unwrap_or("nothing");
    let rows = [
        ("Stage", action.stage),
        ("Needs", &needs),
        ("Risk", risk),
        ("Runs", runs),
        ("Undone by", undo),
    ];
    text.push('\n');
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    let _ = writeln!(text, "\nInput\n{}", indented(&offer.input().in_words()));
    let _ = writeln!(text, "\nExamples\n{}", indented(&examples(kind, action)));
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Lines that a shell can run, with the inputs of the examples.
fn examples(kind: &ResourceType, action: &ActionForm) -> String {
    let line = |input: &Value| {
        let fields = input.as_object().into_iter().flatten();
        let fields = fields.map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!(" --input {}", quoted(&format!("{name}={value}")))
        });
        let fields: String = fields.collect();
        format!("gesta action run {kind} {} --ids ID,…{fields} --reason TEXT", action.name)
    };
    let lines: Vec<_> = match action.examples.as_slice() {
        [] => vec![line(&Value::Null)],
        examples => examples.iter().map(line).collect(),
    };
    lines.join("\n")
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/@%+".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
