//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what a request calls itself, so that it can be sent again.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::openapi::schema::ObjectBuilder;

use crate::server::openapi::text::word_like;
use crate::server::{Fault, Kind, Problem};

const NAME: &str = "Idempotency-Key";
/// Bytes of a key: a UUID, or a few words.
const LEN_MAX: usize = 255;

/// The key of a request; none where it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let refuse = |code, detail: String| {
            Err(Problem::fault(Kind::Malformed, Fault::header(NAME, code, detail)))
        };
        if values.next().is_some() {
            return refuse("repeated", format!("the header `{NAME}` is there twice"));
        }
        match key(value.as_bytes()) {
            Some(key) => Ok(Self(Some(key))),
            None => refuse(
                "invalid-value",
                format!(
                    "`{NAME}` is no key; give 1 to {LEN_MAX} visible characters of ASCII, such as a UUID, with quotation \
                     marks around or without"
                ),
            ),
        }
    }
}

/// A string of RFC 9651, section 3.3.3, or, since most clients send that, the same without quotation marks.
fn key(value: &[u8]) -> Option<String> {
    let quoted = value.strip_prefix(b"\"");
    let inner = match quoted {
        Some(rest) => rest.strip_suffix(b"\"")?,
        None => value,
    };
    let (mut key, mut bytes) = (String::with_capacity(inner.len().min(LEN_MAX)), inner.iter());
    while let Some(&byte) = bytes.next() {
        let byte = match byte {
            b'\\' if quoted.is_some() => *bytes.next().filter(|it| matches!(it, b'\\' | b'"'))?,
            b'"' => return None,
            b' ' if quoted.is_some() => byte,
            byte => Some(byte).filter(u8::is_ascii_graphic)?,
        };
        key.push(char::from(byte));
    }
    (1..=LEN_MAX).contains(&key.len()).then_some(key)
}

/// What the document says of it.
pub(super) fn header() -> (&'static str, &'static str, ObjectBuilder) {
    let text = "What the request calls itself, 1 to 255 characters. Sent again with the same key and content, it gives the same \
                run; with another content it is refused.";
    let schema = word_like("^([!#-~]{1,255}|\"[ !#-\\[\\]-~]{1,255}\")$");
    (NAME, text, schema.examples(["8e03978e-40d5-43dd-bc93-6894a57f9324"]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_have_quotation_marks_or_none() {
        for (given, wanted) in [
            (r#""8e03978e""#, Some("8e03978e")),
            ("8e03978e-40d5", Some("8e03978e-40d5")),
            (r#""a \"b\" \\""#, Some(r#"a "b" \"#)),
            (r"a\b", Some(r"a\b")),
            ("", None),
            (r#""""#, None),
            (r#"""#, None),
            (r#""a"#, None),
            (r#"a""#, None),
            (r#""a"b""#, None),
            (r#""a\""#, None),
            (r#""\n""#, None),
            ("a b", None),
            ("a\tb", None),
            ("é", None),
        ] {
            assert_eq!(key(given.as_bytes()).as_deref(), wanted, "{given}");
        }
        assert!(key("x".repeat(255).as_bytes()).is_some());
        assert_eq!(key("x".repeat(256).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_a_key_or_refused(given: Vec<u8>) {
            if let Some(key) = key(&given) {
                prop_assert!((1..=LEN_MAX).contains(&key.len()) && key.is_ascii());
            }
        }

        #[test]
        fn any_text_of_ascii_can_be_quoted(wanted in "[ -~]{1,255}") {
            let quoted = format!("\"{}\"", wanted.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(key(quoted.as_bytes()), Some(wanted));
        }
    }
}
