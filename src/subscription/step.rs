//! Effects that happen exactly once: they and the position are one transaction.

use tokio_postgres::{Client, Transaction};

use super::error::SubscriptionError;
use super::ledger::{Ledger, LedgerError};
use super::subscribe::{Delivery, Subscription};
use crate::log::Position;
use crate::store::{Failure, failed};

/// Why a step is not taken. Nothing of it happened, and the next one begins with the same actions; only after a commit that
/// failed it may have happened, which the next step finds out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The subscription does not go on.
    #[error("failed to get the next actions")]
    Subscription(#[source] SubscriptionError),
    /// The position could not be read or stored.
    #[error("failed to keep the position beside the effects")]
    Ledger(#[source] LedgerError),
    /// The consumer's database failed.
    #[error("failed to take a step in the consumer's database")]
    Database(#[source] Failure),
}

/// Some actions, and the transaction for their effects, in which the position goes forward as well. Dropped, it is rolled
/// back, and the next step has the same actions.
pub struct Step<'a> {
    subscription: &'a mut Subscription,
    transaction: Transaction<'a>,
    ledger: Ledger,
    len: usize,
}

impl Subscription {
    /// The next actions, at least one in general and at most as many as [`Subscription::batch`] says, with a transaction
    /// in the consumer's own database for their effects. Waits until there are some.
    ///
    /// Until the step ends, no other instance of the consumer gets beyond this point: they wait for the row of the
    /// ledger. Whoever comes second finds that the position has moved, and goes on from there; its step may be empty.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     mut subscription: gesta::subscription::Subscription,
    /// #     mut client: tokio_postgres::Client,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// use gesta::subscription::Ledger;
    ///
    /// let ledger = Ledger::open(&mut client, "counter").await?;
    /// subscription.seek(ledger.position(&client).await?);
    /// loop {
    ///     let step = subscription.step(&mut client, &ledger).await?;
    ///     for action in step.actions() {
    ///         let count = "UPDATE counter SET n = n + 1 WHERE verb = $1";
    ///         step.transaction().execute(count, &[&action.verb]).await?;
    ///     }
    ///     step.commit().await?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the subscription does not go on, or the consumer's database fails.
    ///
    /// # Cancel safety
    /// Nothing has happened.
    pub async fn step<'a>(
        &'a mut self,
        client: &'a mut Client,
        ledger: &Ledger,
    ) -> Result<Step<'a>, StepError> {
        self.make_ready().await.map_err(StepError::Subscription)?;
        let begin = client.transaction().await;
        let transaction = begin.map_err(failed("begin")).map_err(StepError::Database)?;
        let stored = ledger.lock(&transaction, self.position()).await;
        self.catch_up(stored.map_err(StepError::Ledger)?);
        let (ledger, len) = (ledger.clone(), self.ready.len());
        Ok(Step { subscription: self, transaction, ledger, len })
    }

    /// Leaves out what another instance has dealt with, or this one in a commit that was not answered.
    fn catch_up(&mut self, stored: Position) {
        if stored == self.handed {
            return;
        }
        match self.ready.iter().position(|delivery| delivery.position == stored) {
            Some(last) => {
                self.ready.drain(..=last);
                self.handed = stored;
            }
            None => self.seek(stored),
        }
    }
}

impl<'a> Step<'a> {
    /// The actions, in order. None where another instance was faster.
    pub fn actions(&self) -> impl Iterator<Item = &crate::Action> {
        self.deliveries().map(|delivery| &delivery.action)
    }

    /// The same, with their positions.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.subscription.ready.iter().take(self.len)
    }

    /// The transaction for the effects.
    #[must_use]
    pub fn transaction(&self) -> &Transaction<'a> {
        &self.transaction
    }

    /// Commits the effects of all actions, and the position with them.
    ///
    /// # Errors
    /// When the database does not commit; whether it did not, the next step finds out.
    ///
    /// # Cancel safety
    /// As after an error.
    pub async fn commit(self) -> Result<(), StepError> {
        let Self { subscription, transaction, ledger, len } = self;
        if let Some(last) = subscription.ready.iter().take(len).next_back() {
            ledger.store(&transaction, &last.position).await.map_err(StepError::Ledger)?;
        }
        let commit = transaction.commit().await;
        commit.map_err(failed("commit")).map_err(StepError::Database)?;
        subscription.drop_ready(len);
        Ok(())
    }
}
