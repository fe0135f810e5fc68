//! What deno_node asks of the program that it runs in. Its JavaScript half is `runtime-js/node/`.

mod callers;
mod inspector;
mod replaced;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use deno_core::{ExtensionFileSource, ModuleSpecifier, OpDecl, OpState, ascii_str_include, op2, v8};
use deno_error::JsErrorBox;

use super::exchange::ExchangeState as _;
use super::{Environment, log, packages};
use crate::script::provided::Provided;

pub(crate) use replaced::replace;

deno_core::extension!(
    liveline_node,
    deps = [liveline, deno_node],
    ops = [
        callers::op_called_by_package,
        op_bootstrap_color_depth,
        op_bootstrap_unstable_args,
        op_build_target,
        op_engine_version,
        op_hardware_concurrency,
        op_adopts_listeners,
        op_application_file,
        op_application_url,
        op_listening,
        op_is_provided,
        op_process_cpu_usage,
        op_process_ids,
        op_current_thread_cpu_usage,
        op_process_memory_usage,
        op_napi_open,
        op_node_debug,
        op_user_agent,
    ],
    esm_entry_point = "ext:liveline_node/node.js",
    middleware = in_place_of_denos,
    customizer = |extension: &mut deno_core::Extension| {
        extension.esm_files = SOURCES.into();
    },
);

/// One entry of [`embed!`](crate::embed): an ES module of the extension.
macro_rules! module {
    ($file:literal, $path:expr) => {
        ExtensionFileSource::new(concat!("ext:liveline_node/", $file), ascii_str_include!($path))
    };
}

static SOURCES: &[ExtensionFileSource] = embed!(
    module,
    "runtime-js/node",
    [
        "common_js.js",
        "deno.js",
        "module_hooks.js",
        "mount.js",
        "navigator.js",
        "node.js",
        "outputs.js",
        "programs.js",
        "timers.js",
    ]
);

/// The module of Deno's own runtime that deno_node imports: its specifier and source.
pub(crate) const GLOBAL_SCOPE: (&str, &str) = (
    "ext:runtime/98_global_scope_shared.js",
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/node/global_scope.js")),
);

/// The memory of the process in bytes: resident, heap, used heap, outside of the heap.
#[op2(fast)]
fn op_process_memory_usage(scope: &mut v8::PinScope<'_, '_>, #[buffer] usage: &mut [f64]) {
    let heap = scope.get_heap_statistics();
    let numbers = [
        resident().unwrap_or(0) as f64,
        heap.total_heap_size() as f64,
        heap.used_heap_size() as f64,
        heap.external_memory() as f64,
    ];
    usage.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
}

/// The resident memory of the process in bytes, where Linux tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = status.split(' ').nth(1)?.parse().ok()?;
    #[cfg(unix)]
    let page = rustix::param::page_size() as u64;
    #[cfg(not(unix))]
    let page = 4096;
    Some(pages * page)
}

/// The numbers of the process and of its parent.
#[op2(fast)]
fn op_process_ids(#[buffer] numbers: &mut [f64]) {
    #[cfg(unix)]
    let parent = std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    let parent = 0;
    let ids = [std::process::id(), parent];
    numbers.iter_mut().zip(ids).for_each(|(place, id)| *place = id.into());
}

/// How many threads can run at once.
#[op2(fast)]
#[smi]
fn op_hardware_concurrency() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// The file of the application whose servers are reached by the host's listener, if the code that loads is one.
#[derive(Debug, Clone)]
pub(crate) struct AdoptedApplication(pub Option<PathBuf>);

fn application(state: &OpState) -> Option<&Path> {
    state.try_borrow::<AdoptedApplication>()?.0.as_deref()
}

/// Whether servers that the running code makes are reached by the host's listener.
#[op2(fast)]
fn op_adopts_listeners(state: &mut OpState) -> bool {
    application(state).is_some()
}

