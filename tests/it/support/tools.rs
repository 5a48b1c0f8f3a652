//! Programs that only some tests need: a test without them says so and does nothing; never on CI (the variable `CI`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether a program runs with these arguments.
pub(crate) fn is_there(program: &str, args: &[&str]) -> bool {
    let run = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Whether to go on; fails where it must not be left out.
pub(crate) fn given(what: &str, there: bool) -> bool {
    if !there {
        assert!(std::env::var_os("CI").is_none(), "on CI, {what} must be there");
        println!("left out: there is no {what} here");
    }
    there
}

/// A folder that stays from run to run.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A file of the examples.
pub(crate) fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// Runs an installer, unless it has installed the same before.
pub(crate) fn install(folder: &Path, list: &Path, command: &mut Command) {
    let (mark, wanted) = (folder.join("installed"), fs::read(list).expect("the list"));
    if fs::read(&mark).is_ok_and(|found| found == wanted) {
        return;
    }
    let output = command.output().expect("the installer runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(mark, wanted).expect("the mark");
}
