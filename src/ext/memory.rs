//! How much memory the JavaScript of one isolate may hold: its heap, and what it keeps outside of that.
//!
//! V8 limits the heap alone. Buffers come from an [allocator](Memory::allocator) that knows how much is held. Where it
//! has none to give, V8 collects garbage and asks again, up to three times, and then throws a RangeError. What the
//! allocator does not see (buffers that the host made, resizable ones) V8 tells after each collection: where that is too
//! much even when all garbage is gone, the code that runs is stopped. What V8 does not count either (blobs, WebAssembly's
//! memories) is counted as it is made.

#![cfg_attr(not(feature = "v8"), allow(dead_code, reason = "QuickJS takes its buffers elsewhere"))]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use deno_core::v8;

/// Buffers up to this size are part of how the host itself works: V8 would end the process without them. They are
/// still given when the rest is gone, and whoever took the rest is stopped.
const SMALL: usize = 64 * 1024;

/// Buffers up to this size may be wanted where V8 does not ask twice. They may take one in so many parts of the limit
/// beyond it.
const TINY: usize = 1024;
const RESERVE: usize = 16;

/// So often V8 asks for memory before it gives up, with a collection in between.
const ATTEMPTS: u32 = 4;

/// How long a collection that freed nothing stands for those after it.
const FUTILE: Duration = Duration::from_millis(250);

/// The account of one isolate. Clones share it.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Account>);

struct Account {
    limit: AtomicUsize,
    /// Bytes that the allocator gave, and what it got back since the last collection began: V8 frees buffers at once,
    /// but counts them until the next collection.
    buffers: AtomicUsize,
    freed: AtomicUsize,
    /// Bytes of blobs and of WebAssembly's memories, what V8 knows of them, and what they were when garbage was last
    /// collected for them.
    stores: AtomicUsize,
    stores_told: AtomicUsize,
    stores_left: AtomicUsize,
    /// Bytes of the heap, and of what else V8 knows to be outside, when that was last told.
    heap: AtomicUsize,
    others: AtomicUsize,
    /// Full collections so far.
    collections: AtomicUsize,
    /// Allocations that were refused since somebody asked.
    refused: AtomicUsize,
    /// The last allocation was refused.
    is_refusing: AtomicBool,
    /// The code that runs is to be interrupted, or stopped.
    is_in_doubt: AtomicBool,
    attempt: Mutex<Attempt>,
    futile: Mutex<Option<Instant>>,
    /// Stops the code that runs.
    stop: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Interrupts it, to see what is left when all garbage is gone.
    isolate: OnceLock<v8::IsolateHandle>,
}

/// The allocation that V8 is trying to make.
#[derive(Default, PartialEq)]
struct Attempt {
    bytes: usize,
    count: u32,
    /// Full collections before it.
    collections: usize,
}

