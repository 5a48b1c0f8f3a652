//! Reading: streams of an object, actor, target, any role, type, run or tenant; follows and feeds.
//!
//! Everything here reads through a [`Reader`], which is one tenant and what it may see there; no function takes a
//! connection, so none can look past it. *Time order*, newest first, is the order of ids; a page is one query; a cursor is
//! the id at the edge of a page, so pages stay right while others append. Start reading at [`query`].

mod cursor;
mod feed;
mod edge;
mod following;
pub mod follow;
mod filter;
mod merge;
mod page;
pub mod query;
mod reader;
pub(crate) mod row;
pub mod history;
pub mod stats;

pub use cursor::{Cursor, CursorError};
pub(crate) use cursor::{Direction, Fingerprint};
pub use feed::{FeedItem, FeedQuery, Reason};
pub(crate) use filter::Conditions;
pub use filter::Filter;
pub use follow::{Edge, Follow, FollowQuery, Role};
pub use history::{Comparison, History, HistoryError, Moment, State};
pub use page::{PAGE_BYTES_MAX, PAGE_LEN_MAX, Page};
pub(crate) use page::{PAGE_LEN, Range, Window, check_limit, check_within};
pub use query::StreamQuery;
pub(crate) use query::conditions;
pub(crate) use reader::Plan;
pub use reader::{QueryError, Reader, Sight};
pub(crate) use row::columns;
pub use stats::{Facet, Period, StatsQuery};
