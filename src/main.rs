//! The command `gesta`: parse, run one command, say what went wrong, exit with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gesta::cli::main()
}
