//! The output gate: nothing leaves before the writes that it may depend on are durable.

use std::collections::VecDeque;

/// The writes of one instance, and its outputs that wait for them.
#[derive(Debug)]
pub(super) struct OutputGate<O> {
    /// Whether something was written since the last commit.
    written: bool,
    /// The last commit.
    committed: u64,
    /// The last commit that is durable, and all before it.
    durable: u64,
    /// Outputs in order, each with the commit it waits for; None: the next one.
    held: VecDeque<(Option<u64>, O)>,
}

impl<O> Default for OutputGate<O> {
    fn default() -> Self {
        OutputGate { written: false, committed: 0, durable: 0, held: VecDeque::new() }
    }
}

impl<O> OutputGate<O> {
    pub(super) fn write(&mut self) {
        self.written = true;
    }

    /// All writes are in a commit of this number.
    pub(super) fn commit(&mut self, ticket: u64) {
        self.written = false;
        self.committed = self.committed.max(ticket);
        for (waits, _) in self.held.iter_mut().rev().take_while(|(waits, _)| waits.is_none()) {
            *waits = Some(ticket);
        }
    }

    /// This commit and all before it are durable. The outputs that waited for them leave.
    pub(super) fn confirm(&mut self, ticket: u64, mut leave: impl FnMut(O)) {
        self.durable = self.durable.max(ticket);
        while let Some((Some(waits), _)) = self.held.front()
            && *waits <= self.durable
            && let Some((_, output)) = self.held.pop_front()
        {
            leave(output);
        }
    }

    /// Returns the output where it may leave at once.
    pub(super) fn pass(&mut self, output: O) -> Option<O> {
        if self.is_open() {
            return Some(output);
        }
        let waits = if self.written { None } else { Some(self.committed) };
        self.held.push_back((waits, output));
        None
    }

    /// Whether every write is durable.
    pub(super) fn is_open(&self) -> bool {
        !self.written && self.committed <= self.durable
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn into_held(self) -> impl Iterator<Item = O> {
        self.held.into_iter().map(|(_, output)| output)
    }
}
