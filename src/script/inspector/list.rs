//! The targets of the process.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use deno_core::JsRuntime;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::debuggee::Debuggee;
use super::target::Target;
use super::{DebugTime, InspectorSettings, server};
use crate::metrics::WorkerId;
use liveline_proto::OwnerId;

/// The debugger of a process.
#[derive(Clone)]
pub(crate) struct Inspector(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// No debugger has attached to the first code, which waits for one.
    waits: AtomicBool,
    targets: Mutex<Vec<Arc<Target>>>,
}

impl Inspector {
    /// Accepts debuggers at an address from now on, on the current tokio runtime.
    pub(crate) async fn bind(settings: InspectorSettings) -> std::io::Result<Inspector> {
        let listener = TcpListener::bind(settings.address).await?;
        let (address, waits) = (listener.local_addr()?, AtomicBool::new(settings.waits));
        let inspector = Inspector(Arc::new(Shared { address, waits, targets: Mutex::default() }));
        tokio::spawn(server::serve(listener, inspector.clone()));
        Ok(inspector)
    }

    /// The address in use.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Removes the target of a worker and closes its sessions: another worker takes its place, or the process ends.
    pub(crate) fn retire(&self, owner: OwnerId) {
        self.retire_if(|target| target.owner == owner);
    }

    /// Removes all targets but those of these workers: the others belong to loads that were cancelled.
    pub(crate) fn retain(&self, owners: &[OwnerId]) {
        self.retire_if(|target| !owners.contains(&target.owner));
    }

    fn retire_if(&self, is_retired: impl FnMut(&mut Arc<Target>) -> bool) {
        let retired: Vec<_> = self.targets().extract_if(.., is_retired).collect();
        retired.iter().for_each(|target| target.retire());
    }

    /// Lists an isolate as a target, until the guard is dropped.
    pub(in crate::script) fn list(
        &self,
        runtime: &mut JsRuntime,
        owner: OwnerId,
        worker: WorkerId,
        url: String,
        debug_time: &DebugTime,
    ) -> Listed {
        let debuggee = Debuggee::new(runtime);
        let target = Target::new(owner, worker, url, debug_time.clone(), debuggee.inbox().clone());
        let id = target.id;
        self.targets().push(Arc::new(target));
        Listed { inspector: self.clone(), id, debuggee }
    }

    /// The targets, those of the newest generation first: editors attach to the first.
    pub(super) fn sorted(&self) -> Vec<Arc<Target>> {
        let mut targets = self.targets().clone();
        targets.sort_by_key(|target| (Reverse(target.worker.generation), target.worker.worker));
        targets
    }

    pub(super) fn find(&self, id: Uuid) -> Option<Arc<Target>> {
        self.targets().iter().find(|target| target.id == id).cloned()
    }

    fn targets(&self) -> MutexGuard<'_, Vec<Arc<Target>>> {
        self.0.targets.lock().expect("nothing panics while the targets are locked")
    }
}

/// See [`Inspector::list`].
pub(in crate::script) struct Listed {
    inspector: Inspector,
    id: Uuid,
    debuggee: Debuggee,
}

impl Listed {
    /// Dispatches the messages of debuggers. The waker is woken when more arrive.
    pub(in crate::script) fn poll(&self, waker: &Waker) {
        self.debuggee.poll(waker);
    }

    /// If the first code is to wait for a debugger, blocks until one lets it run; then the next statement pauses.
    pub(in crate::script) fn wait(&self) {
        let Shared { address, waits, .. } = &*self.inspector.0;
        if !waits.load(Ordering::Relaxed) {
            return;
        }
        tracing::info!("waiting for a debugger at {address}");
        self.debuggee.wait();
        // The wait also ends when the target is retired, as after a change of the files.
        if self.inspector.find(self.id).is_some() {
            waits.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.inspector.retire_if(|target| target.id == self.id);
    }
}
