//! A catalog from a TOML file: what can be run, for those who write no Rust.
//!
//! ```toml
//! [types.article]
//! table = "newsroom.article"
//! key = "id"
//! name = "title"
//! singular = "article"
//! plural = "articles"
//! permissions = ["publish"]
//!
//! [[actions]]
//! type = "article"
//! name = "publish"
//! label = "Publish this {name}"
//! permissions = ["article.publish"]
//! sql = """
//! UPDATE newsroom.article SET state = 'published'
//! WHERE id = ANY ($1::bigint[]) AND state <> 'published' RETURNING id"""
//! ```
//!
//! A file has `[types.NAME]`, `[[actions]]` and `disable`, a list of site-wide names. Every type with a table has `delete`
//! and `export` (see [`super::built_in`]); an action without `type` is site-wide.
//!
//! | key of a type | means |
//! |---|---|
//! | `table`, `key` | where its objects are, `schema.table` and a column; both or none |
//! | `name` | the column that tells what an object is called |
//! | `singular`, `plural` | what one and many are called |
//! | `filters` | the columns that a filter may use; all without it |
//! | `hidden` | columns with secrets, which are neither recorded nor exported by what is built in |
//! | `permissions` | words beside `add`, `change`, `delete`, `view` |
//! | `enable` | site-wide actions that are disabled, and which this type has |
//! | `none` | `true`: it has no actions at all |
//!
//! | key of an action | means | without it |
//! |---|---|---|
//! | `type`, `name` | of which type, and its name | site-wide |
//! | `label`, `plural`, `about` | for people; `{name}` and `{plural}` stand for what the type is called | made of the name |
//! | `permissions` | any of them allows it | everybody |
//! | `input`, `examples` | JSON schema, and inputs that fit it | none |
//! | `risk` | `none`, `confirm`, `danger` | `none` |
//! | `background`, `atomic` | a worker runs it; one failure undoes all | no |
//! | `places` | `list`, `object`, `both` | `list` |
//! | `stage` | `alpha`, `beta`, `stable` | `stable` |
//! | `undo` | the name of the action that undoes it | |
//! | `audience` | labels of who sees that it was run, `["public"]` for everybody ([`super::Definition::audience`]) | auditors |
//! | `sql`, `http` or `nats` | what it does: exactly one ([`Sql`], [`super::remote`]) | |
//!
//! | key of `http` | means | without it |
//! |---|---|---|
//! | `url` | where a POST goes | |
//! | `secret_env` | the environment variable with the secret, `whsec_…` | |
//! | `batch` | objects in a request, 1 to 1,000 | 1 |
//! | `timeout_s` | how long an answer may take, 1 to 300 | 15 |
//! | `allow` | names of hosts that may have private addresses | none |
//!
//! | key of `nats` | means | without it |
//! |---|---|---|
//! | `subject` | where workers listen, in a queue group | |
//! | `batch` | objects in an order, 1 to 1,000 | 100 |
//! | `silence_s` | how long a worker may report nothing, 1 to 3,600 | 30 |
//!
//! What is wrong is refused with its line, what is there and what is allowed.

mod error;
mod lines;
mod read;
mod sql;
mod text;

pub use error::FileError;
pub use read::{Nats, Outside, needs_nats, read};
pub use sql::Sql;
