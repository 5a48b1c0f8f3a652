//! The live stream of a tenant's actions, in log order, for many readers at once: each committed action once, from any
//! position on.
//!
//! ```text
//!             one reader a tenant, from the head on          at a place of the ring
//! log ──────────────────────────────────────────► ring ───────────────────────────► listener: Reader, filter
//!  └───────────────────────────────────────────────────────────────────────────────►  older, or fallen behind: by itself
//! ```
//!
//! While somebody listens to a tenant, one reader follows its log ([`crate::log`]) and keeps the latest actions in a ring that
//! all listeners share. A [`Listener`] is a position and a filter, and looks at the ring when it is asked; nothing is queued
//! for it. Whoever is slow, or comes back with a position that the ring does not have, reads the log by itself, as fast as it
//! takes the actions, and goes on from the ring when it has got there.
//!
//! # From the log into the ring
//!
//! Two readers of the log cut it into ticks of their own, and may see transactions that overlap in different order. So what
//! one has told says nothing of what another still has to tell, least of all by `seq`, id or time:
//!
//! ```text
//! transaction A    BEGIN ── INSERT seq 1 ──────────────── COMMIT
//! transaction B         BEGIN ── INSERT seq 2 ── COMMIT
//! the ring           R0 ··················································· R1: A, B   one tick, by seq
//! a client           R0 ······························ P: B       (and is then cut off)
//! ```
//!
//! The client has B. Behind B in the ring there is nothing, and yet A is missing; and if it took the ring from R0 on, it
//! would have B twice. So positions are compared, and only these rules let a listener into the ring:
//!
//! 1. *Its position is one of the ring's*: the same snapshots, to the last transaction, and the same `seq`. A position says
//!    by itself which rows lie before it, whoever made it. The positions of the ring are a chain: what lies before one of them
//!    is what lies before the one in front of it, and that one's action. So behind it the ring goes on without gap or double.
//! 2. *Any other position* is brought to one of the ring's: the listener reads the rows that the snapshot R1 sees and P does
//!    not ([`Position::up_to`]), and is then exactly at R1, whatever has been committed since. Here it gets A and not B. R1
//!    stands between two ticks, since only there does a snapshot alone say what lies before; inside of a tick of somebody
//!    else's, the listener first reads that tick to its end.
//! 3. *A position that the ring has not come to* (somebody took it from the database a moment ago) is read from as any log
//!    is, once, which also tells whether it is of this log; then the listener waits for the ring. Each snapshot of the ring
//!    that is taken after that sees all that this one saw, so rule 2 holds for it. There is nothing to miss meanwhile: as long as the
//!    ring does not move there is no new action.
//!
//! Rule 2 also holds for whoever has fallen behind the ring, and rule 1 for most who come back within seconds.
//!
//! # What it costs
//!
//! A tenant with listeners costs what one [`Log::next`](crate::Log::next) costs, whatever their number, and up to 8 MiB. A
//! listener who is slow costs the others nothing: the ring drops what is old, and the listener reads it again from
//! PostgreSQL when it asks; three do so at once, others wait their turn. A listener whom nobody asks holds its struct and
//! at most 256 KiB, or one action, of what it had read by itself.
//!
//! # Who sees what
//!
//! A listener gets what its [`Reader`](crate::Reader) sees: its tenant, and actions whose audience has one of its labels,
//! when it gets them. A change of an audience is an action of the log
//! ([`Store::set_audience`](crate::Store::set_audience)); where the ring's reader meets one, it drops all that the ring and the
//! listeners hold, and it is read again with the audiences that hold then. What a listener may see only later does not come
//! later: its place in the log has passed. A position tells how far the ids of transactions and `seq` had come, of all
//! tenants together, and nothing of an action.
//!
//! # What can go wrong
//!
//! - *The database is away*: readers and listeners wait, with pauses of up to a second, and go on where they were.
//! - *It was restored, promoted or set back*: [`Event::Reset`].
//! - *What does not pass by itself*, such as a missing grant or a server that is a standby: [`LiveError`]; the reader keeps
//!   trying.
//!
//! Start reading at `listener.rs`.
//!
//! [`Position::up_to`]: crate::Position::up_to

mod event;
mod listener;
mod open;
mod ring;
mod tenant;

pub use event::{Event, LiveError, ResetReason};
pub use listener::Listener;
pub use open::{Live, LiveStatus, TenantStatus};
