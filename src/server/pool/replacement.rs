//! Workers that are replaced one by one: because they have no room, have ended, or are lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Loading, Pool, finished, lock};
use crate::metrics::WorkerId;
use crate::server::mailbox::Mail;
use crate::server::worker_thread::Handle;
use liveline_compiler::Diagnostic;
use liveline_proto::OwnerId;

/// So many isolates lost within this time are logged as an error: then clients can make handlers lose them.
const MANY_LOST: (usize, Duration) = (3, Duration::from_secs(600));

/// Isolates whose code cannot be stopped.
#[derive(Default)]
pub(super) struct Losses {
    /// How many of their threads still run.
    running: AtomicUsize,
    /// When isolates were lost, within the time of [`MANY_LOST`].
    times: Mutex<VecDeque<Instant>>,
}

impl Pool {
    /// Begins to load the code of a worker in another one.
    fn begin_again(&self, worker: usize, old: &Handle) -> Result<(Arc<Handle>, Loading), Vec<Diagnostic>> {
        let Some(code) = old.remote.code() else {
            return Err(vec![Diagnostic::new("it has not loaded any code")]);
        };
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        self.begin_load(&code, WorkerId { worker, generation }, true)
    }

    /// Replaces a worker that has no room or has ended by a fresh one with the same code.
    pub(in crate::server) fn replace(&self, owner: OwnerId) {
        let Some(pool) = self.itself.upgrade() else { return };
        if !lock(&self.replacing).insert(owner) {
            return;
        }
        self.runtime.spawn(async move {
            let replaced = pool.replace_serving(owner).await;
            lock(&pool.replacing).remove(&owner);
            if let Err(diagnostics) = replaced {
                for diagnostic in diagnostics {
                    tracing::error!(
                        "the isolate that is to take another's place does not load: {diagnostic}"
                    );
                }
            }
        });
    }

    async fn replace_serving(&self, owner: OwnerId) -> Result<(), Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let Some((index, old)) = self.serving(owner) else { return Ok(()) };
        let (fresh, loading) = self.begin_again(index, &old)?;
        finished(loading).await.result?;
        if self.put_in_place(owner, &fresh) {
            self.retire(old);
            tracing::info!("an isolate was replaced");
            self.prepare_spare();
        } else {
            let _ = fresh.mailbox.send(Mail::Stop);
        }
        Ok(())
    }

    /// Replaces a worker whose thread does not come back by a fresh one with the same code. The fresh one gets the
    /// connections from here on, and serves as soon as it has loaded.
    pub(in crate::server) fn replace_lost(&self, owner: OwnerId) {
        let Some((index, old)) = self.serving(owner) else { return };
        let Some(pool) = self.itself.upgrade() else { return };
        self.detach_debuggers(owner);
        let failed = |diagnostics: Vec<Diagnostic>| {
            for diagnostic in diagnostics {
                tracing::error!(
                    "the isolate that is to take the lost one's place does not load, \
                     and is tried again with the next connection: {diagnostic}"
                );
            }
        };
        match self.begin_again(index, &old) {
            Ok((fresh, loading)) => {
                self.put_in_place(owner, &fresh);
                self.runtime.spawn(async move {
                    if let Err(diagnostics) = finished(loading).await.result {
                        failed(diagnostics);
                        // The connections that waited for it close.
                        drop(fresh.remote.take_arriving());
                    } else {
                        pool.prepare_spare();
                    }
                });
            }
            Err(diagnostics) => failed(diagnostics),
        }
    }

    /// The worker of this owner and its index, if it serves.
    fn serving(&self, owner: OwnerId) -> Option<(usize, Arc<Handle>)> {
        let current = self.current.load();
        let index = current.iter().position(|worker| worker.owner == owner)?;
        Some((index, current[index].clone()))
    }

    /// Swaps a worker that serves for another one. Returns whether it served.
    fn put_in_place(&self, owner: OwnerId, fresh: &Arc<Handle>) -> bool {
        let mut is_done = false;
        self.current.rcu(|workers| {
            let mut workers = Vec::clone(workers);
            let place = workers.iter_mut().find(|worker| worker.owner == owner);
            is_done = place.is_some();
            place.into_iter().for_each(|place| *place = fresh.clone());
            workers
        });
        self.config.actors.serve(self.current.load().iter().map(|worker| worker.owner));
        is_done
    }

    /// Counts a lost isolate.
    pub(in crate::server) fn lost_isolate(&self) {
        let stuck = self.losses.running.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(metrics) = &self.config.metrics {
            metrics.isolate_lost();
        }
        let (many, time) = MANY_LOST;
        let mut losses = lock(&self.losses.times);
        losses.push_back(Instant::now());
        losses.retain(|loss| loss.elapsed() < time);
        if losses.len() >= many {
            tracing::error!(
                "{} isolates were lost within {} minutes, and {stuck} of the lost still run: each holds its memory \
                 and its connections' descriptors until its code ends. The handlers named above let clients do that",
                losses.len(),
                time.as_secs() / 60
            );
        }
    }

    /// The thread of a lost isolate has ended after all.
    pub(in crate::server) fn lost_isolate_ended(&self) {
        let stuck = self.losses.running.fetch_sub(1, Ordering::Relaxed) - 1;
        tracing::info!("the code of a lost isolate has ended; {stuck} still run");
    }
}
