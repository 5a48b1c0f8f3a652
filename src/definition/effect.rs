//! What a definition does.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::consequence::Consequences;
use super::piece::{Fate, Fault, Item, Message, Piece};
use crate::context::Context;
use crate::resource::ResourceType;

/// What a program does to objects, in the database's transaction.
///
/// It may be given the same objects again after its transaction was rolled back, so all that it does belongs into the
/// session; what happens elsewhere is for a [`Remote`].
pub trait Operation: Send + Sync + 'static {
    /// What it is given besides the objects. Its JSON schema is what people see.
    type Input: DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// Does it to all objects of a piece, and says of each that was not done what became of it.
    ///
    /// # Errors
    /// When the piece cannot be done as a whole. It is rolled back, and tried again in smaller pieces.
    fn run(
        &self,
        piece: &mut Piece<'_, '_>,
        input: &Self::Input,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// What else will happen if it is run on the objects of a piece: for whoever confirms it. It changes nothing.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn consequences(
        &self,
        _piece: &mut Piece<'_, '_>,
        _input: &Self::Input,
    ) -> impl Future<Output = Result<Consequences, Fault>> + Send {
        std::future::ready(Ok(Consequences::default()))
    }
}

/// An operation whose input is JSON. Every [`Operation`] is one; it is for whoever runs definitions.
pub trait Local: Send + Sync {
    /// Whether the operation can read an input. One that fits the schema and cannot be read would fail at each object.
    fn reads(&self, input: &Value) -> bool;

    /// Does it to all objects of a piece.
    ///
    /// # Errors
    /// When the input cannot be read, and when the piece cannot be done as a whole.
    fn run<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// What else will happen.
    ///
    /// # Errors
    /// When the input cannot be read, and when it cannot be found out.
    fn consequences<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Consequences, Fault>>;
}

impl<O: Operation> Local for O {
    fn reads(&self, input: &Value) -> bool {
        read::<O::Input>(input).is_some()
    }

    fn run<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { Operation::run(self, piece, &given(input)?).await })
    }

    fn consequences<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Consequences, Fault>> {
        Box::pin(async move { Operation::consequences(self, piece, &given(input)?).await })
    }
}

/// The input, or that it cannot be read: without the cause, for serde tells the value in it, which may be a secret.
fn given<T: DeserializeOwned>(input: &Value) -> Result<T, Fault> {
    read(input).ok_or_else(|| Fault::new("the input is not what the operation takes"))
}

/// An input as the operation takes it. The input of those that take nothing, `()`, is an object without fields.
fn read<T: DeserializeOwned>(input: &Value) -> Option<T> {
    let is_empty = input.as_object().is_some_and(serde_json::Map::is_empty);
    let nothing = || is_empty.then(|| T::deserialize(Value::Null).ok()).flatten();
    T::deserialize(input).ok().or_else(nothing)
}

/// What is done elsewhere: over HTTP, or by a worker. It is asked at least once for each object; the run and the object
/// together tell whether it was asked before.
pub trait Remote: Send + Sync + 'static {
    /// Asks for all objects of an order, and reports what becomes of each. Objects that are not reported are pending, and
    /// asked for again where it returns `Ok`; an error is what they failed with.
    fn send<'a>(
        &'a self,
        order: &'a Order,
        reporter: &'a dyn Reporter,
    ) -> BoxFuture<'a, Result<Sent, Fault>>;
}

/// Whether an order has come to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It has. What is asked for in vain a few times has failed.
    Heard,
    /// Nobody is there to take what is pending, and why, for people. That says nothing of the objects: the run waits.
    Unheard(String),
}

/// What a remote is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// The run.
    pub run: Uuid,
    /// The definition's name.
    pub definition: String,
    /// The type of the objects.
    pub kind: ResourceType,
    /// Who asked, in which tenant, and why.
    pub context: Context,
    /// The input, with its secrets.
    pub input: Value,
    /// The objects that are pending.
    pub items: Vec<Item>,
}

/// Takes what a remote says.
pub trait Reporter: Send + Sync {
    /// Stores what became of objects, by their places, with messages; returns when it is committed. What was reported
    /// before stays as it is. `Ok(false)` where the run was cancelled: nothing more should be done.
    fn report(
        &self,
        fates: Vec<(u32, Fate)>,
        messages: Vec<Message>,
    ) -> BoxFuture<'_, Result<bool, Fault>>;
}

/// What a definition does; for whoever runs definitions.
#[derive(Clone)]
pub enum Effect {
    /// Something in the database's transaction.
    Local(Arc<dyn Local>),
    /// Something elsewhere.
    Remote(Arc<dyn Remote>),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local(_) => "Local",
            Self::Remote(_) => "Remote",
        })
    }
}