/// The file of the application that runs, from which its packages are looked up; empty where there is none.
#[op2]
#[string]
fn op_application_file(state: &mut OpState) -> String {
    application(state).map_or_else(String::new, |file| file.to_string_lossy().into_owned())
}

/// The address that the host listens on, as its IP and its port; empty where it does not listen.
#[op2]
#[serde]
fn op_listening(state: &mut OpState) -> Vec<String> {
    let address = state.exchanges().listening();
    address.map_or_else(Vec::new, |address| vec![address.ip().to_string(), address.port().to_string()])
}

/// Whether a module that is required by this name is a package of Fastify that the host provides.
#[op2(fast)]
fn op_is_provided(state: &mut OpState, #[string] name: &str) -> bool {
    state.try_borrow::<Provided>().is_some_and(|provided| provided.has(name))
}

/// The URL of [`op_application_file`].
#[op2]
#[string]
fn op_application_url(state: &mut OpState) -> String {
    let url = application(state).and_then(|file| ModuleSpecifier::from_file_path(file).ok());
    url.map_or_else(String::new, Into::into)
}

/// The version of V8.
#[op2]
#[string]
fn op_engine_version() -> &'static str {
    v8::V8::get_version()
}

/// The value of `navigator.userAgent`.
#[op2]
#[string]
fn op_user_agent() -> &'static str {
    concat!("Liveline/", env!("CARGO_PKG_VERSION"))
}

/// Prints for Deno's scripts, into the log.
#[op2(fast)]
fn op_print_to_log(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] text: &str,
    is_error: bool,
) {
    log::print(scope, &state, text, if is_error { 2 } else { 1 });
}

/// Replaces the op that prints past the log.
fn in_place_of_denos(op: OpDecl) -> OpDecl {
    if op.name == "op_print" {
        op.with_implementation_from(&op_print_to_log())
    } else {
        inspector::refuse(op)
    }
}

/// The time that the process has spent on the CPU in microseconds: in the system, in the program.
#[op2(fast)]
fn op_process_cpu_usage(#[buffer] usage: &mut [f64]) {
    spent(usage, false);
}

/// The same for the isolate's thread.
#[op2(fast)]
fn op_current_thread_cpu_usage(#[buffer] usage: &mut [f64]) {
    spent(usage, true);
}

fn spent(usage: &mut [f64], of_thread: bool) {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        let clock = if of_thread { ClockId::ThreadCPUTime } else { ClockId::ProcessCPUTime };
        let time = clock_gettime(clock);
        let micros = time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3;
        // The system's part is not told apart.
        usage.iter_mut().zip([0.0, micros]).for_each(|(place, number)| *place = number);
    }
    #[cfg(not(unix))]
    let _ = (usage, of_thread);
}

/// Native addons run outside of V8 and of every limit of the host.
#[op2(fast)]
fn op_napi_open(#[string] file: &str) -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new("NotSupported", packages::addon_refusal(Path::new(file))))
}

/// How many bits a colour has on the terminal: handlers print to a log.
#[op2(fast)]
fn op_bootstrap_color_depth() -> i32 {
    1
}

/// Deno's flags for unstable features.
#[op2]
#[serde]
fn op_bootstrap_unstable_args() -> Vec<String> {
    Vec::new()
}

/// The target of the build: `arch-vendor-os-env`.
#[op2]
#[string]
fn op_build_target() -> String {
    let (vendor, os) = match std::env::consts::OS {
        "macos" => ("apple", "darwin"),
        "windows" => ("pc", "windows"),
        os => ("unknown", os),
    };
    let abi = if cfg!(target_env = "gnu") { "gnu" } else { "musl" };
    format!("{}-{vendor}-{os}-{abi}", std::env::consts::ARCH)
}

/// What `NODE_DEBUG` is set to.
#[op2]
#[string]
fn op_node_debug(state: &mut OpState) -> String {
    state.borrow::<Environment>().get("NODE_DEBUG").unwrap_or_default()
}
