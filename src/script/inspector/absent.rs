//! Stands in for the debugger in a build with QuickJS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::Waker;

use deno_core::JsRuntime;

use super::{DebugTime, InspectorSettings};
use crate::metrics::WorkerId;
use crate::script::loader::NEEDS_V8;
use liveline_proto::OwnerId;

/// The debugger, which this build does not have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inspector(Infallible);

impl Inspector {
    /// Fails with the reason.
    pub(crate) async fn bind(_settings: InspectorSettings) -> std::io::Result<Inspector> {
        Err(std::io::Error::other(format!("this build has no debugger; {NEEDS_V8}")))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self.0 {}
    }

    pub(crate) fn retire(&self, _owner: OwnerId) {
        match self.0 {}
    }

    pub(crate) fn retain(&self, _owners: &[OwnerId]) {
        match self.0 {}
    }

    pub(in crate::script) fn list(
        &self,
        _runtime: &mut JsRuntime,
        _owner: OwnerId,
        _worker: WorkerId,
        _url: String,
        _debug_time: &DebugTime,
    ) -> Listed {
        match self.0 {}
    }
}

/// A target, which this build does not have.
pub(in crate::script) struct Listed(Infallible);

impl Listed {
    pub(in crate::script) fn poll(&self, _waker: &Waker) {
        match self.0 {}
    }

    pub(in crate::script) fn wait(&self) {
        match self.0 {}
    }
}
