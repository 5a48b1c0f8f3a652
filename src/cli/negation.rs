//! Searches that begin with a negation, such as `-verb:pay`: to a parser of flags that is `-v` with the value `erb:pay`.
//!
//! clap can take arguments with a hyphen as values, but then takes all that follow, flags too. So the arguments are looked
//! through before: one that is a negated term of a search gets a blank in front, which makes it a value, and which means
//! nothing in a search.

use std::ffi::OsString;

use clap::{Arg, Command};

use crate::search::Key;

/// What the positional argument of a search is called.
pub(super) const QUERY: &str = "QUERY";
/// And of a text, which says that it takes no search.
pub(super) const TEXT: &str = "TEXT";

/// The arguments, in which negated terms cannot be taken as flags any more. They begin with the name of the program.
pub(super) fn kept(command: &Command, args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut of, mut is_value, mut is_open) = (command, true, true);
    let keep = |arg: OsString| {
        let Some(text) = arg.to_str().filter(|_| is_open && !std::mem::take(&mut is_value)) else {
            return arg;
        };
        if !text.starts_with('-') {
            of = of.find_subcommand(text).unwrap_or(of);
        } else if text == "--" {
            is_open = false;
        } else if takes_search(of) && is_negated(text) {
            return OsString::from(format!(" {text}"));
        } else {
            is_value = has_value_behind(of, text);
        }
        arg
    };
    args.map(keep).collect()
}

/// A word of a search as it was given.
pub(super) fn given(word: &str) -> &str {
    word.strip_prefix(' ').filter(|word| word.starts_with('-')).unwrap_or(word)
}

/// Whether a word begins with a key of the search language, perhaps negated or in parentheses.
pub(super) fn has_key(word: &str) -> bool {
    let word = word.trim_start_matches(['-', '(']);
    word.split_once(':').is_some_and(|(key, _)| Key::is_known(key))
}

/// No flag begins so: a key, a phrase or a group.
fn is_negated(text: &str) -> bool {
    text.starts_with("-(") || text.starts_with("-\"") || has_key(text)
}

fn takes_search(command: &Command) -> bool {
    let is_search = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().any(|name| [QUERY, TEXT].contains(&name.as_str()))
    };
    command.get_positionals().any(is_search)
}

/// Whether the value of a flag is the argument behind it.
fn has_value_behind(command: &Command, text: &str) -> bool {
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    if let Some(long) = text.strip_prefix("--") {
        return command.get_opts().any(|arg| arg.get_long() == Some(long) && takes_value(arg));
    }
    // Of several in one, such as `-lo csv`, the first that takes a value takes the rest.
    let mut shorts = text[1..].chars();
    let is_last = shorts.by_ref().find_map(|short| {
        let arg = command.get_opts().find(|arg| arg.get_short() == Some(short));
        arg.filter(|arg| takes_value(arg))
    });
    is_last.is_some() && shorts.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn only_negated_terms_of_a_search_are_kept_from_the_flags() {
        let mut command = Cli::command();
        command.build();
        for (given, wanted) in [
            ("log -verb:pay", "log| -verb:pay"),
            ("log -n 5 -source:import -l", "log|-n|5| -source:import|-l"),
            ("--tenant a log -data.a.b:1", "--tenant|a|log| -data.a.b:1"),
            ("query explain -OBJECT.type:x", "query|explain| -OBJECT.type:x"),
            ("object issue:1 -(verb:a", "object|issue:1| -(verb:a"),
            // Flags and their values.
            ("log -verbs:pay", "log|-verbs:pay"),
            ("log -v -verb:pay", "log|-v|-verb:pay"),
            ("log --verb -verb:pay", "log|--verb|-verb:pay"),
            ("log --verb=x -verb:pay", "log|--verb=x| -verb:pay"),
            ("log -lo -verb:pay", "log|-lo|-verb:pay"),
            ("log -ocsv -verb:pay", "log|-ocsv| -verb:pay"),
            ("log -- -verb:pay", "log|--|-verb:pay"),
            // No searches.
            ("emit -verb:pay", "emit|-verb:pay"),
            ("feed user:1 -verb:pay", "feed|user:1|-verb:pay"),
        ] {
            let args = ["gesta"].into_iter().chain(given.split(' ')).map(OsString::from);
            let kept = kept(&command, args).into_iter().skip(1).map(OsString::into_string);
            let kept: Vec<_> = kept.map(|arg| arg.expect("UTF-8")).collect();
            assert_eq!(kept.join("|"), wanted, "{given}");
        }
    }
}
