//! What can go wrong with the local server, in words that say what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the local server could not be found, fetched, started, joined or stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LocalError {
    /// There is no place for the server's files.
    #[error(
        "there is no folder for the local PostgreSQL: neither HOME nor XDG_DATA_HOME is set to \
         an absolute path; set one of them, or give the folder or a database URL"
    )]
    NoFolder,

    /// The user that has to run the server cannot get to the folder.
    #[error(
        "the user `{account}`, who has to run PostgreSQL because root may not, cannot enter \
         `{folder}`; allow it with `chmod o+x {folder}`, or choose another folder"
    )]
    Unreachable {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// The user that is to run the server.
        account: String,
    },

    /// Root may not run PostgreSQL, and there is nobody else.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor a \
         user `nobody`; create one with `useradd --system postgres`, or run Gesta as a user"
    )]
    NoAccount,

    /// The data folder belongs to somebody who cannot run the server for us.
    #[error(
        "`{data}` belongs to the user with id {owner}, and PostgreSQL can be run by its folder's \
         owner only, never by root; run Gesta as that user, or hand the folder over with `chown`"
    )]
    Owner {
        /// The data folder.
        data: PathBuf,
        /// Its owner.
        owner: u32,
    },

    /// The folder that was named holds no usable server.
    #[error(
        "`{dir}`, which was given as the folder of PostgreSQL's programs, cannot be used: \
         {reason}; name the folder that holds `postgres`, `initdb` and `pg_ctl`, or none"
    )]
    GivenFolder {
        /// What was given.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// No server was found, and none could be fetched.
    #[error(
        "no PostgreSQL 15 or newer was found, and none could be fetched\n{tried}\n\
         install it with one of\n  \
         apt install postgresql\n  dnf install postgresql-server\n  brew install postgresql@18\n\
         or give the URL of a database that runs elsewhere"
    )]
    NotFound {
        /// What was tried, a line each.
        tried: String,
    },

    /// The data was made by a version that is not here.
    #[error(
        "`{data}` was made by PostgreSQL {major}, and only that version can run it; it was not \
         found\n{tried}\n\
         install it with one of\n  \
         apt install postgresql-{major}\n  dnf install postgresql{major}-server\n  \
         brew install postgresql@{major}\n\
         or dump it elsewhere and move the folder away to begin anew with another version"
    )]
    VersionNotFound {
        /// The data folder.
        data: PathBuf,
        /// The version that made it.
        major: u32,
        /// What was tried, a line each.
        tried: String,
    },

    /// There is a data folder, but PostgreSQL has not made it.
    #[error(
        "`{data}` is no data folder of PostgreSQL: it has no readable PG_VERSION; move it away, \
         and a new one is made"
    )]
    NotData {
        /// The folder.
        data: PathBuf,
    },

    /// Another process starts or stops the server, and does not finish.
    #[error(
        "another process has been starting or stopping the local PostgreSQL in `{home}` for more \
         than {seconds} s; end the process that holds `{home}/lock` (`fuser {home}/lock` names it)"
    )]
    Busy {
        /// The folder of everything.
        home: PathBuf,
        /// How long we waited.
        seconds: u64,
    },

    /// A server that was not started here uses the data.
    #[error(
        "process {pid}, which Gesta has not started, runs PostgreSQL on `{data}`; stop it with \
         `pg_ctl -D {data} stop`, or use it by giving its URL"
    )]
    Foreign {
        /// The other server.
        pid: i32,
        /// The data folder.
        data: PathBuf,
    },

    /// A new data folder could not be made.
    #[error("failed to create the data folder `{data}`: initdb ended with {status}\n{output}")]
    Initdb {
        /// The folder to be.
        data: PathBuf,
        /// How `initdb` ended.
        status: String,
        /// The last lines it wrote.
        output: String,
    },

    /// The server ended while it was starting.
    #[error("failed to start PostgreSQL: it ended with {status}; the end of `{log}`:\n{tail}")]
    Ended {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },

    /// The server does not get ready, or does not go away.
    #[error(
        "failed to {doing} PostgreSQL within {seconds} s; look for its processes, and at the end \
         of `{log}`:\n{tail}"
    )]
    TooSlow {
        /// What we waited for.
        doing: &'static str,
        /// How long we waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },

    /// The server that answers is not the one of this folder.
    #[error(
        "the server that answers in `{socket}` runs on `{found}`, not on `{wanted}`; stop it, or \
         choose another folder"
    )]
    OtherServer {
        /// Where we asked.
        socket: PathBuf,
        /// The folder that it runs on.
        found: PathBuf,
        /// The folder that we meant.
        wanted: PathBuf,
    },

    /// The operating system refused something.
    #[error("failed to {doing} `{path}`")]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
}

impl LocalError {
    /// For `map_err`: names the operation and the path.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
