//! How long a client may take for a request's head.
//!
//! A deadline is set for every request and almost none is reached, so setting one is a store. Each connection has one
//! timer of the runtime, which looks at the deadline when it fires and mostly finds a later one.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The deadline of one connection. Clones share it.
#[derive(Clone)]
pub struct HeadTimer(Arc<Deadline>);
