//! `gesta key`: keys of the HTTP API.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::exit::{Code, Told};
use super::output::Out;
use super::say;
use super::session::Session;
use super::track::{Operator, Who};
use super::when::{length_of, short};
use crate::access::{KeyError, KeyInfo, Keys, NewKey, Scope};
use crate::error::quote;
use crate::resource::{ResourceRef, Tenant};
use crate::server::KeyForm;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta key create --name shop --scope events:write --expires 90d > shop.key
  gesta key create --name ann --scope events:read --actor user:ann --label staff
  gesta key create --name audit --scope events:read --scope events:export --auditor
  gesta key ls --valid
  gesta key revoke 4f0k2m9x7a1c --reason 'ann has left'";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a key; its text is printed once and cannot be had again
    Create(Box<Create>),
    /// List the keys of the tenant
    Ls(List),
    /// Revoke a key; it is refused within five seconds
    Revoke(Revoke),
}

/// Who does it.
#[derive(clap::Args)]
pub(super) struct By {
    /// Who asks for it [default: system:ROLE of the database's user]
    #[arg(long, value_name = "TYPE:ID")]
    by: Option<ResourceRef>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl From<By> for Who {
    fn from(By { by, reason }: By) -> Self {
        Self { actor: by, reason }
    }
}

/// For which tenants a key is.
#[derive(clap::Args)]
struct Tenants {
    /// For all tenants: each request names one
    #[arg(long)]
    all_tenants: bool,
}

#[derive(clap::Args)]
struct Create {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do; may be repeated
    #[arg(long, short, value_name = "SCOPE", value_parser = scopes(), required = true)]
    scope: Vec<Scope>,
    #[command(flatten)]
    tenants: Tenants,
    /// Whom its requests are recorded as [default: service:NAME]
    #[arg(long, value_name = "TYPE:ID")]
    actor: Option<ResourceRef>,
    /// They are also the actor of everything that it appends
    #[arg(long)]
    acting: bool,
    /// It sees actions with this label; may be repeated [default: public]
    #[arg(long, short, value_name = "LABEL", conflicts_with = "auditor")]
    label: Vec<String>,
    /// It sees all actions
    #[arg(long)]
    auditor: bool,
    /// It is refused after so long, such as 90d or 12h [default: never]
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    expires: Option<TimeDelta>,
    /// Requests a minute [default: what the server allows]
    #[arg(long, value_name = "COUNT")]
    rate: Option<NonZeroU32>,
    #[command(flatten)]
    by: By,
}

#[derive(clap::Args)]
struct List {
    /// List the keys of all tenants, and those for all
    #[arg(long)]
    all_tenants: bool,
    /// Only keys that are neither revoked nor expired
    #[arg(long)]
    valid: bool,
    /// Exit with 3 when nothing is found
    #[arg(long)]
    fail_empty: bool,
}

#[derive(clap::Args)]
struct Revoke {
    /// The key's id: what stands between the underscores
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    tenants: Tenants,
    #[command(flatten)]
    by: By,
}

pub(super) fn scopes() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|word| word.parse::<Scope>())
}

fn length(text: &str) -> Result<TimeDelta, String> {
    let length = length_of(text).filter(|length| *length > TimeDelta::zero());
    length
        .ok_or_else(|| format!("{} is no length; give one such as 90d, 12h or 1h30m", quote(text)))
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let operator = Operator::open(session).await?;
    let keys = Keys::new(&operator.store);
    let mut out = session.out().whole("Id");
    let code = match args.command {
        Command::Create(create) => create.run(&operator, &keys, session, &mut out).await?,
        Command::Ls(list) => list.run(&operator, &keys, session, &mut out).await?,
        Command::Revoke(revoke) => revoke.run(&operator, &keys, session).await?,
    };
    out.flush()?;
    Ok(code)
}

impl Tenants {
    fn of(&self, session: &Session) -> Option<Tenant> {
        (!self.all_tenants).then(|| session.tenant.clone())
    }
}

