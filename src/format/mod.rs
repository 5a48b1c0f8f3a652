//! Actions in the forms that others read.

pub mod event;
pub(crate) mod percent;
