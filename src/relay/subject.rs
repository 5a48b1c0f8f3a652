//! Subjects: where a message is published, and what consumers filter by. Pure.
//!
//! ```text
//! act.v1.<tenant>.<lane>.<object type>.<verb>.<object id>      what everybody may see
//! act.v1p.<tenant>.<lane>.<object type>.<verb>.<object id>     what only some may see
//! ```
//!
//! - **Prefix**: `act`, or another one for each installation that shares a broker ([`Prefix`]).
//! - **Tree**: `v1` where the audience has the label `public`, else `v1p` ([`Tree`]). Permissions are given by subject, so
//!   whoever may read `act.v1.>` gets nothing of a private action.
//! - **Lane**: the last hexadecimal digit of SHA-256 over tenant, NUL, object type, NUL, object id ([`Lane`]), so that
//!   sixteen consumers share the work and each object's actions stay in order.
//! - **Every other token** is escaped byte by byte: letters, digits, `_` and `-` stand for themselves, everything else is
//!   `%` and two upper-case hexadecimal digits. Any percent-decoder reads it, and two texts never share a token. Case
//!   counts: `%2e` is never written.
//! - **`~` starts what no text can be escaped to**: `~` alone says that there is nothing here, as type and id of an action
//!   without an object, or as the id where ids are left out ([`Ids::LeftOut`]). An id whose escaped form is longer than
//!   1,024 bytes is `~` and the 64 hexadecimal digits of its SHA-256; the message has the id itself.
//!
//! A subject has at most 2,304 bytes, for a server reads no more than 4,096 bytes of a protocol line.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::action::{Action, Audience};
use crate::error::quote;
use crate::format::percent::{self, is_token as is_plain};
use crate::resource::{ResourceRef, Tenant};

/// Bytes of a prefix.
pub const PREFIX_LEN_MAX: usize = 64;
/// Bytes of an id's token, beyond which it is hashed: 255 bytes of anything, escaped, are 765.
pub const ID_TOKEN_LEN_MAX: usize = 1024;
/// What stands where there is nothing.
const NOTHING: &str = "~";
/// What a hashed id begins with.
const HASHED: char = '~';
/// How many lanes there are.
pub const LANES: u8 = 16;

/// The first tokens of all subjects of one installation: letters, digits, `_`, `-`, with dots between tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_plain);
        if text.len() <= PREFIX_LEN_MAX && text.split('.').all(is_token) {
            return Ok(Self(text.into()));
        }
        Err(SubjectError::Prefix { given: quote(text) })
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("act".into())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a prefix or a subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No prefix.
    #[error(
        "{given} is no prefix of subjects; give 1 to {PREFIX_LEN_MAX} letters, digits, `_` and `-`, with dots between"
    )]
    Prefix {
        /// What was given, cut and quoted.
        given: String,
    },
    /// Not a subject of this installation.
    #[error("the subject {given} is not of the form {wanted}")]
    Form {
        /// What was given, cut and quoted.
        given: String,
        /// The form.
        wanted: String,
    },
    /// A token that no text is escaped to.
    #[error("`{part}` in the subject {given} is not escaped as Gesta escapes it")]
    Escape {
        /// Which token.
        part: &'static str,
        /// The subject, cut and quoted.
        given: String,
    },
    /// A lane beyond the last.
    #[error("{given} is no lane; give 0 to 15")]
    Lane {
        /// What was given.
        given: u8,
    },
}

/// Who may read a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tree {
    /// `v1`: actions whose audience has the label `public`.
    #[default]
    Public,
    /// `v1p`: all others.
    Private,
}

impl Tree {
    /// The tree for an audience.
    #[must_use]
    pub fn of(audience: &Audience) -> Self {
        if audience.is_public() { Self::Public } else { Self::Private }
    }

    fn token(self) -> &'static str {
        match self {
            Self::Public => "v1",
            Self::Private => "v1p",
        }
    }
}

/// One of sixteen parts of the objects, so that consumers can work side by side and each object's actions stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(u8);

impl Lane {
    /// A lane by its number, 0 to 15.
    ///
    /// # Errors
    /// When there is no such lane.
    pub fn new(number: u8) -> Result<Self, SubjectError> {
        if number < LANES { Ok(Self(number)) } else { Err(SubjectError::Lane { given: number }) }
    }

