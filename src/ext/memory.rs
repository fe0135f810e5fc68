//! The memory limit of one isolate: its heap and the memory that its JavaScript keeps outside of the heap.
//!
//! V8 limits only the heap. Buffers come from an [allocator](Memory::allocator) that counts them. If it
//! refuses one, V8 collects garbage and retries, up to three times, and then throws a RangeError. Memory that
//! the allocator does not see (buffers that the host made, resizable buffers) is read from V8 after each
//! collection: if the total is over the limit even after all garbage was collected, the running code is
//! stopped. Memory that V8 does not count either (blobs, WebAssembly memories) is counted when it is
//! allocated.

#![cfg_attr(not(feature = "v8"), allow(dead_code, reason = "QuickJS takes its buffers elsewhere"))]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use deno_core::v8;

/// Size in bytes. V8 needs buffers up to this size for its own work, and would end the process without them.
/// They are allocated even over the limit, and the running code is then stopped.
const SMALL: usize = 64 * 1024;

/// Size in bytes. V8 may allocate buffers up to this size without a retry. They may exceed the limit by
/// 1/`RESERVE` of it.
const TINY: usize = 1024;
const RESERVE: usize = 16;

/// Number of attempts of V8 before an allocation fails, with a collection between two attempts.
const ATTEMPTS: u32 = 4;

/// After a forced collection that freed too little, no other one is forced for this long.
const FUTILE: Duration = Duration::from_millis(250);

/// The share of the limit that live objects of the heap may take: all but one in `SPARE`. V8 itself can take a quarter
/// more, so that it does not collect over and over when little is left.
const SPARE: usize = 10;
/// The watchdog's looks let V8 collect if the heap, with its garbage, has grown beyond that share by one in `SLACK` of
/// the limit, and by one in `STEP` since the last full collection.
const SLACK: usize = 64;
const STEP: usize = 16;

/// The memory account of one isolate. Clones share it.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Account>);

struct Account {
    limit: AtomicUsize,
    /// Bytes of buffers that are allocated, and bytes of buffers freed since the last collection began: V8
    /// frees buffers at once, but counts them until the next collection.
    buffers: AtomicUsize,
    freed: AtomicUsize,
    /// Bytes of blobs and WebAssembly memories; how many of them were reported to V8; and the number that
    /// `wants_collection` compares with.
    stores: AtomicUsize,
    stores_reported: AtomicUsize,
    stores_left: AtomicUsize,
    /// Bytes of the heap, and of other memory outside of it that V8 counts, when last read from V8.
    heap: AtomicUsize,
    others: AtomicUsize,
    /// Full collections so far.
    collections: AtomicUsize,
    /// V8 marks live objects beside running code. The collection that follows also keeps what that code allocates
    /// meanwhile, garbage or not.
    is_marking: AtomicBool,
    /// Bytes of the heap after the last full collection, and whether all of that is alive.
    left: AtomicUsize,
    is_alive: AtomicBool,
    /// Refused allocations since the last `take_shortage`.
    refused: AtomicUsize,
    /// The last allocation was refused.
    is_refusing: AtomicBool,
    /// An interrupt is pending that checks the limit, and may stop the running code.
    is_in_doubt: AtomicBool,
    /// A collection that `measures_full` forced is running.
    is_checking: AtomicBool,
    attempt: Mutex<Attempt>,
    futile: Mutex<Option<Instant>>,
    /// Stops the running code.
    stop: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Interrupts the running code, to measure what is left after a full collection.
    isolate: OnceLock<v8::IsolateHandle>,
}

/// The allocation that V8 is retrying.
#[derive(Default, PartialEq)]
struct Attempt {
    bytes: usize,
    count: u32,
    /// Full collections before this attempt.
    collections: usize,
}

