//! What the requests of one connection have in common.

use std::net::IpAddr;
use std::rc::Rc;

use super::Worker;
use super::monitor::Monitor;
use crate::trust::Peer;

/// See the module.
pub(super) struct Context {
    pub worker: Rc<Worker>,
    pub peer: Peer,
    /// The address of this machine that the connection was made to.
    pub arrived_at: Option<IpAddr>,
    pub monitor: Rc<Monitor>,
}
