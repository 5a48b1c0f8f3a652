//! `gesta query`: what a search means, without running it.

use std::fmt::Write as _;

use serde::Serialize;

use super::exit::{Code, Told};
use super::negation::{QUERY, given};
use super::output::Format;
use super::session::Session;
use crate::search::{self, Node, Query, known};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta query explain 'verb:invoice outcome:failed occurred:>2h'
  gesta query explain 'about:issue:70 OR (changed:status to:done)' -o jsonl";

/// What the search language is, for the help of every command that takes it.
pub(super) const LANGUAGE: &str = "\
Searches:
  crash \"on save\"                 texts in verb, description, ids and names; all must be there
  a OR b, (a b), NOT a, -a        a text as -a only inside of quotes or after --, or it is a flag; -verb:x anywhere
  actor:user:42, object:, target:, about:     also actor:alice, actor.type:, actor.name:, …
  verb:invoice                    it and invoice.paid; a list: verb:open,close
  occurred:>2h, occurred:2026-11, occurred:2026-11-01..today, ..2026-11     recorded: likewise
  changed:status from:draft to:published      has:changes,data,context,object,target,run,description
  outcome:failed, source:bulk, run:ID, id:ID, req:ID, trace:, ip:10.0.0.0/8, ua:, reason:, audience:
  data.amount:>1000, context.a.b:x            key:* has any, key:\"\" has none, key:!=a has not";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show how a search was understood, and which indexes it walks
    #[command(before_help = EXAMPLES, after_help = LANGUAGE)]
    Explain {
        /// The search
        #[arg(value_name = QUERY, required = true)]
        query: Vec<String>,
    },
}

#[derive(Serialize)]
struct Explained<'a> {
    query: String,
    indexes: Vec<&'static str>,
    tree: &'a Node,
}

/// The search of some arguments.
pub(super) fn understood(words: &[String]) -> anyhow::Result<Query> {
    let words: Vec<_> = words.iter().map(|word| given(word)).collect();
    let text = words.join(" ");
    Query::parse(&text).map_err(|error| {
        let mut told = error.with_carets(&text);
        if error.problems.iter().any(|problem| problem.code == search::Code::UnknownKey) {
            let _ = write!(told, "\nkeys are {}", known());
        }
        Told::usage(told).into()
    })
}

/// The first word of a search that is an operator only in capitals, or in another language, and so is a text.
pub(super) fn small_operator(node: &Node) -> Option<&str> {
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter().find_map(small_operator),
        Node::Not(part) => small_operator(part),
        // In quotes it is longer than the text, and meant so.
        Node::Text(text) => {
            let is_one = ["and", "or", "not", "&&", "||"].contains(&text.text.as_str());
            (is_one && text.span.len == text.text.len()).then_some(text.text.as_str())
        }
        Node::Term(_) => None,
    }
}

pub(crate) fn run(args: &Args, session: &Session) -> anyhow::Result<Code> {
    let Command::Explain { query } = &args.command;
    let query = understood(query)?;
    let (text, indexes) = (query.to_string(), query.indexes());
    let mut out = session.out();
    match out.format() {
        Format::Jsonl => out.json(&Explained { query: text, indexes, tree: query.root() })?,
        Format::Csv => {
            out.csv(["query", "indexes"])?;
            out.csv([text.as_str(), indexes.join(" ").as_str()])?;
        }
        Format::Table => {
            out.text(&format!("Search   {text}\nIndexes  {}", indexes.join(", ")))?;
        }
    }
    out.flush()?;
    Ok(Code::Ok)
}
