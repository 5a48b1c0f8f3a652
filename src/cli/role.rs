//! `gesta role`: who may run what.

use super::exit::{Code, Told};
use super::key::By;
use super::output::Out;
use super::say;
use super::session::Session;
use super::track::Operator;
use crate::error::quote;
use crate::resource::ResourceRef;
use crate::role::{
    Giver, MEMBERS_MAX, NewRole, Permission, RIGHTS_WITHIN, RoleError, RoleName, Roles, Written,
};
use crate::server::{MemberForm, RoleForm};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta role set editor --permission 'article.*' --permission page.publish
  gesta role add editor user:bob --reason 'joins the news desk'
  gesta role add administrator user:ann       may run everything
  gesta role ls
  gesta role members editor
  gesta role drop editor user:bob
  gesta role rm editor                        its members go as well";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the roles of the tenant
    Ls,
    /// Make a role, or change what its members may
    Set(Set),
    /// Remove a role, and its members from it
    Rm(Remove),
    /// Give somebody a role
    Add(Membership),
    /// Take a role from somebody
    Drop(Membership),
    /// List who has a role
    Members(Members),
}

#[derive(clap::Args)]
struct Set {
    /// The role
    #[arg(value_name = "NAME")]
    name: RoleName,
    /// What its members may, and nothing else: TYPE.WORD, 'TYPE.*' or '*'; may be repeated
    #[arg(long, short, value_name = "PERMISSION", required = true)]
    permission: Vec<Permission>,
    /// What it is for [default: as it was]
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    #[command(flatten)]
    by: By,
}

#[derive(clap::Args)]
struct Remove {
    /// The role
    #[arg(value_name = "NAME")]
    name: RoleName,
    #[command(flatten)]
    by: By,
}

#[derive(clap::Args)]
struct Membership {
    /// The role
    #[arg(value_name = "NAME")]
    name: RoleName,
    /// Who, as the actor of what they do
    #[arg(value_name = "TYPE:ID")]
    member: ResourceRef,
    #[command(flatten)]
    by: By,
}

#[derive(clap::Args)]
struct Members {
    /// The role
    #[arg(value_name = "NAME")]
    name: RoleName,
    /// Go on behind this one
    #[arg(long, value_name = "TYPE:ID")]
    after: Option<ResourceRef>,
    /// How many, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = MEMBERS_MAX)]
    limit: usize,
    /// Exit with 3 when nobody has it
    #[arg(long)]
    fail_empty: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let operator = Operator::open(session).await?;
    let roles = Roles::new(&operator.store);
    match args.command {
        Command::Ls => list(&roles, session).await,
        Command::Members(members) => members.run(&roles, session).await,
        Command::Set(Set { name, permission, about, by }) => {
            let giver = giver(&operator, session, by).await?;
            let role = NewRole::new(name).permissions(permission);
            let role = match about {
                Some(text) => role.about(text),
                None => role,
            };
            let (role, written) = roles.put(&giver, &role).await.map_err(told)?;
            let done = match written {
                Written::New => "is made",
                Written::Changed => "is changed",
                Written::Same => "was like this before",
            };
            note(&format!("the role {} {done}", quote(role.name.as_str())), written);
            Ok(Code::Ok)
        }
        Command::Rm(Remove { name, by }) => {
            let giver = giver(&operator, session, by).await?;
            let had = match roles.remove(&giver, &name).await.map_err(told)? {
                0 => "nobody had it".to_owned(),
                1 => "one member had it".to_owned(),
                members => format!("{members} members had it"),
            };
            let text = format!("the role {} is removed; {had}", quote(name.as_str()));
            note(&text, Written::Changed);
            Ok(Code::Ok)
        }
        Command::Add(Membership { name, member, by }) => {
            let giver = giver(&operator, session, by).await?;
            let (_, written) = roles.add_member(&giver, &name, &member).await.map_err(told)?;
            let since = if written == Written::New { "now" } else { "already" };
            let (who, role) = (quote(&member.to_string()), quote(name.as_str()));
            note(&format!("{who} has the role {role} {since}"), written);
            Ok(Code::Ok)
        }
        Command::Drop(Membership { name, member, by }) => {
            let giver = giver(&operator, session, by).await?;
            roles.remove_member(&giver, &name, &member).await.map_err(told)?;
            let (who, role) = (quote(&member.to_string()), quote(name.as_str()));
            note(&format!("{who} has the role {role} no longer"), Written::Changed);
            Ok(Code::Ok)
        }
    }
}

/// Whoever has the database's credentials may give anything.
async fn giver(operator: &Operator, session: &Session, by: By) -> anyhow::Result<Giver> {
    Ok(Giver::operator(&operator.context(session, by.into()).await?))
}

/// What was done, and when it counts.
fn note(text: &str, written: Written) {
    if written == Written::Same {
        return say::note(text);
    }
    say::note(&format!("{text}; servers know it in {} s", RIGHTS_WITHIN.num_seconds()));
}

async fn list(roles: &Roles, session: &Session) -> anyhow::Result<Code> {
    let listed = roles.list(&session.tenant).await?;
    let forms: Vec<_> = listed.iter().map(RoleForm::from).collect();
    let mut out = session.out();
    out.list(&["Name", "May", "About", "Changed", "By"], &forms, |role| {
        vec![
            role.name.clone(),
            role.permissions.join(", "),
            role.about.clone().unwrap_or_default(),
            role.changed_at.as_deref().map(day).unwrap_or_default(),
            role.changed_by.clone().unwrap_or_default(),
        ]
    })?;
    out.flush()?;
    Ok(Code::Ok)
}

impl Members {
    async fn run(self, roles: &Roles, session: &Session) -> anyhow::Result<Code> {
        let (after, limit) = (self.after.as_ref(), self.limit);
        let members = roles.members(&session.tenant, &self.name, after, limit).await;
        let members = members.map_err(told)?;
        let forms: Vec<_> = members.iter().map(MemberForm::from).collect();
        let mut out = session.out();
        print(&mut out, &forms)?;
        out.flush()?;
        match members.last() {
            None if after.is_none() => {
                say::aside("nobody has it; gesta role add NAME TYPE:ID");
            }
            Some(last) if members.len() == limit => {
                let last = quote(&last.member.to_string());
                say::aside(&format!("there may be more behind {last}; --after goes on there"));
            }
            _ => {}
        }
        Ok(if members.is_empty() && self.fail_empty { Code::NotFound } else { Code::Ok })
    }
}

fn print(out: &mut Out, members: &[MemberForm]) -> std::io::Result<()> {
    out.list(&["Member", "Since", "By"], members, |member| {
        vec![
            format!("{}:{}", member.kind, member.id),
            day(&member.added_at),
            member.added_by.clone(),
        ]
    })
}

fn day(time: &str) -> String {
    time.get(..10).unwrap_or_default().to_owned()
}

/// Errors of the caller's have a code of their own.
fn told(error: RoleError) -> anyhow::Error {
    match &error {
        RoleError::NotFound { .. } | RoleError::NotMember { .. } => {
            Told::not_found(error.to_string()).into()
        }
        RoleError::Permissions { .. }
        | RoleError::About { .. }
        | RoleError::BuiltIn
        | RoleError::TooMany
        | RoleError::Limit { .. } => Told::usage(error.to_string()).into(),
        RoleError::Exceeds { .. } | RoleError::Record(_) | RoleError::Database { .. } => {
            error.into()
        }
    }
}
