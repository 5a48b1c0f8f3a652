//! Whether what guards the log is what the migrations made: functions, triggers, policies, and no rules.
//!
//! Whoever may change them could have put something else in their place under the same name, or added what lets through what
//! they refuse.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::Check;

const NAME: &str = "guards";

/// Each guard with its definition.
const GUARDS: &str = include_str!("guards.sql");

/// What the statement finds after the migrations: a name, a colon, a definition. Written by a test: tests/it/schema.rs
const EXPECTED: &str = include_str!("guards.txt");

/// A guard as it is.
struct Found {
    /// Its name, with the table that it is on.
    name: String,
    /// The same, with one name for all partitions.
    label: String,
    definition: String,
}

pub(super) async fn check(client: &Client) -> Check {
    let rows = match client.query(GUARDS, &[]).await {
        Ok(rows) => rows,
        Err(error) => return Check::unknown(NAME, &error),
    };
    let found: Vec<_> = rows
        .iter()
        .map(|row| Found { name: row.get(0), label: row.get(1), definition: row.get(2) })
        .collect();
    let problems = compare(&expected(), &found);
    if problems.is_empty() {
        return Check::ok(NAME, "functions, triggers and policies are as the migrations made them");
    }
    let fix = "find out who changed it, and what was changed since; gesta migrate sql has what it should be";
    Check::fail(NAME, problems.join(", "), fix)
}

fn expected() -> BTreeMap<&'static str, &'static str> {
    EXPECTED.lines().filter_map(|line| line.split_once(": ")).collect()
}

/// What is another one, too much, or missing.
fn compare(expected: &BTreeMap<&str, &str>, found: &[Found]) -> Vec<String> {
    let judge = |guard: &Found| match expected.get(guard.label.as_str()) {
        Some(definition) if *definition == guard.definition => None,
        Some(_) => Some(format!("{} was changed", guard.name)),
        None => Some(format!("{} is not ours", guard.name)),
    };
    let is_there = |label: &str| found.iter().any(|guard| guard.label == label);
    let missing = expected.keys().filter(|label| !is_there(label));
    let missing = missing.map(|label| format!("{label} is missing"));
    found.iter().filter_map(judge).chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_too_much_or_missing_is_named() {
        let expected = BTreeMap::from([("policy a of t", "USING (x)"), ("rule b of t", "y")]);
        let guard = |name: &str, label: &str, definition: &str| Found {
            name: name.to_owned(),
            label: label.to_owned(),
            definition: definition.to_owned(),
        };
        let good = guard("policy a of t1", "policy a of t", "USING (x)");
        let found = [good, guard("policy a of t2", "policy a of t", "USING (true)")];
        assert_eq!(
            compare(&expected, &found),
            ["policy a of t2 was changed", "rule b of t is missing"]
        );
        let found = [guard("trigger c of t", "trigger c of t", "z")];
        assert_eq!(compare(&expected, &found)[0], "trigger c of t is not ours");
    }

    #[test]
    fn every_line_of_what_is_expected_can_be_read() {
        assert_eq!(expected().len(), EXPECTED.lines().count());
        assert!(expected().contains_key("function gesta.refuse_change()"));
    }
}