/// Memory for `bytes` more bytes was refused.
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
        let (buffers, freed, stores, stores_reported, stores_left, heap, others) = Default::default();
        let (collections, refused, is_refusing, is_in_doubt, attempt, futile, stop, isolate) =
            Default::default();
        let (is_marking, left, is_alive, is_checking) = Default::default();
        Memory(Arc::new(Account {
            limit: limit.into(),
            buffers,
            freed,
            stores,
            stores_reported,
            stores_left,
            heap,
            others,
            collections,
            is_marking,
            left,
            is_alive,
            refused,
            is_refusing,
            is_in_doubt,
            is_checking,
            attempt,
            futile,
            stop,
            isolate,
        }))
    }

    /// Sets the function that stops the running code when memory is full. Only the first call has an effect.
    pub(crate) fn on_full(&self, stop: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.stop.set(Box::new(stop));
    }

    /// The limit in bytes, for the heap and all other memory together.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit()
    }

    /// `held` bytes cannot be freed. Raises the limit to the larger of both, plus a quarter of the limit, so
    /// that running code can finish.
    pub(crate) fn leave(&self, held: usize) {
        let limit = self.0.limit();
        self.0.limit.store(held.max(limit) + limit / 4, Ordering::Relaxed);
    }

    /// Bytes outside of the heap.
    pub(crate) fn outside(&self) -> usize {
        self.0.outside()
    }

    /// Bytes that V8 does not see. Garbage among them is freed in later turns of the event loop.
    pub(crate) fn stores(&self) -> usize {
        self.0.stores.load(Ordering::Relaxed)
    }

    /// Reports memory that V8 cannot see, so that V8 collects garbage earlier.
    pub(crate) fn tell_of_stores(&self, isolate: &mut v8::Isolate) {
        let stores = self.stores();
        let reported = self.0.stores_reported.swap(stores, Ordering::Relaxed);
        if stores != reported {
            isolate.adjust_amount_of_external_allocated_memory(stores as i64 - reported as i64);
        }
    }

    /// Whether an allocation was refused since the last call, and more than three quarters of the limit are
    /// still in use.
    pub(crate) fn take_shortage(&self) -> bool {
        self.0.is_refusing.store(false, Ordering::Relaxed);
        self.0.is_in_doubt.store(false, Ordering::Relaxed);
        self.0.refused.load(Ordering::Relaxed) > 0
            && self.0.refused.swap(0, Ordering::Relaxed) > 0
            && self.0.held() > self.0.limit() / 4 * 3
    }

    /// Whether V8 is short of memory because a buffer was refused, while its heap is below half of the limit: then the
    /// code receives an error.
    pub(crate) fn is_refusing(&self) -> bool {
        self.0.is_refusing.load(Ordering::Relaxed) && self.0.heap.load(Ordering::Relaxed) < self.0.limit() / 2
    }

    /// Collects garbage if so much is used that only a collection can tell whether what is alive is over the limit. If it
    /// is, the running code is stopped. Takes some microseconds if there is nothing to do.
    pub(crate) fn check(&self, isolate: &mut v8::Isolate) {
        self.look(isolate);
        if self.0.heap.load(Ordering::Relaxed) > self.0.due() && self.measures_full(isolate) {
            self.0.stop();
        } else if !self.0.has_room(0) {
            self.doubt();
        }
    }

    /// Collects garbage; returns whether the heap's live objects are over the limit. V8's own collections also keep what
    /// the functions that wait to be optimised can reach, for instance the variables of earlier calls; under critical
    /// pressure V8 first gives up those that wait.
    fn measures_full(&self, isolate: &mut v8::Isolate) -> bool {
        self.0.is_checking.store(true, Ordering::Relaxed);
        isolate.memory_pressure_notification(v8::MemoryPressureLevel::Critical);
        if self.0.may_be_full() {
            // V8 was marking.
            isolate.memory_pressure_notification(v8::MemoryPressureLevel::Critical);
        }
        self.0.is_checking.store(false, Ordering::Relaxed);
        self.0.is_full()
    }

    /// Checks that there is room for `bytes` bytes that the host is about to pass to V8; forces a collection
    /// if needed.
    pub(crate) fn make_room(&self, isolate: &mut v8::Isolate, bytes: usize) -> Result<(), NoRoom> {
        // Reading the heap statistics takes some microseconds.
        if self.0.held().saturating_add(bytes) < self.0.limit() / 2 {
            return Ok(());
        }
        self.look(isolate);
        if self.0.has_room(bytes) {
            return Ok(());
        }
        let mut futile = self.0.futile.lock().expect("nothing panics while this is locked");
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

    /// Whether a collection should be forced, because the bytes that V8 does not see have grown by more than
    /// a quarter of the limit since this last returned true, or since their minimum after that. The
    /// collection finds the garbage, and the event loop then drops it.
    pub(crate) fn wants_collection(&self) -> bool {
        let stores = self.stores();
        let left = self.0.stores_left.load(Ordering::Relaxed);
        let wants = stores > left + self.0.limit() / 4;
        if wants || stores < left {
            self.0.stores_left.store(stores, Ordering::Relaxed);
        }
        wants
    }

    /// Reads the counts of V8.
    pub(crate) fn look(&self, isolate: &mut v8::Isolate) {
        let statistics = isolate.get_heap_statistics();
        self.0.heap.store(statistics.used_heap_size(), Ordering::Relaxed);
        // V8 also counts buffers of the allocator, unless they are shared.
        let given = self.0.buffers.load(Ordering::Relaxed) + self.0.freed.load(Ordering::Relaxed);
        self.0.others.store(statistics.external_memory().saturating_sub(given), Ordering::Relaxed);
    }

    /// Adds `bytes` bytes that V8 does not see.
    pub(super) fn keep(&self, bytes: usize) {
        self.0.stores.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Subtracts `bytes` bytes that V8 does not see.
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

    /// Whether the heap's live objects alone are over the limit.
    fn is_full(&self) -> bool {
        self.is_alive.load(Ordering::Relaxed) && self.left.load(Ordering::Relaxed) > self.share()
    }

    /// Whether V8 was marking during the last full collection, whose result may include garbage, so that another one has
    /// to tell whether the heap is full.
    fn may_be_full(&self) -> bool {
        !self.is_alive.load(Ordering::Relaxed) && self.left.load(Ordering::Relaxed) > self.share()
    }

    /// Bytes that the heap's live objects may take.
    fn share(&self) -> usize {
        self.limit() - self.limit() / SPARE
    }

    /// The size of the heap at which the watchdog's looks let V8 collect.
    fn due(&self) -> usize {
        let limit = self.limit();
        (self.share() + limit / SLACK).max(self.left.load(Ordering::Relaxed) + limit / STEP)
    }

    /// Notes the size of the heap after a full collection.
    fn collected(&self, heap: usize) {
        let was_marking = self.is_marking.swap(false, Ordering::Relaxed);
        self.left.store(heap, Ordering::Relaxed);
        self.is_alive.store(!was_marking, Ordering::Relaxed);
        self.collections.fetch_add(1, Ordering::Relaxed);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.held().saturating_add(bytes) <= self.limit()
    }

    fn stop(&self) {
        // The memory of the stopped code is garbage from now on.
        *self.futile.lock().expect("nothing panics while this is locked") = None;
        if let Some(stop) = self.stop.get() {
            stop();
        }
    }

    /// Whether V8 may allocate one more buffer.
    fn admit(&self, bytes: usize) -> bool {
        let reserve = if bytes <= TINY { self.limit() / RESERVE } else { 0 };
        let has_room = self.held().saturating_add(bytes) <= self.limit().saturating_add(reserve);
        let admitted = has_room || self.admit_beyond(bytes);
        self.is_refusing.store(!admitted, Ordering::Relaxed);
        admitted
    }

    fn admit_beyond(&self, bytes: usize) -> bool {
        let collections = self.collections.load(Ordering::Relaxed);
        let mut attempt = self.attempt.lock().expect("nothing panics while this is locked");
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

#[cfg(not(feature = "v8"))]
impl Memory {
    /// Stops the running code.
    pub(crate) fn doubt(&self) {
        self.0.stop();
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

    /// The alignment of malloc.
    const ALIGNMENT: usize = 16;

    static ALLOCATOR: v8::RustAllocatorVtable<Account> =
        v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop };

    impl Memory {
        /// The allocator for V8's buffers.
        pub(crate) fn allocator(&self) -> v8::UniqueRef<v8::Allocator> {
            // SAFETY: the pointer is a counted reference, which `drop` releases, and the functions use it
            // with its type. They may be called from any thread, as the account consists of atomics and
            // locks.
            unsafe { v8::new_rust_allocator(Arc::into_raw(self.0.clone()), &ALLOCATOR) }
        }

        /// Registers callbacks for each full collection, for the lifetime of the isolate. The caller keeps
        /// the account alive for at least as long.
        pub(crate) fn follow(&self, isolate: &mut v8::Isolate) {
            self.look(isolate);
            let _ = self.0.isolate.set(isolate.thread_safe_handle());
            let account = Arc::as_ptr(&self.0).cast_mut().cast();
            isolate.add_gc_prologue_callback(marking, account, v8::GCType::kGCTypeIncrementalMarking);
            isolate.add_gc_prologue_callback(collecting, account, v8::GCType::kGCTypeMarkSweepCompact);
            isolate.add_gc_epilogue_callback(collected, account, v8::GCType::kGCTypeMarkSweepCompact);
        }
    }

    impl Memory {
        /// Lets the running code be interrupted, and the limit be checked then. V8 calls back during a collection, when
        /// the memory that is alive cannot be measured.
        pub(crate) fn doubt(&self) {
            if let Some(isolate) = self.0.isolate.get()
                && !self.0.is_in_doubt.swap(true, Ordering::Relaxed)
            {
                isolate.request_interrupt(reconsider, Arc::as_ptr(&self.0).cast_mut().cast());
            }
        }
    }

    unsafe extern "C" fn allocate(account: &Account, bytes: usize) -> *mut c_void {
        allocate_counted(account, bytes, alloc_zeroed)
    }

    unsafe extern "C" fn allocate_uninitialized(account: &Account, bytes: usize) -> *mut c_void {
        allocate_counted(account, bytes, alloc)
    }

    fn allocate_counted(account: &Account, bytes: usize, alloc: unsafe fn(Layout) -> *mut u8) -> *mut c_void {
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
        // SAFETY: V8 frees a pointer that `allocate_counted` returned, with the same length.
        unsafe { dealloc(data.cast(), layout) };
    }

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
    }

    unsafe extern "C" fn drop(account: *const Account) {
        // SAFETY: it is the reference that `allocator` passed.
        unsafe { Arc::decrement_strong_count(account) };
    }

    unsafe extern "C" fn marking(
        _: v8::UnsafeRawIsolatePtr,
        _: v8::GCType,
        _: v8::GCCallbackFlags,
        account: *mut c_void,
    ) {
        // SAFETY: see `of`.
        let memory = unsafe { of(account) };
        memory.0.is_marking.store(true, Ordering::Relaxed);
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
        memory.0.collected(memory.0.heap.load(Ordering::Relaxed));
        // Outside of the heap, garbage made during the collection is still there, and some memory is still being swept.
        // `measures_full` judges the heap itself.
        if !memory.0.has_room(0) || memory.0.is_full() && !memory.0.is_checking.load(Ordering::Relaxed) {
            memory.doubt();
        }
    }

    /// Stops the running code if memory is over the limit even after a full collection that `measures_full` or `make_room`
    /// began.
    unsafe extern "C" fn reconsider(isolate: v8::UnsafeRawIsolatePtr, account: *mut c_void) {
        // SAFETY: see `of`; V8 passes the isolate that is running on this thread.
        let (memory, mut isolate) = unsafe { (of(account), v8::Isolate::from_raw_isolate_ptr(isolate)) };
        let is_large = isolate.get_heap_statistics().used_heap_size() > memory.0.share();
        if is_large && memory.measures_full(&mut isolate) || memory.make_room(&mut isolate, 0).is_err() {
            memory.0.stop();
        } else {
            memory.0.is_in_doubt.store(false, Ordering::Relaxed);
        }
    }

    /// The account from the data pointer of a callback.
    ///
    /// # Safety
    ///
    /// The pointer is from `follow`, whose caller keeps the account alive for longer than the isolate of the
    /// callback.
    unsafe fn of(account: *mut c_void) -> Memory {
        let account = account.cast_const().cast::<Account>();
        // SAFETY: the pointer is from `Arc::as_ptr`; dropping the returned clone releases the reference
        // counted here.
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
    fn allocations_beyond_the_limit_are_refused() {
        let (memory, stops) = account(10 * SMALL);
        memory.0.heap.store(4 * SMALL, Ordering::Relaxed);
        assert!(take(&memory, 5 * SMALL));
        assert!(!take(&memory, 2 * SMALL));
        assert!(take(&memory, SMALL));
        assert_eq!(stops.load(Ordering::Relaxed), 0);
        assert!(!memory.take_shortage(), "V8 has not asked again");
    }

    #[test]
    fn a_heap_is_full_when_a_collection_leaves_more_than_its_share() {
        let (memory, _) = account(100);
        memory.0.collected(90);
        assert!(!memory.0.is_full());
        memory.0.collected(91);
        assert!(memory.0.is_full());

        memory.leave(91);

        assert!(!memory.0.is_full(), "the limit is higher now");
    }

    #[test]
    fn a_collection_that_keeps_garbage_tells_nothing() {
        let (memory, _) = account(100);
        memory.0.is_marking.store(true, Ordering::Relaxed);
        memory.0.collected(95);
        assert!(!memory.0.is_full() && memory.0.may_be_full());

        memory.0.collected(95);

        assert!(memory.0.is_full(), "this collection was a whole one");
    }

    #[test]
    fn collections_are_not_forced_one_after_the_other() {
        let (memory, _) = account(6400);
        assert_eq!(memory.0.due(), 5760 + 100);
        memory.0.collected(5700);
        assert_eq!(memory.0.due(), 5700 + 400);
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
    fn a_small_buffer_is_allocated_and_its_code_stopped() {
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
