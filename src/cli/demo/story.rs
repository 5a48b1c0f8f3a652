//! A small story: three people, two projects, some issues, a refused attempt, a bulk operation. It is told through the
//! library as an application would tell it, only that its times are fixed and its ids follow from them.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::action::{ActionId, Audience, NewAction, Outcome, Source};
use crate::context::Context;
use crate::import::run_of_batch;
use crate::resource::{Named, ResourceError, ResourceRef, Tenant};
use crate::store::{Receipt, Store};
use crate::stream::{Follow, Role};

/// Actions of the story.
pub(super) const LEN: usize = 23;

/// Issues that are archived at once.
const OLD_ISSUES: std::ops::RangeInclusive<u32> = 61..=66;

type Told = Result<NewAction, ResourceError>;

pub(super) fn ann() -> Result<Named, ResourceError> {
    named("user", "ann", "Ann Reyes")
}

fn bob() -> Result<Named, ResourceError> {
    named("user", "bob", "Bob Okafor")
}

pub(super) fn chen() -> Result<Named, ResourceError> {
    named("user", "chen", "Chen Wei")
}

fn robot() -> Result<Named, ResourceError> {
    named("service", "ci", "CI")
}

fn atlas() -> Result<Named, ResourceError> {
    named("project", "atlas", "Atlas")
}

fn harbor() -> Result<Named, ResourceError> {
    named("project", "harbor", "Harbor")
}

pub(super) fn issue() -> Result<Named, ResourceError> {
    named("issue", "70", "Crash on save")
}

fn named(kind: &str, id: &str, name: &str) -> Result<Named, ResourceError> {
    Ok(ResourceRef::new(kind, id)?.named(name))
}

/// The run of the bulk operation.
pub(super) fn run(tenant: &Tenant) -> Uuid {
    run_of_batch(tenant, "demo: archive old issues")
}

/// The story of a tenant.
pub(super) struct Story {
    tenant: Tenant,
}

impl Story {
    pub(super) fn new(tenant: &Tenant) -> Self {
        Self { tenant: tenant.clone() }
    }

    /// Tells it in one transaction: all of it is there, or nothing. Says how many actions are new.
    pub(super) async fn tell(&self, store: &Store) -> anyhow::Result<usize> {
        let failed = "failed to tell the story";
        let mut client = store.client().await?;
        let tx = client.transaction().await.context(failed)?;
        let receipts = store.append_all(&tx, self.actions()?).await?;
        for follow in follows()? {
            store.follow(&tx, &self.by(&ann()?), &follow).await?;
        }
        tx.commit().await.context(failed)?;
        let is_new = |receipt: &&Receipt| matches!(receipt, Receipt::Appended(_));
        Ok(receipts.iter().filter(is_new).count())
    }

    fn by(&self, actor: &Named) -> Context {
        Context::new(actor).tenant(self.tenant.clone())
    }

    fn actions(&self) -> Result<Vec<NewAction>, ResourceError> {
        let mut actions = self.beginning()?;
        actions.extend(self.issue_is_solved()?);
        actions.extend(self.release()?);
        for number in OLD_ISSUES {
            actions.push(self.archived(number)?);
        }
        let named = |(n, action): (usize, NewAction)| {
            let time = action.occurred_at.unwrap_or_default();
            action.id(ActionId::from_source(time, self.tenant.as_str(), &format!("demo:{n}")))
        };
        Ok(actions.into_iter().enumerate().map(named).collect())
    }

    fn beginning(&self) -> Result<Vec<NewAction>, ResourceError> {
        let say = |time, actor: Named, verb: &str| {
            NewAction::new(verb, &self.by(&actor)).at(at("2026-11-16", time))
        };
        Ok(vec![
            say("08:58:11", ann()?, "created").object(&atlas()?),
            say("09:02:40", ann()?, "invited").object(&bob()?).target(&atlas()?),
            say("09:15:03", bob()?, "joined").object(&atlas()?),
            say("09:15:30", ann()?, "started following").target(&bob()?),
            say("09:20:55", chen()?, "joined").object(&atlas()?),
            say("09:21:10", ann()?, "started working").target(&atlas()?),
        ])
    }

