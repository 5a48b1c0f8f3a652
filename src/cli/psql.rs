//! `gesta psql`: PostgreSQL's own prompt, as an ordinary role.
//!
//! The role `gesta_user` has the rights of `gesta_app`, so whoever gets it is trusted like an application; it owns nothing of
//! Gesta's, and may make schemas and tables of its own: they go to the schema `gesta_user`, which `"$user"` in the search path
//! stands for.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::Context as _;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::Client;

use super::exit::{Code, Told};
use super::say;
use super::session::{Session, is_member};
use crate::config::{Environment, Place};
use crate::local::{DATABASE, Server, operator};
use crate::resource::Tenant;
use crate::store::{Endpoint, PoolOptions, libpq_variables, migrate};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta psql                                              a prompt
  gesta psql -c 'SELECT verb, count(*) FROM gesta.action GROUP BY verb'
  gesta psql -c 'CREATE TABLE note (id int, text text)'   goes to your own schema
  gesta psql -- -o out.txt -c 'SELECT 1'                  -- before flags that gesta has too";

/// Who is at the prompt.
const USER: &str = "gesta_user";

/// Variables of libpq that would lead psql elsewhere than the flags and the URL do.
const MISLEADING: [&str; 12] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGSSLMODE",
    "PGREQUIREAUTH",
    "PGTARGETSESSIONATTRS",
];

const OWN_SCHEMA: &str = "-- cli::psql::own_schema
CREATE SCHEMA IF NOT EXISTS gesta_user";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments of psql
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    // Ctrl-C belongs to psql, which ends a query with it. Without this it would end us, and the server with us.
    let _interrupts = signal(SignalKind::interrupt())?;
    let mut command;
    let _server = match session.place()? {
        Place::Home(home) => {
            let server = session.start(&home).await?;
            command = psql(session, Some(&server))?;
            private(&mut command, &server, &session.tenant).await?;
            Some(server)
        }
        Place::Url { endpoint, text } => {
            command = psql(session, None)?;
            remote(&mut command, &endpoint, text.reveal(), &session.tenant).await?;
            None
        }
    };
    let status = command.args(args.args).status().await;
    Ok(code(status.context("failed to run psql")?))
}

/// As `gesta_user`, who may log in to the private server.
async fn private(command: &mut Command, server: &Server, tenant: &Tenant) -> anyhow::Result<()> {
    migrate(&mut operator(server).await?).await?;
    let client = Endpoint::from(server.config(USER, DATABASE)).connect_guarded().await?;
    make_own_schema(&client).await;
    command
        .env("PGHOST", server.socket_dir())
        .env("PGPORT", server.port().to_string())
        .env("PGDATABASE", DATABASE)
        .env("PGUSER", USER)
        .env("PGOPTIONS", options(None, tenant, None));
    Ok(())
}

/// As the URL's user, in the role `gesta_user` where the user may take it.
async fn remote(
    command: &mut Command,
    endpoint: &Endpoint,
    url: &str,
    tenant: &Tenant,
) -> anyhow::Result<()> {
    let variables = libpq_variables(url)?;
    let given =
        variables.iter().find(|(name, _)| *name == "PGOPTIONS").map(|(_, value)| value.clone());
    let may = is_member(&endpoint.connect_guarded().await?, USER).await?;
    if may {
        let pool = endpoint.pool(&PoolOptions::default().role(USER).size(1).guarded()).await?;
        make_own_schema(&*pool.get().await?).await;
    } else {
        say::note(&format!(
            "the user may not act as {USER}, so psql runs as the user itself; to change it, GRANT {USER} TO it"
        ));
    }
    command.envs(variables);
    command.env("PGOPTIONS", options(given.as_deref(), tenant, may.then_some(USER)));
    Ok(())
}

/// Where it cannot be made, people have no schema of their own, and that is all.
async fn make_own_schema(client: &Client) {
    if let Err(error) = client.batch_execute(OWN_SCHEMA).await {
        say::warning(&format!(
            "there is no schema for your own tables: {}; GRANT CREATE ON DATABASE … TO {USER}",
            crate::error::chain(&error)
        ));
    }
}

/// Row security shows the rows of this tenant; own tables are found first, then Gesta's.
fn options(given: Option<&str>, tenant: &Tenant, role: Option<&str>) -> String {
    let mut text = given.map(|given| format!("{given} ")).unwrap_or_default();
    let _ = write!(text, "-c gesta.tenant={}", escaped(tenant.as_str()));
    text += " -c search_path=\"$user\",public,gesta";
    role.map_or(text.clone(), |role| format!("{text} -c role={role}"))
}

/// In `PGOPTIONS` blanks separate, and a backslash takes the next sign as it is.
fn escaped(value: &str) -> String {
    let escape = |sign: char| (sign == '\\' || sign.is_whitespace()).then_some('\\');
    value.chars().flat_map(|sign| escape(sign).into_iter().chain([sign])).collect()
}

fn psql(session: &Session, server: Option<&Server>) -> Result<Command, Told> {
    let Some(program) = find(&session.environment, server) else {
        return Err(Told::not_found(
            "psql is neither beside the server's programs nor on the PATH; install it with one of\n  \
             apt install postgresql-client\n  dnf install postgresql\n  brew install libpq\n\
             or say by PSQL=/path/to/psql where it is",
        ));
    };
    let mut command = Command::new(program);
    for name in MISLEADING {
        command.env_remove(name);
    }
    Ok(command)
}

/// What `PSQL` names, that of the server, that of `PG_BIN`, the first on the PATH.
pub(super) fn find(environment: &Environment, server: Option<&Server>) -> Option<PathBuf> {
    if let Some(given) = &environment.psql {
        return Some(given.clone());
    }
    let beside = server.map(|server| server.binaries().dir().to_owned());
    let dirs = beside.into_iter().chain(environment.pg_bin.clone());
    dirs.chain(std::env::split_paths(&environment.path))
        .map(|dir| dir.join("psql"))
        .find(|path| path.is_file())
}

/// As a shell gives it: a program that a signal ended has 128 and the signal's number.
fn code(status: ExitStatus) -> Code {
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Code::Passed(u8::try_from(number).unwrap_or(1))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn tenant_cannot_bring_in_options_of_its_own() {
        let tenant = Tenant::new("a -c role=postgres\\").expect("a tenant");
        assert_eq!(
            options(Some("-c work_mem=1MB"), &tenant, Some("r")),
            "-c work_mem=1MB -c gesta.tenant=a\\ -c\\ role=postgres\\\\ \
             -c search_path=\"$user\",public,gesta -c role=r"
        );
    }
}
