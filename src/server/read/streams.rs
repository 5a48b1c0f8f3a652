//! How many live streams each credential has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::Via;
use crate::server::{Kind, Problem};

/// Live streams of a credential at the same time: some hundred browsers behind one service's key. Each costs a connection
/// and some kilobytes.
pub(super) const STREAMS_PER_KEY: usize = 100;

/// The live streams of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<Via, usize>>>);

/// One of them. Dropped, it has ended.
#[derive(Debug)]
pub(crate) struct Open {
    streams: Streams,
    via: Via,
}

impl Streams {
    /// One more.
    ///
    /// # Errors
    /// 429 where the credential has as many as it may.
    pub(crate) fn open(&self, via: &Via) -> Result<Open, Problem> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(via.clone()).or_default();
        if *count >= STREAMS_PER_KEY {
            let detail = format!(
                "the credential has {STREAMS_PER_KEY} live streams already; end one of them"
            );
            return Err(Problem::new(Kind::Quota, detail));
        }
        *count += 1;
        Ok(Open { streams: self.clone(), via: via.clone() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut streams = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.via) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.via);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_has_so_many_and_gets_another_when_one_ends() {
        let (streams, a, b) = (Streams::default(), Via::Key("a".to_owned()), Via::Proxy);
        let mut open: Vec<_> =
            (0..STREAMS_PER_KEY).map(|_| streams.open(&a).expect("room")).collect();
        assert_eq!(streams.open(&a).expect_err("none").kind(), Kind::Quota);
        streams.open(&b).expect("another's");
        open.pop();
        open.push(streams.open(&a).expect("room again"));
        drop(open);
        assert!(streams.0.lock().expect("it").is_empty());
    }
}
