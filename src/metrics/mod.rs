//! What can be seen of the host from outside: its figures, and the ids that its log goes by.
//!
//! | type | what it is |
//! |---|---|
//! | [`Observer`] | all figures of the process, and who may read them |
//! | [`Meter`] | what one worker counts, on its own thread |
//! | [`Endpoint`] | the address at which figures are served besides the site |
//! | [`RequestId`] | the id that a client gave its request |
//! | [`colors`] | whether what is printed may have colours |
//! | [`output`] | what the process prints, which nobody has to wait for |
//!
//! **Invariant:** counting takes no lock and no memory: each worker adds to numbers that nobody else writes, and they
//! are summed when somebody asks. Where nobody can ask, nothing is counted.

pub(crate) mod colors;
mod endpoint;
mod exposition;
mod figures;
mod meter;
mod observer;
pub(crate) mod output;
mod process;
mod request_id;

/// What handlers say, in the log: their errors, and what they print where the log is for programs.
pub(crate) const HANDLER: &str = "liveline::handler";
pub(crate) const CONSOLE: &str = "liveline::console";
/// One line for each answered request, where it was asked for.
pub(crate) const ACCESS: &str = "liveline::access";

pub(crate) use endpoint::{Endpoint, PATH};
pub(crate) use meter::{Heap, Meter, Place};
pub(crate) use observer::{Budget, Budgets, Observer};
pub(crate) use request_id::RequestId;
