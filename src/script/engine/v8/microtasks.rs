//! Keeps the microtasks of other exchanges when V8 terminates one microtask.
//!
//! The reactions to all promises that settle in one turn wait in one queue, although they may belong to several
//! exchanges. When V8 terminates the running microtask, it empties the queue, and the other exchanges would wait
//! forever. So just before a termination their microtasks are moved to a queue that does not run, and they are moved
//! back after it.
//!
//! V8 has no call for this. What is moved are the four words by which a queue describes its ring buffer. They are
//! touched only if a test queue at the isolate's start has shown that they have the expected meaning.
#![expect(unsafe_code, reason = "V8 has no call that takes microtasks out of a queue")]

use std::sync::atomic::{AtomicBool, Ordering};

use deno_core::{JsRuntime, v8};

/// Indices of a queue's words. Word 0 is its vtable; then come size, capacity, start, and the address of the ring
/// buffer.
const SIZE: usize = 1;
const CAPACITY: usize = 2;
const START: usize = 3;
const BUFFER: usize = 4;

/// The queue that does not run. It is dropped before its isolate.
pub(in crate::script) struct SpareQueue {
    queue: v8::UniqueRef<v8::MicrotaskQueue>,
    running: *mut usize,
    is_known: bool,
}

/// The two queues between which interrupts move microtasks.
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

    /// For the interrupts of this isolate. None if the words of this V8's queues have another meaning.
    pub(super) fn rescue(&self) -> Option<Rescue> {
        let (running, spare) = (self.running.cast_const().cast(), &raw const *self.queue);
        self.is_known.then(|| Rescue { running, spare, is_wanted: AtomicBool::new(true) })
    }

    /// Moves the kept microtasks back, unless new microtasks are waiting: those have to run first. Call it after the
    /// termination.
    pub(in crate::script) fn give_back(&self) {
        if !self.is_known {
            return;
        }
        let spare = words_of(&self.queue);
        // SAFETY: `new` has verified the meaning of these words in both queues, which this thread's isolate owns. A
        // queue that is not running may have any ring buffer.
        unsafe {
            if spare.add(SIZE).read_volatile() > 0 && self.running.add(SIZE).read_volatile() == 0 {
                swap(self.running, spare);
            }
        }
    }
}

impl Rescue {
    /// Moves the microtasks that wait behind the running one.
    ///
    /// # Safety
    /// Call it only from an interrupt of the isolate, before it terminates execution.
    pub(super) unsafe fn set_aside(&self) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: an interrupt runs while the isolate lives, and the spare queue is dropped only when no code runs any
        // more.
        let (running, spare) = unsafe { (&*self.running, &*self.spare) };
        // A termination outside of microtasks does not empty the queue.
        if !running.is_running_microtasks() {
            return;
        }
        let (running, spare) = (words_of(running), words_of(spare));
        // SAFETY: `SpareQueue::new` has verified the meaning of these words. V8 reads them anew for each microtask, and
        // the running one is the last.
        unsafe {
            if spare.add(SIZE).read_volatile() == 0 {
                swap(running, spare);
            }
        }
    }

    /// Sets whether waiting microtasks are kept from now on.
    pub(super) fn set_wanted(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }
}

fn words_of(queue: &v8::MicrotaskQueue) -> *mut usize {
    std::ptr::from_ref(queue).cast_mut().cast()
}

/// Swaps the ring buffers of two queues.
///
/// # Safety
/// Both are queues of the isolate of this thread, and the meaning of their words was verified.
unsafe fn swap(one: *mut usize, other: *mut usize) {
    for word in [SIZE, CAPACITY, START, BUFFER] {
        // SAFETY: the caller guarantees it.
        unsafe {
            let (mine, theirs) = (one.add(word).read_volatile(), other.add(word).read_volatile());
            one.add(word).write_volatile(theirs);
            other.add(word).write_volatile(mine);
        }
    }
}
