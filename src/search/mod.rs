//! Searching: one language for people, over the log, for the HTTP API, live streams and the command line.
//!
//! [`Query::parse`] understands a text, or says what is wrong where. [`SearchQuery`] reads its results page by page and
//! counts them; [`Query::matches`] decides on an action in memory, by exactly the same rules. Start reading at
//! [`Query`]; `parse.rs` makes the tree, `compile.rs` the SQL, `matches.rs` looks at an action.
//!
//! # Grammar
//!
//! ```text
//! query  = or
//! or     = and { "OR" and }
//! and    = not { ["AND"] not }
//! not    = { "-" | "NOT" } atom
//! atom   = "(" query ")" | key ":" value | phrase | word
//! value  = "*" | '""' | ["!="] list | (">" | ">=" | "<" | "<=") scalar | scalar ".." scalar
//! list   = scalar { "," scalar }
//! scalar = word | phrase | word phrase …          phrase = '"' text with \" and \\ '"'
//! ```
//!
//! `OR`, `AND` and `NOT` are operators in capitals only. `key:*` means that there is any value, `key:""` that there is
//! none, `key:!=a` the same as `-key:a`. `*` has no other meaning; what is asked for as text is found wherever it stands.
//!
//! # Keys
//!
//! | key | what of the action | values |
//! |---|---|---|
//! | `actor`, `object`, `target`, `about` | who, to what, in what, any of them | `type:id` exactly; without a colon an id exactly, or a name in any case |
//! | `actor.type`, `object.type`, … | its type | exactly |
//! | `actor.name`, `object.name`, … | what it was called then | a part of it |
//! | `verb` (`action`) | what was done | in any case; `invoice` and `invoice.*` mean it and all that begins with `invoice.` |
//! | `occurred` | when it happened, as its id says | times; ordered |
//! | `recorded` (`created`) | when it was stored | times; ordered |
//! | `changed` | a field of the changes | exactly |
//! | `from`, `to` | an old, a new value of a changed field: of the fields of the `changed:` beside it, else of any | JSON values |
//! | `has` | whether there is | `changes`, `data`, `context`, `object`, `target`, `run`, `description`, `*` for any |
//! | `run`, `id` | run, id of the action | UUIDs |
//! | `source` | the way in | `save`, `bulk`, `emit`, `run`, `api`, `import`, `trigger` |
//! | `outcome` | how it ended | `ok` (`success`), `failed` (`failure`), `denied` |
//! | `req` (`request`) | `context.request_id` | exactly |
//! | `trace`, `ua`, `reason` | `context.trace`, `.user_agent`, `.reason` | a part of it |
//! | `ip` | `context.ip` | an address or a network, IPv4 or IPv6 |
//! | `audience` | a label, as the action was appended with | exactly |
//! | `data.PATH`, `context.PATH` | the value at the path, or an element of the array there | JSON values; ordered |
//!
//! A word or phrase is looked for in verb, description, and in type, id and name of actor, object and target. "In any
//! case" and "a part of it" treat the letters A to Z alike in upper and lower case, and no others, whatever the
//! database's locale is: so both ways of looking agree to the last row.
//!
//! JSON values: a number equals a number of the same value (`1` is `1.0`), and a text the string or boolean of these
//! letters; `>1000` compares with numbers only, to the last digit, and `>b` with strings only, by their bytes.
//!
//! Times are those of [`when::When`], in UTC. A day or month stands for all of it: `occurred:2026-11` is within,
//! `>2026-11` after, `>=2026-11` since it began, and a range takes in both its ends; `2026-11..` and `..2026-11` have one.
//!
//! # Limits
//!
//! 4 KiB of text, 32 parentheses inside of each other, 64 terms, 100 values in a list, and [`TIMEOUT`] for each
//! statement. The tree is walked by recursion, which the depth bounds.

mod error;
mod key;
mod number;
pub mod when;
mod query;
mod value;
mod parse;
mod range;
mod matches;
mod access;
mod compile;
mod page;
mod zone;
mod count;

pub use count::{
    BARS_MAX, COUNT_MAX, Counted, FACET_ROWS_MAX, FACET_TOP_MAX, Facets, Histogram, Split, SplitBar,
};
pub use error::{Code, ParseError, Problem, Span};
#[cfg(feature = "server")]
pub(crate) use key::known;
pub use key::{Key, Who};
pub use page::{SearchQuery, TIMEOUT};
pub use parse::{DEPTH_MAX, LIST_LEN_MAX, TERMS_MAX, TEXT_LEN_MAX};
pub use query::{Node, Op, Part, Query, Scalar, Term, Text, Value};
pub use zone::Zone;
