//! `/selections`: which objects something is to be run on, resolved once and then kept as they are.

pub(crate) mod create;
mod form;
pub(crate) mod show;
mod which;

pub(crate) use form::SelectionForm;
pub(super) use form::example;

pub(super) use which::{Given, Terms, id_schema, properties};
