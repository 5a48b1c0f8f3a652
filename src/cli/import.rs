//! `gesta import`: a file of events, or the history of a git repository.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::exit::{Code, Told};
use super::output::{Format, Out};
use super::say;
use super::session::{Role, Session};
use super::stats::number;
use crate::error::quote;
use crate::import::{Git, Jsonl, Refusal};
use crate::store::{
    ImportCounts, ImportError, ImportObserver, ImportOptions, ImportProgress, ImportReport, Store,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta import events.jsonl.gz                  JSON lines, packed or not
  gesta import --format git ~/src/project       a repository's own history
  gesta log -n all | gesta import - --home /tmp/other
  gesta import events.jsonl --errors refused.jsonl

Start it again after an interruption: what is stored already counts as duplicate.";

/// Refused lines that are shown on standard error.
const SHOWN: u64 = 5;
/// How often the progress is drawn, a second.
const DRAWS: u8 = 10;

/// What is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// A folder is a git repository, anything else JSON lines.
    Auto,
    /// JSON lines: events of another system, or actions as `gesta log` gives them.
    Jsonl,
    /// The history of a git repository: author, verb, file, repository; a commit is a run.
    Git,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// File, `-` for standard input, or the folder of a git repository
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// What it is
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    format: From,
    /// Write what is refused to this file: {line, field, error, text} as JSON lines
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let source = Source::open(&args)?;
    let errors = args.errors.as_deref().map(create).transpose()?;
    let database = session.open(Role::Import).await?;
    let mut watch = Watch::new(source.bar(), errors);
    let options = ImportOptions::default().tenant(session.tenant.clone());
    // Dropped at an interruption: the chunks that are stored stay, and the one on its way is stored whole or not at all.
    let ended = tokio::select! {
        ended = source.load(&database.store, options, &mut watch) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    watch.finish()?;
    let mut out = session.out();
    watch.summary(&mut out)?;
    match ended {
        None => {
            say::note("interrupted; start it again to go on");
            Ok(Code::Interrupted)
        }
        Some(Err(error)) => Err(anyhow::Error::new(error)
            .context("the import did not come to its end; what was stored stays")),
        Some(Ok(ImportReport { counts, .. })) if counts.refused + counts.conflicts > 0 => {
            Ok(Code::Partial)
        }
        Some(Ok(_)) => Ok(Code::Ok),
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path);
    Ok(BufWriter::new(file.with_context(|| format!("failed to create {}", shown(path)))?))
}

fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

/// Where events come from.
enum Source {
    Lines { input: Box<dyn Read + Send>, bytes: Option<u64> },
    Git(PathBuf),
}

impl Source {
    fn open(args: &Args) -> anyhow::Result<Self> {
        if args.format == From::Git || (args.format == From::Auto && args.file.is_dir()) {
            return Ok(Self::Git(args.file.clone()));
        }
        if args.file.as_os_str() == "-" {
            if io::IsTerminal::is_terminal(&io::stdin()) {
                say::note("reading from the terminal; Ctrl-D ends it");
            }
            return Ok(Self::Lines { input: Box::new(io::stdin()), bytes: None });
        }
        if args.file.is_dir() {
            let text = "is a folder; give a file of JSON lines, or --format git for the history of a repository";
            return Err(Told::usage(format!("{} {text}", shown(&args.file))).into());
        }
        let file = File::open(&args.file);
        let file = file.with_context(|| format!("failed to open {}", shown(&args.file)))?;
        let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
        Ok(Self::Lines { input: Box::new(file), bytes })
    }

    /// A bar where the end is known, else only the numbers.
    fn bar(&self) -> ProgressBar {
        let (bar, form) = match self {
            Self::Lines { bytes: Some(bytes), .. } => {
                (ProgressBar::new(*bytes), "{bar:24} {percent:>3} %  {msg}  {eta} left")
            }
            _ => (ProgressBar::new_spinner(), "{spinner} {msg}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS));
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar
    }

    async fn load(
        self,
        store: &Store,
        options: ImportOptions,
        watch: &mut Watch,
    ) -> Result<ImportReport, ImportError> {
        match self {
            Self::Lines { input, .. } => store.import(Jsonl::new(input), options, watch).await,
            Self::Git(path) => store.import(Git::new(path), options, watch).await,
        }
    }
}

/// A refused line in the file of errors.
#[derive(Serialize)]
struct RefusalForm<'a> {
    line: u64,
    field: Option<&'a str>,
    error: &'a str,
    text: &'a str,
}

/// Draws the progress, and keeps what was refused.
pub(super) struct Watch {
    bar: ProgressBar,
    errors: Option<BufWriter<File>>,
    /// The file of errors could not be written.
    failed: Option<io::Error>,
    refused: u64,
    counts: ImportCounts,
    began: Instant,
}

impl Watch {
    pub(super) fn new(bar: ProgressBar, errors: Option<BufWriter<File>>) -> Self {
        let (counts, began) = (ImportCounts::default(), Instant::now());
        Self { bar, errors, failed: None, refused: 0, counts, began }
    }

    fn write(&mut self, refusal: &Refusal) -> io::Result<()> {
        let Some(file) = &mut self.errors else { return Ok(()) };
        let form = RefusalForm {
            line: refusal.line,
            field: refusal.problem.field.as_deref(),
            error: &refusal.problem.text,
            text: &refusal.raw,
        };
        serde_json::to_writer(&mut *file, &form)?;
        file.write_all(b"\n")
    }

    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        let flushed = self.errors.as_mut().map_or(Ok(()), Write::flush);
        let written = self.failed.take().map_or(flushed, Err);
        written.context("failed to write the file of errors; the import itself is not affected")?;
        if self.refused > SHOWN {
            let more = self.refused - SHOWN;
            let keep = if self.errors.is_some() { "" } else { "; --errors FILE keeps them" };
            say::warning(&format!("and {more} more that are not stored{keep}"));
        }
        Ok(())
    }

    fn rate(&self) -> u64 {
        let micros = self.began.elapsed().max(Duration::from_micros(1)).as_micros();
        let rate = u128::from(self.counts.read) * 1_000_000 / micros;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    fn summary(&self, out: &mut Out) -> io::Result<()> {
        let ImportCounts { read, appended, duplicates, conflicts, refused } = self.counts;
        let counts = [
            ("read", read),
            ("appended", appended),
            ("duplicates", duplicates),
            ("conflicts", conflicts),
            ("refused", refused),
        ];
        match out.format() {
            Format::Jsonl => out.json(&serde_json::Map::from_iter(
                counts.map(|(name, count)| (name.to_owned(), count.into())),
            ))?,
            Format::Csv => {
                out.csv(counts.map(|(name, _)| name))?;
                let counts = counts.map(|(_, count)| count.to_string());
                out.csv(counts.iter().map(String::as_str))?;
            }
            Format::Table => {
                let counts = counts.map(|(name, count)| format!("{} {name}", grouped(count)));
                let time = self.began.elapsed().as_secs_f64();
                let rate = grouped(self.rate());
                out.text(&format!("{}  ({time:.1} s, {rate} rows/s)", counts.join(", ")))?;
            }
        }
        out.flush()
    }
}

fn grouped(count: u64) -> String {
    number(i64::try_from(count).unwrap_or(i64::MAX))
}

impl ImportObserver for Watch {
    fn refused(&mut self, refusal: &Refusal) {
        self.refused += 1;
        if self.refused <= SHOWN {
            self.bar.suspend(|| say::warning(&refusal.to_string()));
        }
        if self.failed.is_none() {
            self.failed = self.write(refusal).err();
        }
    }

    fn progress(&mut self, progress: &ImportProgress) -> ControlFlow<()> {
        self.counts = progress.counts;
        if self.bar.length().is_some() {
            self.bar.set_position(progress.bytes);
        }
        let ImportCounts { read, duplicates, .. } = self.counts;
        let known = match duplicates {
            0 => String::new(),
            count => format!(", {} known", grouped(count)),
        };
        self.bar.set_message(format!("{} rows{known}, {}/s", grouped(read), grouped(self.rate())));
        ControlFlow::Continue(())
    }
}
