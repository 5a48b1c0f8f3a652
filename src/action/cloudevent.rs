//! Names of `CloudEvents` 1.0 that whoever writes and whoever reads them share.

/// The version of the specification, as the attribute `specversion` gives it.
pub(crate) const SPEC_VERSION: &str = "1.0";
/// One event in JSON, everything in the body.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
/// Many of them, in an array.
#[cfg(feature = "server")]
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";
/// What the headers of the attributes begin with, where the body is the data alone.
#[cfg(feature = "server")]
pub(crate) const HEADER_PREFIX: &str = "ce-";
