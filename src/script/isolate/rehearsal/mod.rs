//! Requests that an isolate answers before its heap is kept. V8 compiles a function when it is first called; the
//! functions that these requests call are compiled in the kept heap, so the first requests of the isolates that start
//! from it do not wait for a compiler. What a heap cannot keep (machine code, and what V8 has seen of values) an isolate
//! has after it has answered one of the requests again, while it waits for its code.

use std::future::poll_fn;
use std::sync::mpsc::Receiver;
use std::task::Poll;

use bytes::Bytes;
use deno_core::error::CoreError;
use deno_core::v8;
use hyper::{HeaderMap, Method, Request};
use tracing::subscriber::NoSubscriber;

use super::functions::Function;
use super::runtime::Runtime;
use super::{Dispatched, Isolate};
use crate::ext::{self, Call, Exchanges, Show, Shown};
use crate::http::ReceivedBody;
use crate::lines::LineEvent;
use crate::router::NodeId;
use crate::trust::Requester;
use liveline_compiler::parameters::Parameters;
use liveline_proto::{Close, CloseCode};

/// An expression whose value is the list of the handlers.
const HANDLERS: &str = include_str!("handlers.js");

/// How often an isolate that waits for its code answers [`PAGE_VIEW`].
const TIMES: usize = 3;

/// How often the event loop is polled for a request. The slowest handler here needs ten times.
const TURNS: usize = 50;

/// The page of the rehearsal; no site has as many.
const PAGE: u32 = i32::MAX as u32;

/// The pieces of that page, as [`Page::template`](crate::router::Page::template) has them.
const TEMPLATE: &str = r##"["<!DOCTYPE html><html><head>",0,"</head><body>",["p",[["render","#text: data?.title"]],["-"]],1,"</body></html>"]"##;

/// A request of the rehearsal, and what its client is.
struct Rehearsed {
    /// The node of the handler: its place in the list.
    node: u32,
    method: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    shown: Shown,
}

const DATA: Shown = Shown { page: None, show: Show::Data };

impl Rehearsed {
    const fn get(node: u32, headers: &'static [(&'static str, &'static str)]) -> Rehearsed {
        Rehearsed { node, method: "GET", headers, body: "", shown: DATA }
    }

    const fn post(node: u32, body: &'static str) -> Rehearsed {
        Rehearsed {
            node,
            method: "POST",
            headers: &[("content-type", "application/json")],
            body,
            shown: DATA,
        }
    }

    fn call(&self) -> Call {
        let path = format!("http://localhost/rehearsal/{}?q=1", self.node);
        let mut head = Request::builder().method(self.method).uri(path);
        for (name, value) in self.headers {
            head = head.header(*name, *value);
        }
        let (parts, ()) = head.body(()).expect("its parts are valid").into_parts();
        let body = ReceivedBody::whole(Bytes::from_static(self.body.as_bytes()));
        let requester = Requester { address: std::net::Ipv4Addr::LOCALHOST.into(), is_secure: None };
        Call { parts, body, requester, shown: self.shown }
    }
}

const BROWSER: &[(&str, &str)] =
    &[("accept", "text/html,*/*;q=0.8"), ("x-name", "n"), ("cookie", "a=b; c=d")];
const PROGRAM: &[(&str, &str)] = &[("accept", "*/*")];
const STREAM: &[(&str, &str)] = &[("accept", "text/event-stream")];
const LIVE: &[(&str, &str)] = &[("x-accept-live", "*")];
const SOCKET: &[(&str, &str)] = &[("connection", "upgrade"), ("upgrade", "websocket")];

/// A page in a browser, whose way most requests take.
const PAGE_VIEW: Rehearsed = Rehearsed::get(3, BROWSER);

