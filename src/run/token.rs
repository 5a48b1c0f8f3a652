//! Confirmations: what somebody has seen the plan of, and nothing else, signed with a secret that all servers share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::context::Context;
use crate::definition::Definition;
use crate::resource::ResourceType;

/// The layout of a token: version, id, expiry in seconds, revision; then the signature of 32 bytes.
const VERSION: u8 = 1;
const BODY_LEN: usize = 1 + 16 + 8 + 4;

/// What a token says beside the request that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmation {
    /// It starts one run.
    pub(super) id: Uuid,
    /// Seconds since 1970 by the database's clock.
    pub(super) expires_at: i64,
    /// The revision of the selection that was planned.
    pub(super) revision: i32,
}

/// What is planned and then confirmed, as a digest.
pub(super) struct Request {
    digest: [u8; 32],
    /// What the caller compares requests by, where that is something else.
    fingerprint: Option<[u8; 32]>,
}

impl Request {
    pub(super) fn new(
        ctx: &Context,
        kind: &ResourceType,
        definition: &Definition,
        selection: Uuid,
        input: &Value,
    ) -> Self {
        let mut hash = Sha256::new();
        let actor = &ctx.actor().resource;
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(ctx.tenant.as_str().as_bytes());
        part(actor.kind.as_str().as_bytes());
        part(actor.id.as_str().as_bytes());
        part(kind.as_str().as_bytes());
        part(definition.name.as_bytes());
        // A definition that is not what it was is another one.
        let kept = (definition.risk, definition.unit, &definition.permissions);
        part(format!("{kept:?}").as_bytes());
        part(canonical(definition.input.as_schema()).as_bytes());
        part(selection.as_bytes());
        part(canonical(input).as_bytes());
        Self { digest: hash.finalize().into(), fingerprint: None }
    }

    /// The same, which is told from others by what the caller says.
    pub(super) fn known_by(self, fingerprint: Option<[u8; 32]>) -> Self {
        Self { fingerprint, ..self }
    }

    /// What an idempotency key is compared by.
    pub(super) fn digest(&self) -> &[u8] {
        self.fingerprint.as_ref().unwrap_or(&self.digest)
    }
}

impl Confirmation {
    /// The token.
    pub(super) fn sign(self, secret: &[u8], request: &Request) -> Option<String> {
        let mut bytes = self.body();
        let signature = mac(secret, &bytes, request)?.finalize().into_bytes();
        bytes.extend_from_slice(&signature);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a token says, where it is one of ours and for this request.
    pub(super) fn open(token: &str, secret: &[u8], request: &Request) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, signature) = bytes.split_at_checked(BODY_LEN)?;
        mac(secret, body, request)?.verify_slice(signature).ok()?;
        let (&version, rest) = body.split_first()?;
        let (id, rest) = rest.split_at_checked(16)?;
        let (expires_at, revision) = rest.split_at_checked(8)?;
        (version == VERSION).then_some(())?;
        Some(Self {
            id: Uuid::from_slice(id).ok()?,
            expires_at: i64::from_be_bytes(expires_at.try_into().ok()?),
            revision: i32::from_be_bytes(revision.try_into().ok()?),
        })
    }

    fn body(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BODY_LEN + 32);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.expires_at.to_be_bytes());
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        bytes
    }
}

fn mac(secret: &[u8], body: &[u8], request: &Request) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"gesta confirmation");
    mac.update(body);
    mac.update(&request.digest);
    Some(mac)
}

/// JSON whose objects have their fields in one order, whoever wrote it.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(canonical).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let field = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::from(name.as_str()), canonical(value))
            };
            format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn token_opens_for_its_request_alone() {
        let confirmation =
            Confirmation { id: Uuid::from_u128(7), expires_at: 1_800_000_000, revision: 3 };
        let (mine, other) = (
            Request { digest: [1; 32], fingerprint: None },
            Request { digest: [2; 32], fingerprint: None },
        );
        let token = confirmation.sign(&[9; 32], &mine).expect("signed");
        assert_eq!(Confirmation::open(&token, &[9; 32], &mine), Some(confirmation));
        assert_eq!(Confirmation::open(&token, &[9; 32], &other), None);
        assert_eq!(Confirmation::open(&token, &[8; 32], &mine), None);
        for hostile in ["", "AAAA", "not base64!", &token[1..], &format!("{token}A")] {
            assert_eq!(Confirmation::open(hostile, &[9; 32], &mine), None, "{hostile}");
        }
    }

    #[test]
    fn order_of_fields_is_not_part_of_a_request() {
        let texts =
            [r#"{"b":[1,{"y":2,"x":"\""}],"a":null}"#, r#"{"a":null,"b":[1,{"x":"\"","y":2}]}"#];
        let [first, second] =
            texts.map(|text| canonical(&serde_json::from_str(text).expect("JSON")));
        assert_eq!(first, second);
        assert_eq!(first, texts[1]);
        assert_ne!(canonical(&json!({"a": "1"})), canonical(&json!({"a": 1})));
    }
}
