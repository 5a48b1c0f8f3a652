//! Why a database is not migrated, and what its operator does about it.

use tokio_postgres::error::SqlState;

/// Why a database cannot be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A released file is not what was applied.
    #[error(
        "migration {name} was applied to this database with checksum {applied}, but this program has {own}: \
         it was built from a changed schema; use a released build"
    )]
    Changed {
        /// The file.
        name: &'static str,
        /// What the database recorded.
        applied: String,
        /// What this program holds.
        own: String,
    },
    /// The database is ahead of the program.
    #[error(
        "this database is at migration {applied}, this program knows {known}: use a newer gesta"
    )]
    Newer {
        /// The last one applied.
        applied: i32,
        /// The last one known.
        known: i32,
    },
    /// The connection's role may not do it.
    #[error("role {role} may not migrate database {database}; as a superuser run: {grants}")]
    Rights {
        /// Who is connected, quoted as in SQL.
        role: String,
        /// To what, quoted as in SQL.
        database: String,
        /// The statements that give it what it lacks.
        grants: String,
    },
    /// A step failed; nothing of it remains.
    #[error("failed to apply migration {name}")]
    Apply {
        /// The file.
        name: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// Anything else that the database refused.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
}

impl MigrateError {
    /// Whether another database of the cluster was being migrated at this moment. Roles and memberships belong to the
    /// cluster, and no lock of ours reaches beyond one database, so two runs can meet in the system catalogs; PostgreSQL
    /// has no code of its own for a tuple that was concurrently updated there.
    pub(super) fn is_race(&self) -> bool {
        let (Self::Apply { source, .. } | Self::Database { source, .. }) = self else {
            return false;
        };
        [
            SqlState::INTERNAL_ERROR,
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_OBJECT,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .iter()
        .any(|state| source.code() == Some(state))
    }
}
