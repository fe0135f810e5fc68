//! V8 ends the process on errors that it cannot handle, such as an array with too many items, or a full heap whose code
//! did not unwind in time. Where the error concerns only the memory of one isolate, this module stops that isolate's
//! thread for good instead, and the isolate counts as lost.
//!
//! Errors that mean that V8 itself is broken (a failed check) still end the process.
#![expect(unsafe_code, reason = "V8 exports these to C++ alone")]

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Weak};

use crate::script::watchdog::ExecutionCounter;

thread_local! {
    /// The isolate that runs on this thread.
    static COUNTER: RefCell<Weak<ExecutionCounter>> = const { RefCell::new(Weak::new()) };
    /// Whether one of V8's checks failed on this thread, so that its state cannot be relied on.
    static IS_BROKEN: Cell<bool> = const { Cell::new(false) };
}

type OnFatal = extern "C" fn(file: *const c_char, line: c_int, message: *const c_char);

unsafe extern "C" {
    /// `v8::base::SetPrintStackTrace`: V8 calls the function as the last step before it ends the process, for every
    /// reason.
    #[link_name = "_ZN2v84base18SetPrintStackTraceEPFvvE"]
    fn set_print_stack_trace(print: extern "C" fn());
    /// `v8::base::SetFatalFunction`: V8 calls the function before that if a check failed.
    #[link_name = "_ZN2v84base16SetFatalFunctionEPFvPKciS2_E"]
    fn set_fatal_function(on_fatal: OnFatal);
}

/// Replaces V8's last steps before it ends the process. Call it when the platform has started.
pub(super) fn install() {
    // SAFETY: both store a pointer to a function that lives as long as the process; the signatures are those of
    // V8's src/base/logging.h.
    unsafe {
        set_print_stack_trace(before_abort);
        set_fatal_function(check_failed);
    }
}

/// From now on a fatal error of V8 on this thread stops the thread's isolate, not the process.
pub(super) fn guard_this_thread(counter: &Arc<ExecutionCounter>) {
    COUNTER.set(Arc::downgrade(counter));
}

extern "C" fn check_failed(_: *const c_char, _: c_int, _: *const c_char) {
    IS_BROKEN.set(true);
}

#[expect(clippy::print_stderr, reason = "the process ends before the log could be written")]
extern "C" fn before_abort() {
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
