//! The server: version, durability, clocks, size.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Client;

use super::Check;
use crate::store::system_clock;

/// Ids carry the client's time, so streams of several clients are in order as far as their clocks agree.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(1);

const SERVER: &str = "-- cli::doctor::server
SELECT current_setting('server_version') AS version,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    pg_is_in_recovery() AS standby,
    pg_size_pretty(pg_database_size(current_database())) AS size,
    pg_encoding_to_char(encoding) AS encoding
FROM pg_database
WHERE datname = current_database()";

const CLOCK: &str = "-- cli::doctor::clock
SELECT clock_timestamp()";

pub(super) async fn checks(client: &Client) -> Vec<Check> {
    let mut checks = match client.query_one(SERVER, &[]).await {
        Ok(row) => vec![
            version(row.get("version"), row.get("standby"), row.get("encoding"), row.get("size")),
            durability(
                row.get("fsync"),
                row.get("full_page_writes"),
                row.get("synchronous_commit"),
            ),
        ],
        Err(error) => vec![Check::unknown("server", &error)],
    };
    checks.push(clock(client).await);
    checks
}

fn version(version: &str, standby: bool, encoding: &str, size: &str) -> Check {
    const NAME: &str = "server";
    let found = format!("PostgreSQL {version}, database of {size}");
    if standby {
        return Check::fail(NAME, format!("{found}, a standby"), "give the URL of the primary");
    }
    if encoding != "UTF8" {
        let fix =
            "use a database made with ENCODING 'UTF8': other encodings cannot hold every text";
        return Check::fail(NAME, format!("{found}, in {encoding}"), fix);
    }
    Check::ok(NAME, found)
}

fn durability(fsync: &str, full_page_writes: &str, synchronous_commit: &str) -> Check {
    const NAME: &str = "durability";
    let found = format!(
        "fsync {fsync}, full_page_writes {full_page_writes}, synchronous_commit {synchronous_commit}"
    );
    if fsync != "on" || full_page_writes != "on" {
        let fix = "turn both on: a power failure may destroy the whole database";
        return Check::fail(NAME, found, fix);
    }
    if synchronous_commit == "off" {
        let fix = "synchronous_commit=on: the last moments before a crash are lost";
        return Check::warn(NAME, found, fix);
    }
    Check::ok(NAME, found)
}

async fn clock(client: &Client) -> Check {
    const NAME: &str = "clocks";
    let now = system_clock();
    let (before, started) = (now(), Instant::now());
    let theirs: DateTime<Utc> = match client.query_one(CLOCK, &[]).await {
        Ok(row) => row.get(0),
        Err(error) => return Check::unknown(NAME, &error),
    };
    // The answer is from about the middle of the round trip.
    let trip = TimeDelta::from_std(started.elapsed()).unwrap_or(TimeDelta::zero());
    let skew = theirs - (before + trip / 2);
    let found = format!("the database's is {} ms ahead of this one", skew.num_milliseconds());
    if skew.abs() > SKEW_MAX + trip {
        return Check::warn(NAME, found, "run NTP on both machines: ids carry the client's time");
    }
    Check::ok(NAME, found)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn settings_that_lose_data_are_told() {
        assert_eq!(durability("on", "on", "on").state, State::Ok);
        assert_eq!(durability("off", "on", "on").state, State::Fail);
        assert_eq!(durability("on", "off", "on").state, State::Fail);
        assert_eq!(durability("on", "on", "off").state, State::Warn);
        assert_eq!(version("15.1", true, "UTF8", "1 MB").state, State::Fail);
        assert_eq!(version("15.1", false, "LATIN1", "1 MB").state, State::Fail);
    }
}
