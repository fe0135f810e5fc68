//! The lines that a task of the runtime is about to write.

use liveline_proto::LineId;

/// Lines for which a task is spawned that has not begun with them.
///
/// Frames that are enqueued meanwhile are written by the same task, many in one system call. So when more is sent than can
/// be written, tasks do not pile up.
#[derive(Debug, Default)]
pub(super) struct Pending(Vec<Option<LineId>>);

impl Pending {
    /// Adds a line. Returns false if it was there already.
    pub(super) fn add(&mut self, line: LineId) -> bool {
        let index = line.index();
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        // Another line at the same index is over.
        self.0[index].replace(line) != Some(line)
    }

    /// Removes a line, before its frames are taken.
    pub(super) fn remove(&mut self, line: LineId) {
        if let Some(known) = self.0.get_mut(line.index()) {
            known.take_if(|known| *known == line);
        }
    }
}
