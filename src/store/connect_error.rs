//! What can go wrong between a database URL and a usable connection, and what to do about it.

use std::error::Error as StdError;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why there is no connection, for the person who wrote the database URL.
///
/// No text here, and nothing in the chain of sources, holds the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is neither a URL nor `keyword=value` pairs.
    // The text itself is never quoted: what looks like a host may be half of a password.
    #[error("cannot read the database URL: {0}")]
    Malformed(&'static str),
    /// A parameter that is not known.
    #[error("the database URL has the unknown parameter `{name}`; {near}")]
    UnknownParameter {
        /// The parameter as given.
        name: String,
        /// The known ones that look like it.
        near: String,
    },
    /// A known parameter with a value it cannot have.
    #[error("the parameter `{name}` of the database URL cannot be `{given}`; allowed: {allowed}")]
    InvalidValue {
        /// The parameter.
        name: &'static str,
        /// Its value; `…` where it might be a part of a password.
        given: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// TLS is asked for, and this program cannot do it.
    #[error(
        "sslmode={sslmode} needs TLS, but this program was built without the feature `tls`: \
         build it with `--features tls`, or give sslmode=disable"
    )]
    TlsNotBuilt {
        /// The mode as given.
        sslmode: &'static str,
    },
    /// A certificate or key file is missing or of no use.
    #[error(
        "failed to use `{parameter}={path}`: it must be a readable PEM file that holds {holds}"
    )]
    TlsFile {
        /// The parameter that names the file.
        parameter: &'static str,
        /// The file.
        path: String,
        /// What is looked for in it.
        holds: &'static str,
        /// What happened instead.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server, or something on the way to it, refused.
    #[error("failed to connect to {target}: {reason}")]
    Failed {
        /// Database, host, port and user.
        target: String,
        /// What it means.
        reason: Reason,
        /// What the server or the network said.
        #[source]
        source: Error,
    },
    /// No answer in time.
    #[error(
        "failed to connect to {target}: no answer in time; check host, port and firewalls, or \
         raise connect_timeout"
    )]
    Timeout {
        /// Database, host, port and user.
        target: String,
    },
    /// All connections of the pool stayed in use.
    #[error(
        "failed to get a connection to {target}: all of the pool were in use; look for \
         transactions that stay open, or raise the size of the pool"
    )]
    Exhausted {
        /// Database, host, port and user.
        target: String,
    },
    /// The pool was closed: the program is about to end.
    #[error("failed to get a connection to {target}: the pool is closed")]
    Closed {
        /// Database, host, port and user.
        target: String,
    },
    /// The server is too old.
    #[error(
        "{target} runs PostgreSQL {found}, but Gesta needs {needed} or later: upgrade the server"
    )]
    ServerTooOld {
        /// Database, host, port and user.
        target: String,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        needed: u32,
    },
}

/// What a refused connection means, and what to do; for a person, or for the choice of an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each text says it")]
pub enum Reason {
    #[error("no server answers there; check host and port, and that the server runs and listens")]
    Unreachable,
    #[error("the server does not take this password for this user; check both")]
    WrongPassword,
    #[error("the server asks for a password; give one in the URL, as user:password@host")]
    PasswordMissing,
    #[error("there is no such database; check its name, or create it with `createdb`")]
    UnknownDatabase,
    #[error(
        "not admitted by the server; check user, pg_hba.conf there, and sslcert if it wants one"
    )]
    NotAdmitted,
    #[error("not admitted by the server without TLS; try sslmode=require, or check the user")]
    NotAdmittedPlain,
    #[error("the user lacks a right on the database or on the role to take; GRANT it")]
    Forbidden,
    #[error("the server does not know the role, or another setting, that was asked for")]
    UnknownSetting,
    #[error("the server has no connection left; raise its max_connections, or make pools smaller")]
    TooManyConnections,
    #[error("the server is starting, stopping or recovering; try again soon")]
    NotReady,
    #[error("the server has no TLS; turn on `ssl` there, or give sslmode=prefer or disable")]
    TlsUnsupported,
    #[error("the TLS handshake failed; sslnegotiation=direct needs PostgreSQL 17 or later")]
    TlsFailed,
    #[error(
        "its certificate is not trusted; give the authority that signed it as sslrootcert=FILE"
    )]
    CertificateNotTrusted,
    #[error("its certificate is not valid now; renew it, or correct the clock")]
    CertificateExpired,
    #[error(
        "its certificate is for another host; connect to a name in its subjectAltName (the CN does \
         not count), or give sslmode=verify-ca"
    )]
    HostMismatch,
    #[error("the server does not take the client certificate; check sslcert and sslkey")]
    ClientCertificate,
    #[error("login failed; channel_binding=require works only with TLS and SCRAM passwords")]
    LoginFailed,
    #[error("the connection was refused or broke off")]
    Other,
}

