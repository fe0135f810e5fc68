//! A thread that owns something and works through tasks on it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::SqlError;
use crate::database::QueueSlot;

/// The handle of the thread. Clones share it; it ends when the last one is dropped.
pub(crate) struct OwnThread<T> {
    tasks: mpsc::Sender<Task<T>>,
    waiting: Arc<AtomicUsize>,
}

type Task<T> = Box<dyn FnOnce(&mut T) + Send>;

impl<T> Clone for OwnThread<T> {
    fn clone(&self) -> Self {
        OwnThread { tasks: self.tasks.clone(), waiting: self.waiting.clone() }
    }
}

impl<T: 'static> OwnThread<T> {
    /// Starts the thread with what `open` returns.
    pub(crate) fn start(
        open: impl FnOnce() -> Result<T, SqlError> + Send + 'static,
    ) -> Result<OwnThread<T>, SqlError> {
        let (tasks, inbox) = mpsc::channel::<Task<T>>();
        let (opened, result) = mpsc::channel();
        let work = move || match open() {
            Ok(mut owned) => {
                let _ = opened.send(Ok(()));
                while let Ok(task) = inbox.recv() {
                    task(&mut owned);
                }
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        std::thread::Builder::new()
            .name("liveline-database".to_owned())
            .spawn(work)
            .map_err(|error| SqlError::new("SQLITE_CANTOPEN", format!("no thread could start: {error}")))?;
        result.recv().map_err(|_| SqlError::closed())??;
        Ok(OwnThread { tasks, waiting: Arc::default() })
    }

    /// Runs `work` on the thread.
    pub(crate) async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, SqlError> + Send + 'static,
    ) -> Result<R, SqlError> {
        let slot = QueueSlot::take(&self.waiting)?;
        let (reply, answer) = oneshot::channel();
        // Where the thread has ended the task is dropped, and with it the sender of its reply.
        let _ = self.tasks.send(Box::new(move |owned| {
            drop(slot);
            let _ = reply.send(work(owned));
        }));
        answer.await.map_err(|_| SqlError::closed())?
    }
}
