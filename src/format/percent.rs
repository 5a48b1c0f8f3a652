//! Percent-encoding (RFC 3986, section 2.1): one encoder for subjects, headers, URLs and tag URIs.

use std::fmt;

/// Writes a text, with `%` and two upper-case hexadecimal digits for each byte that does not stand for itself.
pub(crate) fn write(
    f: &mut impl fmt::Write,
    text: &str,
    is_plain: impl Fn(u8) -> bool,
) -> fmt::Result {
    text.bytes().try_for_each(|byte| {
        if is_plain(byte) { f.write_char(byte.into()) } else { write!(f, "%{byte:02X}") }
    })
}

/// A text, with `%` and two upper-case hexadecimal digits for each byte that does not stand for itself.
pub(crate) fn encode(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    // A `String` takes all that is written.
    let _ = write(&mut encoded, text, is_plain);
    encoded
}

/// What stands for itself in a token of a subject.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
