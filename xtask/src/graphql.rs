//! `cargo xtask graphql`: clients of GraphQL from npm (`tests/graphql`) against scripts of aiwebengine.

use crate::checkout::Checkout;
use crate::failure::Outcome;
use crate::npm;
use crate::streams::run_suite;

/// Builds a debug liveline and runs the tests with it.
pub fn graphql(checkout: &Checkout) -> Outcome {
    npm::build(checkout)?;
    run(checkout)
}

/// The same with the liveline that was built before.
pub fn run(checkout: &Checkout) -> Outcome {
    run_suite(checkout, "graphql", "the tests of clients of GraphQL", &[])
}
