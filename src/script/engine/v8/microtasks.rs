//! Keeps the microtasks of others when V8 terminates one.
//!
//! Where a turn goes on with several promises, which may belong to several exchanges, their reactions wait in one
//! queue. If V8 terminates the one that runs, it empties the queue, and who waits for the others waits for ever. So
//! they are moved to a queue that does not run, just before, and back when the termination is over.
//!
//! V8 has no call for this. What is moved is the four words that a queue keeps of its ring buffer, and they are only
//! touched if a queue of our own shows at the isolate's start that they mean what they are taken for.
#![expect(unsafe_code, reason = "V8 has no call that takes microtasks out of a queue")]

use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::{JsRuntime, v8};

/// Words of a queue: what it begins with, size, capacity, start, and the address of the ring buffer.
const SIZE: usize = 1;
const CAPACITY: usize = 2;
const START: usize = 3;
const BUFFER: usize = 4;

/// The queue that does not run. It goes before its isolate.
pub(in crate::script) struct SpareQueue {
    queue: v8::UniqueRef<v8::MicrotaskQueue>,
    running: *mut usize,
    is_known: bool,
}

/// Where interrupts move microtasks from and to.
pub(super) struct Rescue {
    running: *const v8::MicrotaskQueue,
    spare: *const v8::MicrotaskQueue,
    is_wanted: AtomicBool,
}

impl SpareQueue {
    /// For the isolate of `runtime`. Call it before handlers run.
    pub(super) fn new(runtime: &mut JsRuntime) -> SpareQueue {
        deno_core::scope!(scope, runtime);
        let queue = v8::MicrotaskQueue::new(scope, v8::MicrotasksPolicy::Explicit);
        let running = std::ptr::from_ref(scope.get_current_context().get_microtask_queue());
        let running = running.cast_mut().cast::<usize>();
        let spare = words_of(&queue);
        // SAFETY: a queue is larger than five words, and only this thread touches it.
        let read = || unsafe { [SIZE, CAPACITY, START, BUFFER].map(|word| spare.add(word).read_volatile()) };
        let nothing =
            |_: &mut v8::PinScope<'_, '_>, _: v8::FunctionCallbackArguments<'_>, _: v8::ReturnValue<'_>| {};
        let mut is_known = read() == [0; 4];
        if let Some(task) = v8::Function::new(scope, nothing) {
            for _ in 0..3 {
                queue.enqueue_microtask(scope, task);
            }
            let [size, capacity, start, buffer] = read();
            is_known &=
                (size, start) == (3, 0) && (3..=64).contains(&capacity) && buffer % align_of::<usize>() == 0;
            queue.perform_checkpoint(scope);
            is_known &= buffer != 0 && read() == [0, capacity, 3, buffer];
        } else {
            is_known = false;
        }
        if !is_known {
            tracing::warn!("this V8's microtasks are not kept when an exchange is stopped");
        }
        SpareQueue { queue, running, is_known }
    }

    /// For the interrupts of this isolate. None if this V8's queues are others than those that are known.
    pub(super) fn rescue(&self) -> Option<Rescue> {
        let (running, spare) = (self.running.cast_const().cast(), &raw const *self.queue);
        self.is_known.then(|| Rescue { running, spare, is_wanted: AtomicBool::new(true) })
    }

    /// Takes back what was moved, unless microtasks came meanwhile: those have to run first. Call it when the
    /// termination is over.
    pub(in crate::script) fn give_back(&self) {
        if !self.is_known {
            return;
        }
        let spare = words_of(&self.queue);
        // SAFETY: `new` has seen that these words are what they are taken for, in both queues, which this thread's
        // isolate owns. A queue that is not running may have any ring buffer.
        unsafe {
            if spare.add(SIZE).read_volatile() > 0 && self.running.add(SIZE).read_volatile() == 0 {
                swap(self.running, spare);
            }
        }
    }
}

impl Rescue {
    /// Moves what waits behind the microtask that runs.
    ///
    /// # Safety
    /// Only from an interrupt of the isolate, before it terminates.
    pub(super) unsafe fn set_aside(&self) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: an interrupt runs while the isolate lives, and the spare queue goes only when no code runs any more.
        let (running, spare) = unsafe { (&*self.running, &*self.spare) };
        // Outside of microtasks V8 leaves the queue alone.
        if !running.is_running_microtasks() {
            return;
        }
        let (running, spare) = (words_of(running), words_of(spare));
        // SAFETY: `SpareQueue::new` has seen that these words are what they are taken for. V8 reads them anew for each
        // microtask, and the one that runs now is the last.
        unsafe {
            if spare.add(SIZE).read_volatile() == 0 {
                swap(running, spare);
            }
        }
    }

    /// Whether what waits is kept from now on.
    pub(super) fn is_wanted(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }
}

fn words_of(queue: &v8::MicrotaskQueue) -> *mut usize {
    std::ptr::from_ref(queue).cast_mut().cast()
}

/// Swaps the ring buffers of two queues.
///
/// # Safety
/// Both are queues whose words are known, of the isolate of this thread.
unsafe fn swap(one: *mut usize, other: *mut usize) {
    for word in [SIZE, CAPACITY, START, BUFFER] {
        // SAFETY: as the caller says.
        unsafe {
            let (mine, theirs) = (one.add(word).read_volatile(), other.add(word).read_volatile());
            one.add(word).write_volatile(theirs);
            other.add(word).write_volatile(mine);
        }
    }
}
