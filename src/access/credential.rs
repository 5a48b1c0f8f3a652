//! What a client shows: `gesta_ID_SECRET`.
//!
//! The id is 12 random lower-case letters and digits and may be shown to anybody; the secret is 43 random letters and
//! digits, 256 bits. Nothing in it needs escaping, a double click selects all of it, and programs that look for secrets in
//! source code find it by `gesta_[0-9a-z]{12}_[0-9A-Za-z]{43}`. There is no checksum: a text of another shape is refused
//! without a query, and one of this shape costs one.

use std::fmt;

use sha2::{Digest, Sha256};

use super::error::AccessError;

/// What every key begins with.
const PREFIX: &str = "gesta_";
/// Characters of an id: 62 bits, so that a million keys have ids of their own.
pub(super) const ID_LEN: usize = 12;
/// Characters of a secret, of 62 each: 256 bits.
const SECRET_LEN: usize = 43;
/// The alphabet of secrets; ids take the first 36.
const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ID_CHARS: usize = 36;

/// A key as its holder has it. `Debug` and errors show the id only.
#[derive(Clone)]
pub struct Credential {
    id: Box<str>,
    secret: Box<str>,
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl Credential {
    /// A new one, which nobody can guess.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub(super) fn random() -> Result<Self, NoRandomness> {
        let id = random_text(ID_LEN, ID_CHARS)?;
        let secret = random_text(SECRET_LEN, ALPHABET.len())?;
        Ok(Self { id, secret })
    }

    /// Reads what a client shows. Whatever else is given costs nothing, however long it is.
    ///
    /// # Errors
    /// When it has not the shape of a key.
    pub fn parse(given: &str) -> Result<Self, AccessError> {
        let parts = given.strip_prefix(PREFIX).filter(|rest| rest.len() == ID_LEN + 1 + SECRET_LEN);
        let parts = parts.and_then(|rest| rest.split_once('_'));
        let consists = |text: &str, chars: usize, len: usize| {
            text.len() == len && text.bytes().all(|byte| ALPHABET[..chars].contains(&byte))
        };
        match parts {
            Some((id, secret))
                if consists(id, ID_CHARS, ID_LEN)
                    && consists(secret, ALPHABET.len(), SECRET_LEN) =>
            {
                Ok(Self { id: id.into(), secret: secret.into() })
            }
            _ => Err(AccessError::Malformed),
        }
    }

    /// The part that is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole text, to be shown to its holder once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// What is stored of the secret.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id)
    }
}

/// Random characters, each as likely as the others: a byte beyond the last whole round of the alphabet is thrown away.
fn random_text(len: usize, chars: usize) -> Result<Box<str>, NoRandomness> {
    let mut text = String::with_capacity(len);
    let usable = 256 - 256 % chars;
    while text.len() < len {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(NoRandomness)?;
        let picked = bytes.into_iter().map(usize::from).filter(|&byte| byte < usable);
        text.extend(picked.take(len - text.len()).map(|byte| char::from(ALPHABET[byte % chars])));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn new_key_is_read_back_and_debug_hides_its_secret() {
        let credential = Credential::random().expect("random bytes");
        let text = credential.reveal();
        assert_eq!(text.len(), 62);
        assert_eq!(Credential::parse(&text).expect("a key").reveal(), text);
        assert_eq!(format!("{credential:?}"), format!("gesta_{}_…", credential.id()));
        assert_ne!(Credential::random().expect("random bytes").reveal(), text);
    }

    #[test]
    fn all_characters_are_used_and_no_other() {
        let long = random_text(20_000, ALPHABET.len()).expect("random bytes");
        let mut seen: Vec<_> = long.bytes().collect();
        seen.sort_unstable();
        seen.dedup();
        let mut all = ALPHABET.to_vec();
        all.sort_unstable();
        assert_eq!(seen, all);
    }

    #[test]
    fn what_has_another_shape_is_refused() {
        let text = Credential::random().expect("random bytes").reveal();
        let upper = text.to_uppercase();
        let longer = format!("{text}0");
        let padded = format!(" {text}");
        let nul = format!("{}\0", &text[..61]);
        let long = "gesta_".repeat(200_000);
        for given in
            ["", "gesta_", &text[..61], &text[6..], &upper, &longer, &padded, &nul, &long, "é"]
        {
            assert!(matches!(Credential::parse(given), Err(AccessError::Malformed)));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(given: String, tail in "gesta_[0-9a-z_é]{54,58}") {
            for text in [given, tail] {
                if let Ok(credential) = Credential::parse(&text) {
                    prop_assert_eq!(credential.reveal(), text);
                }
            }
        }
    }
}
