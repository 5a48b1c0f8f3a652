//! `gesta completion`: completions for a shell.

use clap::CommandFactory;

use super::exit::Code;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta completion bash > /etc/bash_completion.d/gesta
  gesta completion zsh > ~/.zfunc/_gesta
  gesta completion fish > ~/.config/fish/completions/gesta.fish";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For which shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args) -> std::io::Result<Code> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "gesta", &mut text);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &text)?;
    Ok(Code::Ok)
}
