//! The body of a request: whole, bounded, in time.

/// Bytes of a body, unpacked: 10,000 actions of the usual kind, which have less than a kilobyte, with room to spare. Some
/// of these in memory at the same time must be bearable.
pub const BODY_LEN_MAX: usize = 16 << 20;
