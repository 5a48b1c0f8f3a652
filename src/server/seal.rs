//! Cursors that clients hold, signed: one that was not given out here, for this tenant, is refused.
//!
//! ```text
//! TEXT.MAC      MAC = the first 128 bits of HMAC-SHA-256(secret, len(tenant) tenant len(of) of TEXT), base64url
//! ```
//!
//! The secret stands in the database, so all servers of it know each other's cursors, also after a restart. What a cursor
//! is of (query, reader) is in its text ([`crate::stream::Cursor`]), and is compared where it is used; or it is `of`, which
//! the client does not get. A cursor is no permission: who has somebody else's reads with their own rights.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::resource::Tenant;
use crate::store::{Failure, Store, failed};

/// Bytes of a signature that stand in the text: nobody guesses 128 bits.
const MAC_LEN: usize = 16;

const SECRET: &str = "-- server::seal::secret
SELECT s.secret FROM gesta.secret AS s WHERE s.name = 'cursor'";

/// Signs, and knows what it signed.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// The seal of a database.
    pub(super) async fn of(store: &Store) -> Result<Self, Failure> {
        let client = store.client().await?;
        let secret = client.prepare_cached(SECRET).await.map_err(failed("prepare"))?;
        let row = client.query_one(&secret, &[]).await.map_err(failed("read the secret"))?;
        let secret: Vec<u8> = row.try_get(0).map_err(failed("read the secret"))?;
        Self::new(&secret).map_err(|error| Failure::Row(error.into()))
    }

    fn new(secret: &[u8]) -> Result<Self, hmac::digest::InvalidLength> {
        Hmac::new_from_slice(secret).map(Self)
    }

    /// A text that this tenant can give back where the same is asked for.
    pub(super) fn sign(&self, tenant: &Tenant, of: &str, text: &str) -> String {
        let mac = self.mac(tenant, of, text).finalize().into_bytes();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(&mac[..MAC_LEN]))
    }

    /// The text, if it was signed for this tenant and this.
    pub(super) fn open<'a>(&self, tenant: &Tenant, of: &str, signed: &'a str) -> Option<&'a str> {
        let (text, mac) = signed.rsplit_once('.')?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok().filter(|mac| mac.len() == MAC_LEN)?;
        self.mac(tenant, of, text).verify_truncated_left(&mac).ok()?;
        Some(text)
    }

    fn mac(&self, tenant: &Tenant, of: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [tenant.as_str(), of] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.chain_update(text)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(secret: u8) -> Seal {
        Seal::new(&[secret; 32]).expect("of any length")
    }

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).expect(name)
    }

    #[test]
    fn only_what_was_signed_for_the_tenant_is_known() {
        let (acme, other) = (tenant("acme"), tenant("other"));
        let signed = seal(1).sign(&acme, "x", "AQA");
        assert_eq!(seal(1).open(&acme, "x", &signed), Some("AQA"));
        assert_eq!(seal(1).open(&other, "x", &signed), None);
        assert_eq!(seal(2).open(&acme, "x", &signed), None);
        assert_eq!(seal(1).open(&acme, "x", "AQA."), None);
        assert_eq!(seal(1).open(&acme, "x", &signed[..signed.len() - 2]), None);
        assert_eq!(seal(1).open(&acme, "y", &signed), None);
        // No two tenants and texts are signed alike.
        let (a, b) = (seal(1).sign(&tenant("ab"), "", "c"), seal(1).sign(&tenant("a"), "", "bc"));
        assert_ne!(a.rsplit_once('.').map(|it| it.1), b.rsplit_once('.').map(|it| it.1));
    }

    proptest! {
        #[test]
        fn texts_come_back_and_changed_ones_do_not(text in "[A-Za-z0-9_.-]{0,60}", at: usize, with in "[A-Za-z0-9_-]") {
            let acme = tenant("acme");
            let signed = seal(1).sign(&acme, "x", &text);
            prop_assert_eq!(seal(1).open(&acme, "x", &signed), Some(text.as_str()));
            let at = at % signed.len();
            let changed = format!("{}{with}{}", &signed[..at], &signed[at + 1..]);
            prop_assert!(changed == signed || seal(1).open(&acme, "x", &changed).is_none());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text: String) {
            prop_assert!(seal(1).open(&tenant("acme"), "x", &text).is_none());
        }
    }
}
