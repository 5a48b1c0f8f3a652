//! Why something is done, in the words of who does it.

use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::openapi::text::{or_null, text};
use super::problem::Fault;
use super::refusal::Refusal;

/// Bytes of a reason: a sentence or a ticket.
pub(super) const REASON_LEN_MAX: usize = 1024;

/// Whether a reason can be stored; else what is allowed.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > REASON_LEN_MAX || text.contains('\0') {
        return Err(format!("give up to {REASON_LEN_MAX} bytes, without U+0000"));
    }
    Ok(())
}

/// The reason that a body gives.
pub(super) fn of(given: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(reason) = given else { return Ok(None) };
    check(reason).map_err(|allowed| {
        let detail = format!("`reason` is refused; {allowed}");
        Refusal::body(Fault::pointer("/reason", "invalid-value", detail))
    })?;
    Ok(Some(reason.to_owned()))
}

/// What the document says of it.
pub(super) fn schema() -> ObjectBuilder {
    text(REASON_LEN_MAX).schema_type(or_null(Type::String)).description(Some("Why, for the log."))
}
