//! Edges: who follows what, as they stand in the table.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::action::Action;
use crate::resource::{ResourceId, ResourceRef, ResourceType};
use crate::store::Failure;

/// In which role of an action a followed resource counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Who did it.
    Actor,
    /// What it was done to.
    Object,
    /// In, to or for what it was done.
    Target,
}

impl Role {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Actor, Self::Object, Self::Target];

    /// The word in the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Object => "object",
            Self::Target => "target",
        }
    }

    /// The value of a word of the column.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// What stands in this role of an action.
    pub(super) fn of(self, action: &Action) -> Option<&ResourceRef> {
        let named = match self {
            Self::Actor => Some(&action.actor),
            Self::Object => action.object.as_ref(),
            Self::Target => action.target.as_ref(),
        };
        named.map(|named| &named.resource)
    }
}

/// An edge as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The same for the same follower, followed and flag.
    pub id: Uuid,
    /// Who follows.
    pub follower: ResourceRef,
    /// What is followed.
    pub followed: ResourceRef,
    /// Kind of following; empty for the plain one.
    pub flag: String,
    /// In which roles the followed resource counts.
    pub roles: Vec<Role>,
    /// Only these verbs; all where it is empty.
    pub verbs: Vec<String>,
    /// Only what occurred at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Kept, but adds nothing to the feed.
    pub muted: bool,
    /// When it was first followed.
    pub created_at: DateTime<Utc>,
}

/// How many bytes of an edge's id are the same for all edges of a pair.
const PAIR_LEN: usize = 6;

/// UUIDv8 (RFC 9562, section 5.8): 48 bits of the SHA-256 of follower and followed, then 74 bits of the SHA-256 of these
/// and the flag, each part with its length in front.
pub(super) fn edge_id(follower: &ResourceRef, followed: &ResourceRef, flag: &str) -> Uuid {
    let mut hash = Sha256::new();
    let pair = [
        follower.kind.as_str(),
        follower.id.as_str(),
        followed.kind.as_str(),
        followed.id.as_str(),
    ];
    for part in pair {
        hash_part(&mut hash, part);
    }
    let of_pair: [u8; 32] = hash.clone().finalize().into();
    hash_part(&mut hash, flag);
    let of_edge: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes[..PAIR_LEN].copy_from_slice(&of_pair[..PAIR_LEN]);
    bytes[PAIR_LEN..].copy_from_slice(&of_edge[PAIR_LEN..16]);
    Uuid::new_v8(bytes)
}

fn hash_part(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

/// The least and the greatest id of the edges of a pair, whatever their flags are.
pub(super) fn pair_range(follower: &ResourceRef, followed: &ResourceRef) -> (Uuid, Uuid) {
    let mut low = *edge_id(follower, followed, "").as_bytes();
    let mut high = low;
    low[PAIR_LEN..].fill(0);
    high[PAIR_LEN..].fill(u8::MAX);
    (Uuid::from_bytes(low), Uuid::from_bytes(high))
}

pub(super) fn edge(row: &Row) -> Result<Edge, Failure> {
    let read = || -> Result<Edge, Box<dyn std::error::Error + Send + Sync>> {
        let resource = |kind: &str, id: &str| -> Result<_, crate::ResourceError> {
            Ok(ResourceRef { kind: ResourceType::new(kind)?, id: ResourceId::new(id)? })
        };
        let roles: Vec<&str> = row.try_get(6)?;
        Ok(Edge {
            id: row.try_get(0)?,
            follower: resource(row.try_get(1)?, row.try_get(2)?)?,
            followed: resource(row.try_get(3)?, row.try_get(4)?)?,
            flag: row.try_get(5)?,
            roles: roles.into_iter().filter_map(Role::from_word).collect(),
            verbs: row.try_get(7)?,
            since: row.try_get(8)?,
            muted: row.try_get(9)?,
            created_at: row.try_get(10)?,
        })
    };
    read().map_err(Failure::Row)
}
