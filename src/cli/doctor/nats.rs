//! NATS, where a URL is given: whether we get in, and whether the stream is what the relay asks for.

use async_nats::jetstream::{self, stream::Stream};

use super::Check;
use crate::config::{NatsKeys, NatsKeysError};
use crate::error::{chain, visible};
use crate::relay::stream::tail;
use crate::relay::{NatsOptions, StreamSpec, Tail};

const SERVER: &str = "nats";
const STREAM: &str = "stream";

/// Nothing where NATS is not used.
pub(super) async fn checks(keys: &NatsKeys) -> Vec<Check> {
    match settings(keys) {
        Ok(None) => Vec::new(),
        Ok(Some((options, spec))) => examine(&options, &spec).await,
        Err(error) => {
            vec![Check::fail(SERVER, chain(&error), "see above; variables: gesta --help")]
        }
    }
}

fn settings(keys: &NatsKeys) -> Result<Option<(NatsOptions, StreamSpec)>, NatsKeysError> {
    let spec = keys.stream()?;
    Ok(keys.options()?.map(|options| (options.name("gesta doctor"), spec)))
}

async fn examine(options: &NatsOptions, spec: &StreamSpec) -> Vec<Check> {
    let client = match options.connect().await {
        Ok(client) => client,
        Err(error) => return vec![Check::fail(SERVER, chain(&error), "see above")],
    };
    let info = client.server_info();
    let found = format!("version {} at {}", visible(&info.version), options.servers());
    let stream = match spec.find_as_made(&jetstream::new(client)).await {
        Ok(Some(stream)) => tail_of(spec, &stream).await,
        Ok(None) => {
            let found = format!("`{}` is not there", spec.name());
            Check::warn(STREAM, found, "the relay creates it when it runs for the first time")
        }
        Err(error) => Check::fail(STREAM, chain(&error), "see above"),
    };
    vec![Check::ok(SERVER, found), stream]
}

async fn tail_of(spec: &StreamSpec, stream: &Stream) -> Check {
    let name = spec.name();
    match tail(stream).await {
        Ok(Tail::Empty) => Check::ok(STREAM, format!("`{name}` is as asked for, and empty")),
        Ok(Tail::Dropped { sequence }) => Check::ok(
            STREAM,
            format!("`{name}` is as asked for; its limits dropped all {sequence} messages"),
        ),
        Ok(Tail::Message { sequence, position, .. }) => {
            let position = visible(&position);
            Check::ok(
                STREAM,
                format!("`{name}` is as asked for; message {sequence} is at {position} of the log"),
            )
        }
        Err(error) => Check::fail(STREAM, chain(&error), "see above"),
    }
}
