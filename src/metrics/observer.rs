//! All figures of the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use super::exposition::Format;
use super::figures::write;
use super::meter::{AnswerSums, Figures};
use super::{Meter, Place};
use crate::lines::Hub;

/// Where everything that is counted comes together. Clones share it.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Shared>);

/// What one kind of memory takes now, and what it may take, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub held: usize,
    pub limit: usize,
}

/// Where to ask for the budgets of the process.
pub(crate) struct Budgets {
    /// Bodies that are being received.
    pub bodies: Box<dyn Fn() -> Budget + Send + Sync>,
    /// Results of queries, outside of JavaScript.
    pub results: Box<dyn Fn() -> Budget + Send + Sync>,
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
    present: Vec<Arc<Figures>>,
    /// What those counted that are gone.
    past: AnswerSums,
}

/// What is known at one moment.
pub(super) struct Moment {
    pub engine: &'static str,
    pub began: SystemTime,
    pub workers: Vec<Arc<Figures>>,
    pub answers: AnswerSums,
    pub reloaded: u64,
    pub failed: u64,
    /// Isolates whose code could not be stopped.
    pub lost: u64,
    pub bodies: Budget,
    pub results: Budget,
}

impl Observer {
    /// Begins to count. `engine` names what runs the handlers.
    pub(crate) fn new(hub: Hub, engine: &'static str, budgets: Budgets) -> Observer {
        let (workers, reloaded, failed, lost) = Default::default();
        let began = SystemTime::now();
        Observer(Arc::new(Shared { hub, budgets, engine, began, workers, reloaded, failed, lost }))
    }

    /// A worker begins to serve.
    pub(crate) fn enlist(&self, place: Place) -> Meter {
        let meter = Meter::new(place, self.clone());
        self.workers().present.push(meter.figures().clone());
        meter
    }

    pub(super) fn dismiss(&self, figures: &Arc<Figures>) {
        let mut workers = self.workers();
        workers.present.retain(|known| !Arc::ptr_eq(known, figures));
        figures.answers.add_to(&mut workers.past);
    }

    /// The handlers were loaded again, or did not load.
    pub(crate) fn reloaded(&self, ok: bool) {
        let count = if ok { &self.0.reloaded } else { &self.0.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// An isolate's code could not be stopped.
    pub(crate) fn lost_an_isolate(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// All figures as text.
    pub(super) fn expose(&self, format: Format) -> String {
        write(&self.moment(), &self.0.hub, format)
    }

    fn moment(&self) -> Moment {
        let (workers, mut answers) = {
            let workers = self.workers();
            (workers.present.clone(), workers.past.clone())
        };
        workers.iter().for_each(|figures| figures.answers.add_to(&mut answers));
        let Shared { engine, began, ref reloaded, ref failed, ref lost, .. } = *self.0;
        let [reloaded, failed, lost] = [reloaded, failed, lost].map(|count| count.load(Ordering::Relaxed));
        let Budgets { bodies, results } = &self.0.budgets;
        let (bodies, results) = (bodies(), results());
        Moment { engine, began, workers, answers, reloaded, failed, lost, bodies, results }
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.0.workers.lock().expect("nothing panics while the list is locked")
    }
}
