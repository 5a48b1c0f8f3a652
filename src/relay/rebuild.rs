//! Making the stream anew.

use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::DeleteStreamErrorKind;
use async_nats::jetstream::stream::Config;
use tokio::sync::watch;

use super::error::{RelayError, broker};
use super::run::{News, Relay, holder};
use super::stream::StreamSpec;

impl Relay {
    /// Deletes the stream, makes it anew, and publishes the whole log again, with the audiences that hold now. Returns when
    /// everything committed by then is in it. Consumers lose their places, and meet every action once more.
    ///
    /// What the spec leaves open is as it was in the stream that is there. Where the broker cannot have such a stream, nothing
    /// is deleted. Nor where another relay publishes, which may ask for another stream than this one.
    ///
    /// # Errors
    /// [`RelayError::Held`] where another relay publishes; when the broker refuses it, or does not answer.
    pub async fn rebuild(&self) -> Result<(), RelayError> {
        let holder = holder();
        if !self.ledger.claim(&holder).await? {
            let other = self.ledger.find().await?.map(|noted| noted.holder).unwrap_or_default();
            return Err(RelayError::Held { holder: other });
        }
        let spec = match self.make_anew().await {
            Ok(spec) => spec,
            Err(error) => {
                // Others wait a few seconds longer where it cannot be released.
                let _ = self.ledger.release(&holder).await;
                return Err(error);
            }
        };
        let (sender, mut done) = watch::channel(false);
        let told = Arc::clone(&self.told);
        let relay = Self { spec, ..self.clone() }.told(move |news| {
            told(news);
            if matches!(news, News::CaughtUp { .. }) {
                sender.send_replace(true);
            }
        });
        let done = async {
            let _ = done.wait_for(|done| *done).await;
        };
        relay.run_as(holder, done).await
    }

    /// Makes an empty stream in place of the one that is there, and gives what was asked for.
    async fn make_anew(&self) -> Result<StreamSpec, RelayError> {
        let Some(old) = self.spec.look(&self.jet_stream).await.map_err(RelayError::Stream)? else {
            self.ledger.forget().await?;
            self.spec.open(&self.jet_stream).await.map_err(RelayError::Stream)?;
            return Ok(self.spec.clone());
        };
        let old = &old.cached_info().config;
        let spec = self.spec.clone().or_as_in(old);
        // What the broker does not grant the old stream, it would not grant the new one either.
        spec.try_on(&self.jet_stream, old).await.map_err(RelayError::Stream)?;
        self.delete().await?;
        self.ledger.forget().await?;
        match spec.open(&self.jet_stream).await {
            Ok(_) => Ok(spec),
            Err(error) => {
                self.restore(old).await;
                Err(RelayError::Stream(error))
            }
        }
    }

    async fn delete(&self) -> Result<(), RelayError> {
        match self.jet_stream.delete_stream(self.spec.name()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                DeleteStreamErrorKind::JetStream(refusal)
                    if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(())
                }
                _ => Err(broker("delete the stream")(error)),
            },
        }
    }

    /// Relays that ask for the old stream find one, and fill it.
    async fn restore(&self, old: &Config) {
        if let Err(error) = self.jet_stream.create_stream(old.clone()).await {
            tracing::warn!(stream = self.spec.name(), %error, "the stream is not made as it was");
        }
    }
}