    /// The lane of an object. Actions without one share the lane of empty type and id in their tenant.
    ///
    /// None of the three texts can hold a NUL, so no two objects are hashed alike.
    #[must_use]
    pub fn of(tenant: &Tenant, object: Option<&ResourceRef>) -> Self {
        let (kind, id) =
            object.map_or(("", ""), |object| (object.kind.as_str(), object.id.as_str()));
        let hash = Sha256::digest([tenant.as_str(), kind, id].join("\0"));
        Self(hash[hash.len() - 1] % LANES)
    }

    /// The number, 0 to 15.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// As it stands in a subject: one hexadecimal digit.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// Whether subjects end in the object's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ids {
    /// They do, so that a consumer can subscribe to one object. Each subject costs the broker about 300 bytes of memory.
    #[default]
    InSubject,
    /// They do not, for many millions of objects; a consumer of one object gets all of its type in its lane and
    /// looks at the message ([`Filter::admits`]).
    LeftOut,
}

/// How an installation makes its subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subjects {
    prefix: Prefix,
    ids: Ids,
}

impl Subjects {
    /// Subjects below a prefix, with ids.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self { prefix, ids: Ids::InSubject }
    }

    /// Whether they end in the object's id.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What the stream takes in: all subjects that this installation publishes to.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        [Tree::Public, Tree::Private]
            .map(|tree| format!("{}.{}.>", self.prefix, tree.token()))
            .into()
    }

    /// Where an action is published.
    #[must_use]
    pub fn of(&self, action: &Action) -> String {
        let object = action.object.as_ref().map(|object| &object.resource);
        let mut filter =
            self.filter(Tree::of(&action.audience)).tenant(&action.tenant).verb(&action.verb);
        filter.object = object.cloned().map_or(Wanted::Nothing, Wanted::Object);
        filter.to_string()
    }

    /// A filter for consumers: everything in this tree, until it is narrowed.
    #[must_use]
    pub fn filter(&self, tree: Tree) -> Filter {
        Filter { subjects: self.clone(), tree, ..Filter::default() }
    }

    /// Takes a subject apart.
    ///
    /// # Errors
    /// When it is no subject of this installation.
    pub fn parse(&self, subject: &str) -> Result<Parts, SubjectError> {
        let given = || quote(subject);
        let form = || SubjectError::Form {
            given: given(),
            wanted: format!("{}.v1.TENANT.LANE.TYPE.VERB.ID", self.prefix),
        };
        let escape = |part| move || SubjectError::Escape { part, given: given() };
        let rest =
            subject.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let tokens: Vec<_> = rest.ok_or_else(form)?.split('.').collect();
        let [tree, tenant, lane, kind, verb, id] = tokens[..] else { return Err(form()) };
        let tree = [Tree::Public, Tree::Private].into_iter().find(|it| it.token() == tree);
        let lane = (0..LANES).map(Lane).find(|it| it.to_string() == lane);
        Ok(Parts {
            tree: tree.ok_or_else(form)?,
            tenant: unescape(tenant).ok_or_else(escape("tenant"))?,
            lane: lane.ok_or_else(form)?,
            verb: unescape(verb).ok_or_else(escape("verb"))?,
            object_type: match kind {
                NOTHING => None,
                kind => Some(unescape(kind).ok_or_else(escape("object type"))?),
            },
            object_id: Id::parse(id).ok_or_else(escape("object id"))?,
        })
    }
}

/// A subject, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Who may read it.
    pub tree: Tree,
    /// The tenant.
    pub tenant: String,
    /// The lane.
    pub lane: Lane,
    /// The verb.
    pub verb: String,
    /// The object's type; none where the action has no object.
    pub object_type: Option<String>,
    /// The object's id, as far as the subject tells.
    pub object_id: Id,
}

/// An id as a subject tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// The id.
    Text(String),
    /// SHA-256 of an id that is too long for a subject.
    Hash([u8; 32]),
    /// There is no object, or ids are left out.
    Nothing,
}

impl Id {
    fn parse(token: &str) -> Option<Self> {
        match token.strip_prefix(HASHED) {
            None => unescape(token).map(Self::Text),
            Some("") => Some(Self::Nothing),
            Some(hex) => {
                let lower = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let bytes: Option<Vec<u8>> = (0..hex.len() / 2)
                    .map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok())
                    .collect();
                let bytes = bytes?.try_into().ok()?;
                (lower && hex.len() == 64).then_some(Self::Hash(bytes))
            }
        }
    }
}

