//! V8 ends the process where it cannot go on, as for an array of more items than it can have, or when a heap is full
//! that could not be unwound in time. Where only the memory of the isolate that ran is concerned, its thread is halted
//! instead, for ever, and the isolate counts as lost.
//!
//! Errors that mean that V8 itself is broken (a check that failed) end the process as ever.
#![expect(unsafe_code, reason = "V8 exports these to C++ alone")]

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Weak};

use crate::script::watchdog::ExecutionCounter;

thread_local! {
    /// The isolate that runs on this thread.
    static COUNTER: RefCell<Weak<ExecutionCounter>> = const { RefCell::new(Weak::new()) };
    /// A check of V8's failed on this thread, so nothing that it did can be relied on.
    static IS_BROKEN: Cell<bool> = const { Cell::new(false) };
}

type OnFatal = extern "C" fn(file: *const c_char, line: c_int, message: *const c_char);

unsafe extern "C" {
    /// `v8::base::SetPrintStackTrace`: is called for every reason to end the process, last of all.
    #[link_name = "_ZN2v84base18SetPrintStackTraceEPFvvE"]
    fn set_print_stack_trace(print: extern "C" fn());
    /// `v8::base::SetFatalFunction`: is called before that where a check failed.
    #[link_name = "_ZN2v84base16SetFatalFunctionEPFvPKciS2_E"]
    fn set_fatal_function(on_fatal: OnFatal);
}

/// Replaces what V8 does before it ends the process. Call it when the platform is started.
pub(super) fn install() {
    // SAFETY: both store a pointer to a function that lives as long as the process; the signatures are those of
    // V8's src/base/logging.h.
    unsafe {
        set_print_stack_trace(last_words);
        set_fatal_function(check_failed);
    }
}

/// What V8 cannot do for the isolate on this thread costs that isolate, not the process.
pub(super) fn guard_this_thread(counter: &Arc<ExecutionCounter>) {
    COUNTER.set(Arc::downgrade(counter));
}

extern "C" fn check_failed(_: *const c_char, _: c_int, _: *const c_char) {
    IS_BROKEN.set(true);
}

#[expect(clippy::print_stderr, reason = "the process ends before the log could be written")]
extern "C" fn last_words() {
    let counter = COUNTER.with_borrow(Weak::upgrade);
    let Some(counter) = counter.filter(|_| !IS_BROKEN.get()) else {
        eprintln!("{}", Backtrace::force_capture());
        return;
    };
    tracing::error!(
        "V8 cannot go on with what it was told to do, such as an array of too many items; it costs this isolate"
    );
    counter.halt();
    drop(counter);
    loop {
        std::thread::park();
    }
}
