//! All metrics of the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use super::exposition::Format;
use super::families::write;
use super::meter::{AnswerSums, WorkerMetrics};
use super::{Meter, WorkerId};
use crate::lines::Hub;
use liveline_proto::topic::TopicStats;

/// All metrics of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Shared>);

/// How much memory is used for one purpose, and its limit, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Bytes in use.
    pub held: usize,
    /// The largest number of bytes.
    pub limit: usize,
}

/// How many actors there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ActorCounts {
    /// Actors that an isolate runs.
    pub alive: usize,
    /// Actors that no isolate runs and that have open sockets.
    pub hibernating: usize,
    /// Events that wait for actors.
    pub waiting: usize,
    /// Alarms that are set.
    pub alarms: usize,
    /// Alarms whose time has come and whose handlers have not ended.
    pub alarms_due: usize,
}

/// What topics have, and the hub for pages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TopicCounts {
    /// The topics.
    pub topics: TopicStats,
    /// Pages that are connected to the hub by a WebSocket.
    pub pages: usize,
}

/// Functions that return the budgets of the process.
pub(crate) struct Budgets {
    /// Bodies that are being received.
    pub bodies: Box<dyn Fn() -> Budget + Send + Sync>,
    /// Results of queries, outside of JavaScript.
    pub results: Box<dyn Fn() -> Budget + Send + Sync>,
    /// The actors.
    pub actors: Box<dyn Fn() -> ActorCounts + Send + Sync>,
    /// The topics.
    pub topics: Box<dyn Fn() -> TopicCounts + Send + Sync>,
}

struct Shared {
    hub: Hub,
    budgets: Budgets,
    /// The engine that runs the handlers.
    engine: &'static str,
    began: SystemTime,
    workers: Mutex<Workers>,
    reloaded: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
struct Workers {
    /// Those that run.
    running: Vec<Arc<WorkerMetrics>>,
    /// What the others have counted.
    ended: AnswerSums,
}

/// All metrics at one snapshot, except those of lines.
pub(super) struct Snapshot {
    /// The name of the JavaScript engine.
    pub engine: &'static str,
    /// When the process started.
    pub began: SystemTime,
    /// The workers that run.
    pub workers: Vec<Arc<WorkerMetrics>>,
    /// The answers of all workers, ended ones included.
    pub answers: AnswerSums,
    /// Reloads that succeeded.
    pub reloaded: u64,
    /// Reloads that failed.
    pub failed: u64,
    /// Isolates whose code could not be stopped.
    pub lost: u64,
    /// The bodies that are being received.
    pub bodies: Budget,
    /// The results of queries.
    pub results: Budget,
    /// The actors.
    pub actors: ActorCounts,
    /// The topics.
    pub topics: TopicCounts,
}

impl Metrics {
    /// Metrics whose counters are zero. `engine` is the name of the JavaScript engine.
    pub(crate) fn new(hub: Hub, engine: &'static str, budgets: Budgets) -> Metrics {
        let (workers, reloaded, failed, lost) = Default::default();
        let began = SystemTime::now();
        Metrics(Arc::new(Shared { hub, budgets, engine, began, workers, reloaded, failed, lost }))
    }

    /// Adds a worker. Its metrics are shown until the meter is dropped.
    pub(crate) fn add_worker(&self, id: WorkerId) -> Meter {
        let meter = Meter::new(id, self.clone());
        self.workers().running.push(meter.worker().clone());
        meter
    }

    /// Removes a worker and keeps what it has counted.
    pub(super) fn remove_worker(&self, worker: &Arc<WorkerMetrics>) {
        let mut workers = self.workers();
        workers.running.retain(|known| !Arc::ptr_eq(known, worker));
        worker.answers.add_to(&mut workers.ended);
    }

    /// Counts a reload of the handlers, or one that failed.
    pub(crate) fn reloaded(&self, ok: bool) {
        let count = if ok { &self.0.reloaded } else { &self.0.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an isolate whose code could not be stopped.
    pub(crate) fn isolate_lost(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// All metrics as text.
    pub(super) fn expose(&self, format: Format) -> String {
        write(&self.snapshot(), &self.0.hub, format)
    }

    fn snapshot(&self) -> Snapshot {
        let (workers, mut answers) = {
            let workers = self.workers();
            (workers.running.clone(), workers.ended.clone())
        };
        workers.iter().for_each(|worker| worker.answers.add_to(&mut answers));
        let Shared { engine, began, ref reloaded, ref failed, ref lost, .. } = *self.0;
        let [reloaded, failed, lost] = [reloaded, failed, lost].map(|count| count.load(Ordering::Relaxed));
        let Budgets { bodies, results, actors, topics } = &self.0.budgets;
        let (bodies, results, actors, topics) = (bodies(), results(), actors(), topics());
        Snapshot { engine, began, workers, answers, reloaded, failed, lost, bodies, results, actors, topics }
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.0.workers.lock().expect("nothing panics while the list is locked")
    }
}
