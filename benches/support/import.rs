//! An import of a file, reading, unpacking and parsing included, beside a raw binary COPY of the same rows that were
//! prepared in memory beforehand: one connection each, the same role, an identical table.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Instant;

use futures_util::SinkExt;
use gesta::Tenant;
use gesta::import::{Input as _, Jsonl};
use gesta::store::{ImportCounts, ImportOptions};
use tokio_postgres::Client;

use super::ROUNDS;
use super::support::{Bench, median};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/git-1m-part1.jsonl.gz");
/// Rows that are generated where the file is not there.
const GENERATED: u64 = 200_000;

const RAW_COPY: &str = "COPY raw.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type,
    target_id, occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
FROM STDIN (FORMAT binary)";

pub(super) async fn run(bench: &Bench) {
    let role = "gesta_import";
    read_alone();
    let mut figures = [const { Vec::new() }; 3];
    bench.reset().await;
    let rows = import(bench, role).await.1;
    let peak = peak();
    let prepared = prepare(&bench.admin().await).await;
    println!("{} rows, {} MB prepared", rows.read, prepared.len() >> 20);
    for round in 0..ROUNDS {
        bench.reset().await;
        if round % 2 == 0 {
            figures[0].push(import(bench, role).await.0);
            figures[1].push(raw(bench, role, &prepared, rows.appended).await);
        } else {
            figures[1].push(raw(bench, role, &prepared, rows.appended).await);
            figures[0].push(import(bench, role).await.0);
        }
        let (again, counts) = import(bench, role).await;
        assert_eq!(counts.duplicates, rows.read, "nothing is stored twice");
        figures[2].push(again);
    }
    let [ours, limit, again] = figures.map(median);
    super::line("COPY import of a file", ours, limit);
    super::line("the same file again, all duplicates", again, limit);
    println!(
        "peak memory of the process after the first import, before the limit's rows: {peak} MB"
    );
}

/// What the reader's thread could deliver if nobody else needed a processor.
fn read_alone() {
    let start = Instant::now();
    let tenant = Tenant::default();
    let entries = Jsonl::new(input()).entries(&tenant).expect("readable");
    let rows = entries.map(|entry| entry.expect("read").action.is_ok()).filter(|ok| *ok).count();
    println!(
        "{:<44} {:>12.0}",
        "reading, unpacking and parsing alone",
        per_second(rows as u64, start)
    );
}

fn input() -> Box<dyn Read + Send> {
    if Path::new(FILE).exists() {
        return Box::new(File::open(FILE).expect("the file"));
    }
    let lines: String = (0..GENERATED)
        .map(|n| {
            let super::Sample { actor, object, target, data, names } = super::sample(n);
            let (name, second) = (&names["actor"], n % 60);
            format!(
                r#"{{"event_id":"{n}","actor":{{"type":"user","id":"{actor}","name":{name}}},"verb":"updated","object":{{"type":"file","id":"{object}"}},"target":{{"type":"repository","id":"{target}"}},"occurred_at":"2016-01-01T00:00:{second:02}Z","data":{data},"batch_id":"{}"}}"#,
                n / 2
            ) + "\n"
        })
        .collect();
    Box::new(Cursor::new(lines))
}

#[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
fn per_second(rows: u64, start: Instant) -> f64 {
    rows as f64 / start.elapsed().as_secs_f64()
}

async fn import(bench: &Bench, role: &str) -> (f64, ImportCounts) {
    let store = bench.store(role, 1);
    let input = Jsonl::new(input());
    let start = Instant::now();
    let report = store.import(input, ImportOptions::default(), &mut ()).await.expect("imported");
    (per_second(report.counts.read, start), report.counts)
}

/// The same rows as the server itself writes them in the binary format, in the order in which they were imported.
async fn prepare(admin: &Client) -> bytes::Bytes {
    use futures_util::StreamExt;
    let query = "COPY (SELECT tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
        occurred_at, run_id, source, outcome, description, changes, data, names, context, audience
        FROM gesta.action ORDER BY seq) TO STDOUT (FORMAT binary)";
    let stream = admin.copy_out(query).await.expect("copied");
    futures_util::pin_mut!(stream);
    let mut all = bytes::BytesMut::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece.expect("a piece"));
    }
    all.freeze()
}

async fn raw(bench: &Bench, role: &str, prepared: &bytes::Bytes, rows: u64) -> f64 {
    let client = bench.client(role).await;
    let start = Instant::now();
    let sink = client.copy_in(RAW_COPY).await.expect("begun");
    futures_util::pin_mut!(sink);
    for at in (0..prepared.len()).step_by(1 << 16) {
        let piece = prepared.slice(at..prepared.len().min(at + (1 << 16)));
        sink.feed(piece).await.expect("sent");
    }
    assert_eq!(sink.finish().await.expect("copied"), rows);
    per_second(rows, start)
}

/// The most memory that this process had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}