/// There is no room for so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for {bytes} bytes more: JavaScript holds {held} of {limit} bytes (see --max-heap)")]
pub(crate) struct NoRoom {
    bytes: usize,
    held: usize,
    limit: usize,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("limit", &self.0.limit()).field("held", &self.0.held()).finish()
    }
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Memory {
        let (buffers, freed, stores, stores_told, stores_left, heap, others) = Default::default();
        let (collections, refused, is_refusing, is_in_doubt, attempt, futile, stop, isolate) =
            Default::default();
        Memory(Arc::new(Account {
            limit: limit.into(),
            buffers,
            freed,
            stores,
            stores_told,
            stores_left,
            heap,
            others,
            collections,
            refused,
            is_refusing,
            is_in_doubt,
            attempt,
            futile,
            stop,
            isolate,
        }))
    }

    /// What stops the code that runs, because it fills the memory. The first one stays.
    pub(crate) fn on_full(&self, stop: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.stop.set(Box::new(stop));
    }

    /// Bytes of heap and all else together.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit()
    }

    /// So many bytes are held for good. What runs has a quarter above that to finish with.
    pub(crate) fn leave(&self, held: usize) {
        let limit = self.0.limit();
        self.0.limit.store(held.max(limit) + limit / 4, Ordering::Relaxed);
    }

    /// Bytes outside of the heap.
    pub(crate) fn outside(&self) -> usize {
        self.0.outside()
    }

    /// Bytes that V8 does not see. What of them is garbage is given back in later turns of the event loop.
    pub(crate) fn stores(&self) -> usize {
        self.0.stores.load(Ordering::Relaxed)
    }

    /// Tells V8 what it cannot see, so that it collects garbage the sooner.
    pub(crate) fn tell_of_stores(&self, isolate: &mut v8::Isolate) {
        let stores = self.stores();
        let told = self.0.stores_told.swap(stores, Ordering::Relaxed);
        if stores != told {
            isolate.adjust_amount_of_external_allocated_memory(stores as i64 - told as i64);
        }
    }

    /// Whether code was refused memory since the last call, and most is still held.
    pub(crate) fn take_shortage(&self) -> bool {
        self.0.is_refusing.store(false, Ordering::Relaxed);
        self.0.is_in_doubt.store(false, Ordering::Relaxed);
        self.0.refused.load(Ordering::Relaxed) > 0
            && self.0.refused.swap(0, Ordering::Relaxed) > 0
            && self.0.held() > self.0.limit() / 4 * 3
    }

    /// Whether V8 lacks memory because a buffer was refused, while its heap could still grow to so many bytes: its code
    /// will get an error.
    pub(crate) fn is_refusing(&self, heap_limit: usize) -> bool {
        self.0.is_refusing.load(Ordering::Relaxed) && self.0.heap.load(Ordering::Relaxed) < heap_limit / 2
    }

    /// Looks whether there is room for bytes that the host has and V8 is to get, after a collection if need be.
    pub(crate) fn make_room(&self, isolate: &mut v8::Isolate, bytes: usize) -> Result<(), NoRoom> {
        // To ask V8 takes some microseconds.
        if self.0.held().saturating_add(bytes) < self.0.limit() / 2 {
            return Ok(());
        }
        self.look(isolate);
        if self.0.has_room(bytes) {
            return Ok(());
        }
        let mut futile = self.0.futile.lock().expect("nothing panics meanwhile");
        if futile.is_none_or(|since| since.elapsed() > FUTILE) {
            isolate.low_memory_notification();
            self.look(isolate);
            if self.0.has_room(bytes) {
                return Ok(());
            }
            *futile = Some(Instant::now());
        }
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Err(NoRoom { bytes, held: self.0.held(), limit: self.0.limit() })
    }

    /// Whether so much is kept that V8 does not see that what nobody has any more should go. V8 finds them, and the event
    /// loop then drops them.
    pub(crate) fn wants_collection(&self) -> bool {
        let stores = self.stores();
        let left = self.0.stores_left.load(Ordering::Relaxed);
        let wants = stores > left + self.0.limit() / 4;
        if wants || stores < left {
            self.0.stores_left.store(stores, Ordering::Relaxed);
        }
        wants
    }

    /// Reads what only V8 knows.
    pub(crate) fn look(&self, isolate: &mut v8::Isolate) {
        let statistics = isolate.get_heap_statistics();
        self.0.heap.store(statistics.used_heap_size(), Ordering::Relaxed);
        // V8 counts what the allocator gave, too, unless it is shared.
        let given = self.0.buffers.load(Ordering::Relaxed) + self.0.freed.load(Ordering::Relaxed);
        self.0.others.store(statistics.external_memory().saturating_sub(given), Ordering::Relaxed);
    }

    /// So many bytes are kept where V8 does not see them.
    pub(super) fn keep(&self, bytes: usize) {
        self.0.stores.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many are not any more.
    pub(super) fn give_back(&self, bytes: usize) {
        self.0.stores.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Account {
    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    fn outside(&self) -> usize {
        [&self.buffers, &self.stores, &self.others].map(|bytes| bytes.load(Ordering::Relaxed)).iter().sum()
    }

    fn held(&self) -> usize {
        self.heap.load(Ordering::Relaxed) + self.outside()
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.held().saturating_add(bytes) <= self.limit()
    }

    fn stop(&self) {
        // What it held is garbage from now on.
        *self.futile.lock().expect("nothing panics meanwhile") = None;
        if let Some(stop) = self.stop.get() {
            stop();
        }
    }

    /// Whether V8 may have memory for one more buffer.
    fn admit(&self, bytes: usize) -> bool {
        let reserve = if bytes <= TINY { self.limit() / RESERVE } else { 0 };
        let has_room = self.held().saturating_add(bytes) <= self.limit().saturating_add(reserve);
        let admitted = has_room || self.admit_beyond(bytes);
        self.is_refusing.store(!admitted, Ordering::Relaxed);
        admitted
    }

    fn admit_beyond(&self, bytes: usize) -> bool {
        let collections = self.collections.load(Ordering::Relaxed);
        let mut attempt = self.attempt.lock().expect("nothing panics meanwhile");
        let again = attempt.bytes == bytes && attempt.count > 0 && attempt.collections < collections;
        let count = if again { attempt.count + 1 } else { 1 };
        *attempt = Attempt { bytes, count, collections };
        if count < ATTEMPTS {
            return false;
        }
        *attempt = Attempt::default();
        self.refused.fetch_add(1, Ordering::Relaxed);
        if bytes > SMALL {
            return false;
        }
        self.stop();
        true
    }
}

#[cfg(feature = "v8")]
#[expect(unsafe_code, reason = "V8 takes memory, and tells of collections, through C functions")]
mod engine {
    use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use deno_core::v8;

    use super::{Account, Memory};

    /// As malloc aligns.
    const ALIGNMENT: usize = 16;

    static ALLOCATOR: v8::RustAllocatorVtable<Account> =
        v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop };

    impl Memory {
        /// Where V8 gets its buffers.
        pub(crate) fn allocator(&self) -> v8::UniqueRef<v8::Allocator> {
            // SAFETY: the pointer is a counted reference, which `drop` gives back, and the functions take it as what
            // it is. They may be called from any thread, as the account is made of atomics and locks.
            unsafe { v8::new_rust_allocator(Arc::into_raw(self.0.clone()), &ALLOCATOR) }
        }

        /// From now on V8 tells of each full collection, for as long as the isolate lives. The caller keeps the account
        /// for at least as long.
        pub(crate) fn follow(&self, isolate: &mut v8::Isolate) {
            self.look(isolate);
            let _ = self.0.isolate.set(isolate.thread_safe_handle());
            let account = Arc::as_ptr(&self.0).cast_mut().cast();
            isolate.add_gc_prologue_callback(collecting, account, v8::GCType::kGCTypeMarkSweepCompact);
            isolate.add_gc_epilogue_callback(collected, account, v8::GCType::kGCTypeMarkSweepCompact);
        }
    }

    unsafe extern "C" fn allocate(account: &Account, bytes: usize) -> *mut c_void {
        give(account, bytes, alloc_zeroed)
    }

    unsafe extern "C" fn allocate_uninitialized(account: &Account, bytes: usize) -> *mut c_void {
        give(account, bytes, alloc)
    }

    fn give(account: &Account, bytes: usize, alloc: unsafe fn(Layout) -> *mut u8) -> *mut c_void {
        if !account.admit(bytes) {
            return ptr::null_mut();
        }
        let Some(layout) = layout(bytes) else { return ptr::null_mut() };
        // SAFETY: the layout's size is not 0.
        let data = unsafe { alloc(layout) };
        if !data.is_null() {
            account.buffers.fetch_add(bytes, Ordering::Relaxed);
        }
        data.cast()
    }

    unsafe extern "C" fn free(account: &Account, data: *mut c_void, bytes: usize) {
        let Some(layout) = layout(bytes).filter(|_| !data.is_null()) else { return };
        account.buffers.fetch_sub(bytes, Ordering::Relaxed);
        account.freed.fetch_add(bytes, Ordering::Relaxed);
        // SAFETY: V8 gives back what `give` gave it, with the same length.
        unsafe { dealloc(data.cast(), layout) };
    }

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
    }

    unsafe extern "C" fn drop(account: *const Account) {
        // SAFETY: it is the reference that `allocator` gave.
        unsafe { Arc::decrement_strong_count(account) };
    }

    unsafe extern "C" fn collecting(
        _: v8::UnsafeRawIsolatePtr,
        _: v8::GCType,
        _: v8::GCCallbackFlags,
        account: *mut c_void,
    ) {
        // SAFETY: see `of`.
        let memory = unsafe { of(account) };
        memory.0.freed.store(0, Ordering::Relaxed);
    }

    unsafe extern "C" fn collected(
        isolate: v8::UnsafeRawIsolatePtr,
        _: v8::GCType,
        _: v8::GCCallbackFlags,
        account: *mut c_void,
    ) {
        // SAFETY: see `of`; V8 passes the isolate that is running on this thread.
        let (memory, mut isolate) = unsafe { (of(account), v8::Isolate::from_raw_isolate_ptr(isolate)) };
        memory.look(&mut isolate);
        memory.0.collections.fetch_add(1, Ordering::Relaxed);
        if !memory.0.has_room(0)
            && !memory.0.is_in_doubt.swap(true, Ordering::Relaxed)
            && let Some(isolate) = memory.0.isolate.get()
        {
            // Garbage that was made meanwhile is still there, and what is not is still being swept.
            isolate.request_interrupt(reconsider, account);
        }
    }

    /// Stops what runs if too much is left when all garbage is gone.
    unsafe extern "C" fn reconsider(isolate: v8::UnsafeRawIsolatePtr, account: *mut c_void) {
        // SAFETY: see `of`; V8 passes the isolate that is running on this thread.
        let (memory, mut isolate) = unsafe { (of(account), v8::Isolate::from_raw_isolate_ptr(isolate)) };
        match memory.make_room(&mut isolate, 0) {
            Ok(()) => memory.0.is_in_doubt.store(false, Ordering::Relaxed),
            Err(_) => memory.0.stop(),
        }
    }

    /// The account that callbacks are given.
    ///
    /// # Safety
    ///
    /// It is from `follow`, whose caller keeps it for longer than the isolate that calls back.
    unsafe fn of(account: *mut c_void) -> Memory {
        let account = account.cast_const().cast::<Account>();
        // SAFETY: the pointer is from `Arc::as_ptr`; the reference counted here is given back by the clone's end.
        unsafe {
            Arc::increment_strong_count(account);
            Memory(Arc::from_raw(account))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(limit: usize) -> (Memory, Arc<AtomicUsize>) {
        let memory = Memory::new(limit);
        let stops = Arc::new(AtomicUsize::new(0));
        let count = stops.clone();
        memory.on_full(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        (memory, stops)
    }

    fn take(memory: &Memory, bytes: usize) -> bool {
        let admitted = memory.0.admit(bytes);
        if admitted {
            memory.0.buffers.fetch_add(bytes, Ordering::Relaxed);
        }
        admitted
    }

    #[test]
    fn what_is_beyond_the_limit_is_refused() {
        let (memory, stops) = account(10 * SMALL);
        memory.0.heap.store(4 * SMALL, Ordering::Relaxed);
        assert!(take(&memory, 5 * SMALL));
        assert!(!take(&memory, 2 * SMALL));
        assert!(take(&memory, SMALL));
        assert_eq!(stops.load(Ordering::Relaxed), 0);
        assert!(!memory.take_shortage(), "V8 has not asked again");
    }

    #[test]
    fn a_large_buffer_is_refused_after_all_collections_too() {
        let (memory, stops) = account(10 * SMALL);
        assert!(take(&memory, 10 * SMALL));
        for _ in 0..ATTEMPTS {
            assert!(!take(&memory, 2 * SMALL));
            memory.0.collections.fetch_add(1, Ordering::Relaxed);
        }
        assert!(memory.take_shortage());
        assert!(!memory.take_shortage());
        assert_eq!(stops.load(Ordering::Relaxed), 0, "its code gets an error");
    }

    #[test]
    fn a_small_buffer_is_given_and_its_code_stopped() {
        let (memory, stops) = account(10 * SMALL);
        assert!(take(&memory, 10 * SMALL));
        assert!(take(&memory, 1), "there is a reserve");
        for _ in 1..ATTEMPTS {
            assert!(!take(&memory, SMALL));
            memory.0.collections.fetch_add(1, Ordering::Relaxed);
        }
        assert!(take(&memory, SMALL));
        assert_eq!(stops.load(Ordering::Relaxed), 1);
    }
}
