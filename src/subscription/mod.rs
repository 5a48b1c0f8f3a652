//! x
mod error;
mod ledger;
mod place;
mod step;
mod subscribe;
mod tap;

pub use error::SubscriptionError;
pub use ledger::{LEDGER_TABLE, Ledger, LedgerError};
pub use step::{Step, StepError};
pub use subscribe::{Delivery, Subscription};