impl Reason {
    /// What `error`, made while connecting, means.
    pub(super) fn of(error: &Error, plain: Plain) -> Self {
        if let Some(code) = error.code() {
            return Self::of_code(code, plain);
        }
        #[cfg(feature = "tls")]
        if let Some(reason) = cause::<io::Error>(error).and_then(of_tls) {
            return reason;
        }
        // tokio-postgres keeps its kinds private: these texts are all it tells (tests/connect.rs).
        let detail = error.source().map(ToString::to_string).unwrap_or_default();
        match (error.to_string().as_str(), detail.as_str()) {
            (_, "server does not support TLS") => Self::TlsUnsupported,
            (_, "password missing") => Self::PasswordMissing,
            ("authentication error", _) => Self::LoginFailed,
            (TLS_FAILED, _) => Self::TlsFailed,
            _ if cause::<io::Error>(error).is_some() => Self::Unreachable,
            _ => Self::Other,
        }
    }

    fn of_code(code: &SqlState, plain: Plain) -> Self {
        match *code {
            SqlState::INVALID_PASSWORD => Self::WrongPassword,
            SqlState::INVALID_CATALOG_NAME => Self::UnknownDatabase,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION => match plain {
                Plain::Yes => Self::NotAdmittedPlain,
                Plain::No => Self::NotAdmitted,
            },
            SqlState::INSUFFICIENT_PRIVILEGE => Self::Forbidden,
            SqlState::INVALID_PARAMETER_VALUE | SqlState::UNDEFINED_OBJECT => Self::UnknownSetting,
            SqlState::TOO_MANY_CONNECTIONS => Self::TooManyConnections,
            SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => {
                Self::NotReady
            }
            _ => Self::Other,
        }
    }
}

/// Whether a connection went without TLS over the network, where a server may insist on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Yes,
    No,
}

/// What tokio-postgres says of every failed handshake.
const TLS_FAILED: &str = "error performing TLS handshake";

#[cfg(feature = "tls")]
/// Whether libpq would try again without TLS under `sslmode=prefer`.
pub(super) fn worth_a_plain_try(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || error.to_string() == TLS_FAILED
}

fn cause<T: StdError + 'static>(error: &Error) -> Option<&T> {
    error.source().and_then(|source| source.downcast_ref())
}

/// What an I/O error means, where rustls is behind it.
#[cfg(feature = "tls")]
fn of_tls(error: &io::Error) -> Option<Reason> {
    use rustls::{AlertDescription, CertificateError as C, Error};
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            Some(Reason::HostMismatch)
        }
        Error::InvalidCertificate(
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
        ) => Some(Reason::CertificateExpired),
        Error::InvalidCertificate(_) => Some(Reason::CertificateNotTrusted),
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateRequired
            | AlertDescription::DecryptError,
        ) => Some(Reason::ClientCertificate),
        _ => Some(Reason::TlsFailed),
    }
}