const REQUESTS: &[Rehearsed] = &[
    Rehearsed::get(0, PROGRAM),
    Rehearsed::get(1, PROGRAM),
    Rehearsed::get(2, PROGRAM),
    PAGE_VIEW,
    Rehearsed::get(4, PROGRAM),
    Rehearsed::get(5, BROWSER),
    Rehearsed::post(6, r#"{"body":[1,2]}"#),
    Rehearsed::post(7, "a text"),
    Rehearsed::get(8, PROGRAM),
    Rehearsed::get(9, PROGRAM),
    Rehearsed::get(10, PROGRAM),
    Rehearsed::get(11, STREAM),
    Rehearsed::get(12, LIVE),
    Rehearsed::get(13, SOCKET),
    Rehearsed { shown: Shown { page: Some(PAGE), show: Show::Page }, ..Rehearsed::get(14, BROWSER) },
    // The node of the path that goes on with next().
    Rehearsed::get(17, PROGRAM),
];

impl Isolate {
    /// Answers the requests. `events`: what arrives for the lines that they open.
    pub(in crate::script) async fn rehearse(&self, events: &Receiver<LineEvent>) -> Result<(), CoreError> {
        // Some requests fail, as they should; nobody has to know.
        let _quiet = tracing::subscriber::set_default(NoSubscriber::new());
        self.begin_rehearsal()?;
        for request in REQUESTS {
            self.rehearse_one(request, events).await;
        }
        self.with_exchanges(Exchanges::give_up);
        self.turn_ended();
        self.end_rehearsal();
        self.go_on(events).await;
        Ok(())
    }

    /// Answers one of the requests a few times. For an isolate without code.
    pub(super) fn rehearse_again(&self) -> Result<(), CoreError> {
        self.begin_rehearsal()?;
        for _ in 0..TIMES {
            let (Dispatched::Answered(id, _) | Dispatched::Waiting(id, _) | Dispatched::Lost(id)) =
                self.dispatch(PAGE_VIEW.call(), NodeId(PAGE_VIEW.node));
            self.end(id, &Close::from(CloseCode::GoingAway));
            self.turn_ended();
        }
        self.end_rehearsal();
        Ok(())
    }

    fn begin_rehearsal(&self) -> Result<(), CoreError> {
        self.with_exchanges(|exchanges| exchanges.set_site(Box::new(Stage), 0));
        self.warm();
        let handlers = self.runtime.borrow_mut().execute_script("ext:liveline/rehearsal.js", HANDLERS)?;
        self.enter(|scope, functions| {
            let handlers = v8::Local::new(scope, &handlers);
            functions.call(scope, Function::Rehearse, &[handlers]);
        });
        Ok(())
    }

    fn end_rehearsal(&self) {
        self.enter(|scope, functions| {
            let page = v8::Integer::new_from_unsigned(scope, PAGE).into();
            functions.call(scope, Function::Rehearsed, &[page]);
        });
    }

    async fn rehearse_one(&self, request: &Rehearsed, events: &Receiver<LineEvent>) {
        let (id, answer) = match self.dispatch(request.call(), NodeId(request.node)) {
            Dispatched::Answered(id, answer) => (id, Some(answer)),
            Dispatched::Waiting(id, unanswered) => {
                self.go_on(events).await;
                let mut answer = unanswered.answer;
                (id, answer.try_recv().ok())
            }
            Dispatched::Lost(id) => (id, None),
        };
        self.go_on(events).await;
        drop(answer);
        self.end(id, &Close::from(CloseCode::GoingAway));
        self.go_on(events).await;
    }

    /// Runs timers, promises and ops, and delivers the events of lines.
    async fn go_on(&self, events: &Receiver<LineEvent>) {
        for _ in 0..TURNS {
            poll_fn(|cx| {
                // Errors of the rehearsed handlers are among what is rehearsed.
                let _ = self.poll(cx);
                Poll::Ready(())
            })
            .await;
            while let Ok(event) = events.try_recv() {
                self.deliver(&event);
                self.with_exchanges(|exchanges| exchanges.hub().acknowledge(&event));
            }
            tokio::task::yield_now().await;
        }
    }

    /// The heap as it is now; `None` for an isolate that was not started for that.
    pub(in crate::script) fn into_heap(self) -> Option<Box<[u8]>> {
        let Isolate { functions, microtasks, runtime, state, loader, terminator, counter, waker, .. } = self;
        // Handles into the heap are dropped before it is kept.
        drop((functions, microtasks, state, loader, terminator, counter, waker));
        match runtime.into_inner() {
            Runtime::Kept(runtime) => Some(runtime.snapshot()),
            Runtime::Serving(_) => None,
        }
    }
}

/// The site of the rehearsal: one page, and no file.
struct Stage;

impl ext::Site for Stage {
    fn route(&self, _path: &str, _consumed: u32, target: &str) -> Result<ext::Route, String> {
        Err(format!("there is no {target} in the rehearsal"))
    }

    fn parameters(&self, source: &str, is_root: bool) -> Parameters {
        Parameters::of(source, is_root)
    }

    fn file_before(&self, _path: &str, _depth: u32, _handler: &str, _is_look: bool) -> bool {
        false
    }

    fn file(&self, _method: Method, _headers: HeaderMap, _target: String) -> ext::FileAnswer {
        Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) })
    }

    fn page(&self, _page: u32) -> Result<ext::PageSource, String> {
        Ok(ext::PageSource {
            file: "rehearsal".to_owned(),
            template: TEMPLATE.to_owned(),
            brings_oohtml: false,
        })
    }

    fn blank_page(&self, _page: u32) -> Result<[String; 2], String> {
        Ok([String::new(), String::new()])
    }
}