    fn issue_is_solved(&self) -> Result<Vec<NewAction>, ResourceError> {
        let say = |time, actor: Named, verb: &str| -> Told {
            let action = NewAction::new(verb, &self.by(&actor)).at(at("2026-11-17", time));
            Ok(action.object(&issue()?).target(&atlas()?))
        };
        let status = |old, new| json!({ "status": [old, new] });
        Ok(vec![
            say("10:04:00", bob()?, "opened")?.data(json!({ "severity": 2, "version": "1.4.0" })),
            say("10:09:31", chen()?, "commented on")?.description("Only with names of 255 bytes."),
            say("10:12:05", ann()?, "assigned")?
                .changes(json!({ "assignee": [null, "user:chen"] })),
            say("15:47:22", chen()?, "closed")?
                .changes(json!({ "status": ["open", "closed"], "resolution": [null, "fixed"] })),
            say("16:20:48", bob()?, "reopened")?
                .changes(status("closed", "open"))
                .description("It is still there on Windows."),
            say("17:02:19", chen()?, "closed")?.changes(status("open", "closed")),
        ])
    }

    fn release(&self) -> Result<Vec<NewAction>, ResourceError> {
        let time = |time| at("2026-11-18", time);
        let by = |actor: Named| self.by(&actor);
        let eve = named("user", "eve", "Eve Marsh")?;
        let refused = by(eve).reason("needs the role `owner`").ip([203, 0, 113, 7].into());
        let deployed = |clock, outcome| -> Told {
            let action = NewAction::new("deployed", &by(robot()?)).at(time(clock)).outcome(outcome);
            Ok(action.object(&atlas()?).data(json!({ "version": "1.4.1", "hosts": 12 })))
        };
        Ok(vec![
            deployed("08:30:00", Outcome::Failed)?
                .description("The health check failed after 30 s."),
            deployed("08:52:17", Outcome::Ok)?,
            NewAction::new("delete", &refused)
                .object(&harbor()?)
                .outcome(Outcome::Denied)
                .at(time("11:11:11")),
            NewAction::new("rotated the keys of", &by(ann()?).reason("ticket OPS-123"))
                .object(&harbor()?)
                .audience(Audience::labels(["security"]))
                .at(time("11:40:00")),
            NewAction::new("published", &by(bob()?))
                .object(&named("page", "release-1.4.1", "What is new in 1.4.1")?)
                .target(&atlas()?)
                .at(time("14:00:00")),
        ])
    }

    /// One of many that are changed at once: they share a run.
    fn archived(&self, number: u32) -> Told {
        let ctx = self.by(&ann()?).run(run(&self.tenant)).reason("closed for a year");
        let issue = named("issue", &number.to_string(), &format!("Old issue {number}"))?;
        Ok(NewAction::new("archived", &ctx)
            .object(&issue)
            .target(&atlas()?)
            .source(Source::Bulk)
            .changes(json!({ "archived": [false, true] }))
            .at(at("2026-11-15", &format!("17:{number:02}:00", number = number % 60))))
    }
}

/// They stand in the story themselves, at their own time.
fn follows() -> Result<[Follow; 2], ResourceError> {
    Ok([
        Follow::new(&ann()?, &bob()?).silent(),
        Follow::new(&ann()?, &atlas()?).roles(Role::ALL).flag("working").silent(),
    ])
}

/// A moment of the story.
fn at(day: &str, time: &str) -> DateTime<Utc> {
    format!("{day}T{time}Z").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn story_has_its_length_and_the_same_ids_each_time() {
        let story = || Story::new(&Tenant::default()).actions().expect("all can be stored");
        let actions = story();
        assert_eq!(actions.len(), LEN);
        assert_eq!(actions, story());
        let ids: HashSet<_> = actions.iter().map(|action| action.id).collect();
        assert_eq!(ids.len(), LEN);
        assert!(actions.iter().all(|action| action.check().is_ok()));
        assert!(actions.iter().all(|action| action.occurred_at != Some(DateTime::UNIX_EPOCH)));
        let other = Story::new(&Tenant::new("other").expect("valid")).actions().expect("valid");
        assert!(other.iter().all(|action| !ids.contains(&action.id)));
    }
}
