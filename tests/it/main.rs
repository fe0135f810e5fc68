//! The integration tests: the real executable, a real HTTP client and a real WebSocket client.
//!
//! One binary, one module per subject. `LIVELINE_BIN` names another executable to test (the smoke run of the
//! second engine uses it); without it Cargo's own build is started. No test sleeps: each waits for an answer,
//! a frame, a printed line or the end of a process, and each wait is bounded (see `support::PATIENCE`).

#![allow(unreachable_pub, reason = "nothing outside of a test binary can use what it has")]
#![expect(clippy::print_stderr, reason = "what a failed test saw has to be shown")]
#![expect(unreachable_pub, reason = "nothing imports a test binary")]

mod support;

mod actors;
mod aiwebengine;
mod answers;
mod arbitrary_requests;
mod bodies;
mod cancelled_results;
mod channels;
mod check;
mod cli;
mod client;
mod client_websockets;
mod conditions;
mod connection_limits;
mod cookies;
mod crowded_channels;
mod csrf;
mod dev;
mod docs;
mod documents;
#[cfg(all(target_os = "linux", feature = "node"))] // The drivers need Node's half, the tests /proc.
mod drivers;
mod early_messages;
mod environment;
mod errors;
mod events;
mod examples;
#[cfg(feature = "node")]
mod fastify;
#[cfg(feature = "node")] // Plugins need Node's half.
mod fastify_dialect;
mod fetch_plus;
mod forms;
mod hosts;
#[cfg(feature = "node")]
mod inspector;
mod larc;
#[cfg(target_os = "linux")] // It reads /proc.
mod leaks;
mod listening;
mod live_functions;
mod live_queries;
mod live_responses;
mod lost_isolates;
mod malformed;
#[cfg(target_os = "linux")] // It reads /proc.
mod memory;
mod modules;
mod mounting;
#[cfg(target_os = "linux")] // It needs inotify.
mod moved_binary;
#[cfg(feature = "node")]
mod node;
mod observe;
mod oohtml;
mod packages;
mod pages;
mod patched_globals;
#[cfg(all(unix, feature = "node"))]
mod permissions;
mod plain_clients;
#[cfg(unix)]
mod printing;
mod proxies;
mod ranges;
mod reload;
mod response_done;
mod resume;
mod routing;
mod security;
mod sessions;
mod shared;
#[cfg(unix)]
mod signals;
mod slow_clients;
mod smoke;
mod sql;
mod state;
mod static_files;
mod staying;
mod stopped_turns;
#[cfg(unix)]
mod terminal;
mod termination;
mod threads;
mod timers;
mod topics;
mod transcripts;
mod typescript;
mod universal_handlers;
mod upgrade;
mod upstream;
mod users;
mod visitors;
mod webflo;
mod websockets;
mod without_sockets;
#[cfg(feature = "node")]
mod workers;
mod workers_dialect;
