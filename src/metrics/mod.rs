//! How the host is watched from outside: metrics, the ids of requests in the log, and what the process prints.
//!
//! | type | what it is |
//! |---|---|
//! | [`Metrics`] | all metrics of the process |
//! | [`Meter`] | records the metrics of one worker |
//! | [`MetricsEndpoint`] | an address that serves the metrics and nothing else |
//! | [`RequestId`] | the id that a client gave its request |
//! | [`colors`] | whether standard output and standard error get colours |
//! | [`output`] | prints without blocking the caller |
//!
//! **Invariant:** to count a request takes no lock and no memory: each worker has counters of its own, which are summed
//! when the metrics are read. Without `--metrics` and outside of `dev` nothing is counted.

pub(crate) mod colors;
mod endpoint;
mod exposition;
mod families;
mod meter;
pub(crate) mod output;
mod process;
mod registry;
mod request_id;

/// The log target of handlers' errors.
pub(crate) const HANDLER: &str = "liveline::handler";
/// The log target of what handlers print, where the log is JSON.
pub(crate) const CONSOLE: &str = "liveline::console";
/// The log target of the access log: one line for each answered request.
pub(crate) const ACCESS: &str = "liveline::access";

pub(crate) use endpoint::{MetricsEndpoint, PATH};
pub(crate) use meter::{Heap, Meter, WorkerId};
pub(crate) use registry::{ActorCounts, Budget, Budgets, Metrics, TopicCounts};
pub(crate) use request_id::RequestId;
