//! A private, real PostgreSQL that Gesta finds or fetches, and runs itself.
//!
//! For whoever starts Gesta without naming a database, and for the tests, which need a server that
//! they may kill. [`Server::start`] starts the server of a [`Home`] or joins the one that runs.
//!
//! It is not a way to run a production cluster: one folder, one major version, no upgrade, no
//! replication, reachable only through a Unix socket of the same machine. Unix only.
//!
//! # What always holds
//!
//! - **The server runs while somebody uses it, and not much longer.** Every process that uses it
//!   keeps the FIFO `alive` open for writing. A watcher reads it, and the end of file, which comes
//!   when the last writer has gone by whatever death, makes it stop the server in good order
//!   (`watch.rs`).
//! - **Whether something of the server still runs is asked of the kernel, not of a process id.**
//!   The server and all its processes hold `running` locked (`home.rs`). A process id in
//!   `postmaster.pid` may belong to somebody else by now, above all in containers.
//! - **One process at a time starts, joins or stops**: it holds `lock`. `initdb` and the download
//!   inherit it, so that what a killed starter leaves behind is over before the next one looks.
//! - **A half-made folder is never used**: data and downloads are made aside, then renamed.
//! - **Who may connect is decided by the file system.** The socket's folder is open to the user
//!   that runs the server, and to root; whoever gets there is trusted (`pg_hba.conf` says `trust`),
//!   so no password has to be kept anywhere. Nothing listens on the network.
//! - **The server is as durable as PostgreSQL is by default**, unless a test asks otherwise.
//! - **The environment is not read here.** What it has to say comes in through [`Env`] and
//!   [`Search`]; the server itself starts with an empty one.
//!
//! # The folder
//!
//! | name | what |
//! |---|---|
//! | `lock` | locked while a process starts, joins or stops the server |
//! | `running` | locked as long as any process of the server lives |
//! | `alive` | FIFO that every user keeps open |
//! | `data`, `data.new` | PostgreSQL's data folder; the same while `initdb` works on it |
//! | `run` | the socket's folder, or a link to a shorter one under `/tmp` |
//! | `log`, `log.old` | the server's log since its last start; the log before that |
//! | `postgres-…` | the fetched server, if one had to be fetched |
//!
//! | `nats` | the same for a private NATS server, if one was started |
//!
//! Start reading at `server.rs`.
//!
//! # NATS
//!
//! [`Broker::start`] does the same for a nats-server with JetStream, in the folder `nats` of the home, by the same
//! means. It listens on a port of 127.0.0.1 that the system chooses, and a random password that only the server's user
//! can read keeps everybody else out.

mod account;
mod binaries;
mod broker;
mod broker_program;
mod error;
mod fetch;
mod home;
mod initdb;
mod open;
mod postmaster;
mod server;
mod socket;
mod watch;

pub use binaries::{Binaries, Fetch, MAJOR_MIN, Places, Search};
pub use broker::{Broker, BrokerError};
pub use broker_program::{BrokerProgram, BrokerSearch};
pub use error::LocalError;
#[cfg(feature = "cli")]
pub(crate) use home::write_private;
pub use home::{Env, Home};
#[cfg(feature = "cli")]
pub(crate) use open::operator;
pub use open::{DATABASE, OpenError, Private, admin};
pub use server::{Durability, Left, Options, SUPERUSER, Server};
pub use watch::Hold;