impl Create {
    async fn run(
        self,
        operator: &Operator,
        keys: &Keys,
        session: &Session,
        out: &mut Out,
    ) -> anyhow::Result<Code> {
        let actor = match &self.actor {
            Some(actor) => actor.clone(),
            None => ResourceRef::new("service", self.name.as_str())
                .map_err(|error| Told::usage(format!("--name: {error}")))?,
        };
        let mut key = NewKey::new(&self.name, &actor).scopes(self.scope);
        key = match self.tenants.of(session) {
            Some(tenant) => key.tenant(tenant),
            None => key.all_tenants(),
        };
        key = match (self.auditor, self.label.is_empty()) {
            (true, _) => key.auditor(),
            (false, false) => key.labels(self.label),
            (false, true) => key,
        };
        key = if self.acting { key.acting() } else { key };
        key = match self.rate {
            Some(rate) => key.quota(rate),
            None => key,
        };
        if let Some(length) = self.expires {
            let end = operator.store.now().checked_add_signed(length);
            key = key.expires_at(end.ok_or_else(|| Told::usage("--expires is too long"))?);
        }
        let ctx = operator.context(session, self.by.into()).await?;
        let (info, credential) = keys.create(key, &ctx).await.map_err(told)?;
        out.script(&format!("{}\n", credential.reveal()))?;
        let end = info.expires_at.map_or("never".to_owned(), |end| format!("{} UTC", short(end)));
        say::note(&format!(
            "this is the only time that the key is shown; send it as `Authorization: Bearer …`\n\
             id {}, requests are recorded as {}, expires {end}",
            info.id, info.who.resource
        ));
        Ok(Code::Ok)
    }
}

impl List {
    async fn run(
        self,
        operator: &Operator,
        keys: &Keys,
        session: &Session,
        out: &mut Out,
    ) -> anyhow::Result<Code> {
        let tenant = (!self.all_tenants).then_some(&session.tenant);
        let now = operator.store.now();
        let mut listed = keys.list(tenant).await?;
        if self.valid {
            listed.retain(|key| KeyForm::of(key, now).state == "valid");
        }
        print(out, &listed, now)?;
        if listed.is_empty() {
            say::aside("there is no key; gesta key create --name NAME --scope SCOPE");
        }
        Ok(if listed.is_empty() && self.fail_empty { Code::NotFound } else { Code::Ok })
    }
}

impl Revoke {
    async fn run(
        self,
        operator: &Operator,
        keys: &Keys,
        session: &Session,
    ) -> anyhow::Result<Code> {
        let ctx = operator.context(session, self.by.into()).await?;
        let tenant = self.tenants.of(session);
        let info = keys.revoke(tenant.as_ref(), &self.id, &ctx).await.map_err(told)?;
        let name = quote(&info.name);
        say::note(&format!("the key {} {name} is revoked; servers refuse it in 5 s", info.id));
        Ok(Code::Ok)
    }
}

/// Errors of the caller's have a code of their own.
fn told(error: KeyError) -> anyhow::Error {
    match &error {
        KeyError::Invalid { .. } => Told::usage(error.to_string()).into(),
        KeyError::NotFound { .. } => Told::not_found(error.to_string()).into(),
        _ => error.into(),
    }
}

fn print(out: &mut Out, keys: &[KeyInfo], now: DateTime<Utc>) -> std::io::Result<()> {
    let form = |key| KeyForm::of(key, now);
    let forms: Vec<_> = keys.iter().map(form).collect();
    let header = ["Id", "Tenant", "Name", "State", "May", "Sees", "As", "Used"];
    out.list(&header, &forms, |key| {
        let day = |time: &str| time.get(..10).unwrap_or_default().to_owned();
        vec![
            key.id.clone(),
            key.tenant.clone().unwrap_or_else(|| "all".to_owned()),
            key.name.clone(),
            match (key.state, &key.expires_at) {
                ("valid", Some(end)) => format!("until {}", day(end)),
                (state, _) => state.to_owned(),
            },
            key.scopes.join(", "),
            key.labels.as_ref().map_or("everything".to_owned(), |labels| labels.join(", ")),
            key.actor.clone(),
            key.last_used_at.as_deref().map(day).unwrap_or_default(),
        ]
    })
}