/// What a consumer wants: a subject with `*` for what it does not care about.
///
/// ```
/// use gesta::relay::{Subjects, Tree};
/// use gesta::{ResourceRef, Tenant};
/// let all = Subjects::default().filter(Tree::Public);
/// assert_eq!(all.to_string(), "act.v1.*.*.*.*.*");
/// let closed = all.tenant(&"acme".parse()?).object(&"issue:7.0".parse::<ResourceRef>()?).verb("close");
/// assert_eq!(closed.to_string(), "act.v1.acme.e.issue.close.7%2E0");
/// # Ok::<(), gesta::ResourceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    subjects: Subjects,
    tree: Tree,
    tenant: Option<Tenant>,
    lane: Option<Lane>,
    kind: Option<String>,
    verb: Option<String>,
    object: Wanted,
}

/// Which objects a filter is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Wanted {
    #[default]
    Any,
    /// No object at all.
    Nothing,
    Object(ResourceRef),
}

impl Filter {
    /// Of one tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: &Tenant) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// In one lane.
    #[must_use]
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = Some(lane);
        self
    }

    /// On objects of one type.
    #[must_use]
    pub fn object_type(mut self, kind: &crate::resource::ResourceType) -> Self {
        self.kind = Some(kind.as_str().to_owned());
        self
    }

    /// With one verb.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// On one object.
    #[must_use]
    pub fn object(mut self, object: &ResourceRef) -> Self {
        self.object = Wanted::Object(object.clone());
        self
    }

    /// Whether an action is wanted: what the broker does by subject, for actions that come from elsewhere, and for one
    /// object where ids are left out.
    #[must_use]
    pub fn admits(&self, action: &Action) -> bool {
        let object = action.object.as_ref().map(|object| &object.resource);
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|it| it == found);
        self.tree == Tree::of(&action.audience)
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == action.tenant)
            && self.lane.is_none_or(|lane| lane == Lane::of(&action.tenant, object))
            && is(&self.kind, object.map_or("", |object| object.kind.as_str()))
            && is(&self.verb, &action.verb)
            && match &self.object {
                Wanted::Any => true,
                Wanted::Nothing => object.is_none(),
                Wanted::Object(wanted) => object == Some(wanted),
            }
    }

    fn lane_of_object(&self) -> Option<Lane> {
        let tenant = self.tenant.as_ref()?;
        match &self.object {
            Wanted::Any => None,
            Wanted::Nothing => Some(Lane::of(tenant, None)),
            Wanted::Object(object) => Some(Lane::of(tenant, Some(object))),
        }
    }
}

/// The subject to subscribe to.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.", self.subjects.prefix, self.tree.token())?;
        write_token(f, self.tenant.as_ref().map(Tenant::as_str))?;
        match self.lane.or_else(|| self.lane_of_object()) {
            Some(lane) => write!(f, ".{lane}.")?,
            None => f.write_str(".*.")?,
        }
        match &self.object {
            Wanted::Any => write_token(f, self.kind.as_deref())?,
            Wanted::Nothing => f.write_str(NOTHING)?,
            Wanted::Object(object) => escape(f, object.kind.as_str())?,
        }
        f.write_char('.')?;
        write_token(f, self.verb.as_deref())?;
        f.write_char('.')?;
        match (&self.object, self.subjects.ids) {
            (Wanted::Any, _) => f.write_char('*'),
            (Wanted::Nothing, _) | (_, Ids::LeftOut) => f.write_str(NOTHING),
            (Wanted::Object(object), Ids::InSubject) => write_id(f, object.id.as_str()),
        }
    }
}

fn write_token(f: &mut impl fmt::Write, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => escape(f, text),
        None => f.write_char('*'),
    }
}

fn write_id(f: &mut impl fmt::Write, id: &str) -> fmt::Result {
    let escaped_len: usize = id.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum();
    if escaped_len <= ID_TOKEN_LEN_MAX {
        return escape(f, id);
    }
    f.write_char(HASHED)?;
    Sha256::digest(id).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn escape(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    percent::write(f, text, is_plain)
}

/// What was escaped; nothing where the token is not what [`escape`] writes.
pub(super) fn unescape(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let upper = digits.iter().all(|it| matches!(it, b'0'..=b'9' | b'A'..=b'F'));
                let text = std::str::from_utf8(&digits).ok().filter(|_| upper)?;
                u8::from_str_radix(text, 16).ok().filter(|&byte| !is_plain(byte))?
            }
            byte if is_plain(byte) => byte,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
