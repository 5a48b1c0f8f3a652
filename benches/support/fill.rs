//! Two million actions with the skew of real histories.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use gesta::import::Jsonl;
use gesta::store::ImportOptions;

use super::Bench;

/// Lines made where there is no real history.
const MADE: u64 = 1_030_000;

/// Imports the histories twice, the second time under other source ids, and brings the statistics up to date.
pub(crate) async fn two_million(bench: &Bench) -> u64 {
    let store = bench.store("gesta_import", 2);
    let mut rows = 0;
    for copy in 0..2 {
        for input in inputs() {
            let lines = Renamed { lines: BufReader::new(input), copy, line: Cursor::default() };
            let report = store.import(Jsonl::new(lines), ImportOptions::default(), &mut ()).await;
            rows += report.expect("the history is imported").counts.appended;
        }
    }
    let admin = bench.admin().await;
    admin.batch_execute("VACUUM (ANALYZE) gesta.action").await.expect("vacuumed");
    admin.batch_execute("CHECKPOINT").await.expect("a checkpoint");
    rows
}

fn inputs() -> Vec<Box<dyn Read + Send>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let files = [1, 2].map(|part| File::open(folder.join(format!("git-1m-part{part}.jsonl.gz"))));
    if let [Ok(first), Ok(second)] = files {
        return [first, second].map(|file| Box::new(MultiGzDecoder::new(file)) as _).into();
    }
    println!("no ../shared/data: the actions are made up");
    vec![Box::new(Made { next: 0, line: Cursor::default() })]
}

/// The same history as another source: each event id begins with the number of the copy.
struct Renamed<R> {
    lines: R,
    copy: u32,
    line: Cursor<Vec<u8>>,
}

impl<R: BufRead> Read for Renamed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.line.position() == self.line.get_ref().len() as u64 {
            let mut line = String::new();
            self.lines.read_line(&mut line)?;
            let renamed =
                line.replacen("\"event_id\":\"", &format!("\"event_id\":\"{}-", self.copy), 1);
            self.line = Cursor::new(renamed.into_bytes());
        }
        self.line.read(buffer)
    }
}

/// Events of people whose activity falls off like 1/rank, on files likewise.
struct Made {
    next: u64,
    line: Cursor<Vec<u8>>,
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.line.position() == self.line.get_ref().len() as u64 && self.next < MADE {
            self.line = Cursor::new(made(self.next).into_bytes());
            self.next += 1;
        }
        self.line.read(buffer)
    }
}

fn made(n: u64) -> String {
    // A multiplicative hash gives the same history in every run.
    let spread = |salt: u64, most: f64| {
        let hash = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ salt).rotate_left(31);
        #[expect(clippy::cast_precision_loss, reason = "a share between 0 and 1")]
        let share = (hash.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let rank = most.powf(share) as u64;
        rank
    };
    let (user, file, repository) = (spread(1, 50_000.0), spread(2, 300_000.0), spread(3, 50.0));
    let (year, month, day) = (2005 + n / 49_100, 1 + n / 4_100 % 12, 1 + n / 150 % 28);
    format!(
        "{{\"event_id\":\"made:{n}\",\"actor\":{{\"type\":\"user\",\"id\":\"u{user}\",\"name\":\"Person {user}\"}},\
         \"verb\":\"updated\",\"object\":{{\"type\":\"file\",\"id\":\"r{repository}:src/f{file}.rs\"}},\
         \"target\":{{\"type\":\"repository\",\"id\":\"r{repository}\"}},\
         \"occurred_at\":\"{year}-{month:02}-{day:02}T12:{:02}:{:02}Z\",\
         \"data\":{{\"subject\":\"change number {n}\"}},\"batch_id\":\"made:{}\"}}\n",
        n / 60 % 60,
        n % 60,
        n / 3
    )
}
