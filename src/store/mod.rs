//! The database side of Gesta: the only code that opens connections and writes.
//!
//! Start reading at [`Endpoint`]: from a database URL to a pool.

mod connect_error;
mod dsn;
mod pool;
#[cfg(feature = "tls")]
mod tls;

pub use connect_error::{ConnectError, Reason};
pub use pool::{Endpoint, PoolOptions};
