//! Properties whose cases run against a database.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Tries a property on so many cases, and shows the smallest one that it does not hold for.
pub(crate) fn holds<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let result = TestRunner::new(config).run(strategy, |value| {
        property(value);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => panic!("{reason}\nfor {value:#?}"),
        Err(error) => panic!("{error}"),
    }
}
