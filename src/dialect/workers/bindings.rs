//! The bindings of a Worker: what its `env` has.

use serde_json::{Map, Value as Json, json};

use super::config::Reader;
use super::tree::Node;

/// One name of `env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    pub name: String,
    /// Where the configuration names it, from 1.
    pub line: usize,
    pub kind: Kind,
}

/// What a binding gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The namespace of a class of actors.
    Actor { class: String },
    /// A store of keys and values.
    Kv { id: String },
    /// A database of SQLite.
    D1 { id: String },
    /// The end of a queue that messages are sent to.
    Queue { queue: String, delay: u64 },
    /// An entrypoint of this Worker; the default one without a name.
    Service { entrypoint: Option<String>, props: Option<Json> },
    /// The static files.
    Assets,
    /// A value.
    Var(Json),
    /// What the version of the Worker is.
    Version,
    /// Something that this host does not have: the first use throws, with the reason.
    Absent { what: String, reason: String },
}

/// A queue whose messages this Worker handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub queue: String,
    pub line: usize,
    /// Messages of a batch at most.
    pub max_batch_size: u64,
    /// How long a batch waits until it is full, in seconds.
    pub max_batch_timeout: u64,
    /// How often a message is delivered again.
    pub max_retries: u64,
    /// Where messages go that failed too often.
    pub dead_letter_queue: Option<String>,
    /// How long a message waits before it is delivered again, in seconds.
    pub retry_delay: u64,
}

/// Lists of bindings that this host does not have: the name in the file, what it is, and the name of the binding's name.
const ABSENT: [(&str, &str, &str); 18] = [
    ("r2_buckets", "R2 bucket", "binding"),
    ("vectorize", "Vectorize index", "binding"),
    ("hyperdrive", "Hyperdrive", "binding"),
    ("analytics_engine_datasets", "Analytics Engine dataset", "binding"),
    ("dispatch_namespaces", "dispatch namespace", "binding"),
    ("mtls_certificates", "mTLS certificate", "binding"),
    ("pipelines", "pipeline", "binding"),
    ("secrets_store_secrets", "secret of a secrets store", "binding"),
    ("send_email", "sender of email", "name"),
    ("workflows", "workflow", "binding"),
    ("worker_loaders", "loader of Workers", "binding"),
    ("ratelimits", "rate limit", "name"),
    ("vpc_services", "VPC service", "binding"),
    ("unsafe_hello_world", "hello-world binding", "binding"),
    ("ai", "Workers AI", "binding"),
    ("browser", "browser", "binding"),
    ("images", "Images", "binding"),
    ("media", "Media", "binding"),
];

/// Reads the bindings of all kinds.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Binding> {
    let mut bindings = Vec::new();
    vars(reader, &mut bindings);
    actors(reader, &mut bindings);
    stores(reader, &mut bindings);
    services(reader, &mut bindings);
    absent(reader, &mut bindings);
    twice(reader, &bindings);
    bindings
}

fn vars(reader: &mut Reader<'_>, bindings: &mut Vec<Binding>) {
    let Some(vars) = reader.get("vars") else { return };
    for (key, node) in vars.entries() {
        let (name, line) = (key.name.clone(), reader.source.line(key.at));
        bindings.push(Binding { name, line, kind: Kind::Var(node.json()) });
    }
}

fn actors(reader: &mut Reader<'_>, bindings: &mut Vec<Binding>) {
    let Some(objects) = reader.get("durable_objects") else { return };
    let own = reader.get("name").and_then(Node::text);
    for node in reader.list(objects.get("bindings"), "durable_objects.bindings") {
        let Some(name) = reader.needed(node, "name", "a binding of durable_objects") else { continue };
        let of = format!("the binding {name}");
        let Some(class) = reader.needed(node, "class_name", &of) else { continue };
        // Without a name of its own the Worker is whatever the binding calls it.
        let elsewhere = node.text_of("script_name").filter(|script| own.is_some_and(|own| own != *script));
        let kind = match elsewhere {
            None => Kind::Actor { class: class.to_owned() },
            Some(script) => Kind::Absent {
                what: "Durable Object namespace".to_owned(),
                reason: format!("its class {class} is in another Worker, {script}, which does not run here"),
            },
        };
        bindings.push(Binding { name: name.to_owned(), line: reader.source.line(node.at), kind });
    }
}

fn stores(reader: &mut Reader<'_>, bindings: &mut Vec<Binding>) {
    for node in reader.list(reader.get("kv_namespaces"), "kv_namespaces") {
        let Some(name) = reader.needed(node, "binding", "a namespace of kv_namespaces") else { continue };
        let id = node.text_of("id").unwrap_or(name).to_owned();
        let line = reader.source.line(node.at);
        bindings.push(Binding { name: name.to_owned(), line, kind: Kind::Kv { id } });
    }
    for node in reader.list(reader.get("d1_databases"), "d1_databases") {
        let Some(name) = reader.needed(node, "binding", "a database of d1_databases") else { continue };
        let id = node.text_of("database_id").or(node.text_of("database_name")).unwrap_or(name).to_owned();
        let line = reader.source.line(node.at);
        bindings.push(Binding { name: name.to_owned(), line, kind: Kind::D1 { id } });
    }
    let producers = reader.get("queues").and_then(|queues| queues.get("producers"));
    for node in reader.list(producers, "queues.producers") {
        let Some(name) = reader.needed(node, "binding", "a producer of queues") else { continue };
        let Some(queue) = reader.needed(node, "queue", &format!("the binding {name}")) else { continue };
        let delay = node.number_of("delivery_delay").unwrap_or(0);
        let line = reader.source.line(node.at);
        let kind = Kind::Queue { queue: queue.to_owned(), delay };
        bindings.push(Binding { name: name.to_owned(), line, kind });
    }
}

fn services(reader: &mut Reader<'_>, bindings: &mut Vec<Binding>) {
    let own = reader.get("name").and_then(Node::text);
    for node in reader.list(reader.get("services"), "services") {
        let Some(name) = reader.needed(node, "binding", "a binding of services") else { continue };
        let Some(service) = reader.needed(node, "service", &format!("the binding {name}")) else { continue };
        let kind = match own.is_none_or(|own| own == service) {
            true => Kind::Service {
                entrypoint: node.text_of("entrypoint").map(str::to_owned),
                props: node.get("props").map(Node::json),
            },
            false => Kind::Absent {
                what: "service".to_owned(),
                reason: format!("it is another Worker, {service}, which does not run here"),
            },
        };
        bindings.push(Binding { name: name.to_owned(), line: reader.source.line(node.at), kind });
    }
    if let Some(assets) = reader.get("assets")
        && let Some(name) = assets.text_of("binding")
    {
        let line = reader.source.line(assets.get("binding").map_or(assets.at, |node| node.at));
        bindings.push(Binding { name: name.to_owned(), line, kind: Kind::Assets });
    } else if let Some(pages) = reader.get("pages_build_output_dir") {
        let line = reader.source.line(pages.at);
        bindings.push(Binding { name: "ASSETS".to_owned(), line, kind: Kind::Assets });
    }
    if let Some(version) = reader.get("version_metadata")
        && let Some(name) = version.text_of("binding")
    {
        let line = reader.source.line(version.at);
        bindings.push(Binding { name: name.to_owned(), line, kind: Kind::Version });
    }
}

fn absent(reader: &mut Reader<'_>, bindings: &mut Vec<Binding>) {
    for (list, what, key) in ABSENT {
        let Some(node) = reader.get(list) else { continue };
        let nodes = match node.elements() {
            [] => std::slice::from_ref(node),
            elements => elements,
        };
        for node in nodes {
            let Some(name) = node.text_of(key) else { continue };
            let kind =
                Kind::Absent { what: what.to_owned(), reason: "this host has no such thing".to_owned() };
            bindings.push(Binding { name: name.to_owned(), line: reader.source.line(node.at), kind });
        }
    }
    for (list, what) in
        [("wasm_modules", "WebAssembly module"), ("text_blobs", "text"), ("data_blobs", "data")]
    {
        for (key, _) in reader.get(list).map(Node::entries).unwrap_or_default() {
            let reason = "it is for Workers without modules; import the file".to_owned();
            let kind = Kind::Absent { what: what.to_owned(), reason };
            bindings.push(Binding { name: key.name.clone(), line: reader.source.line(key.at), kind });
        }
    }
}

/// Notes bindings that have a name of another one.
fn twice(reader: &mut Reader<'_>, bindings: &[Binding]) {
    for (index, binding) in bindings.iter().enumerate() {
        if let Some(first) = bindings[..index].iter().find(|first| first.name == binding.name) {
            let message =
                format!("two bindings are called {}; the first is in line {}", first.name, first.line);
            let file = &reader.source.file;
            let error = liveline_compiler::Diagnostic::at(message, file, binding.line, 1);
            reader.problems.push(error);
        }
    }
}

/// Reads the queues that this Worker consumes.
pub(super) fn consumers(reader: &mut Reader<'_>) -> Vec<Consumer> {
    let mut consumers = Vec::new();
    let list = reader.get("queues").and_then(|queues| queues.get("consumers"));
    for node in reader.list(list, "queues.consumers") {
        let Some(queue) = reader.needed(node, "queue", "a consumer of queues") else { continue };
        if let Some(kind) = node.text_of("type").filter(|kind| *kind != "worker") {
            let message =
                format!("the consumer of {queue} has the type \"{kind}\", which this host does not have");
            reader.problem(message, node.at, Some("leave it out: the Worker's queue() gets the messages"));
            continue;
        }
        let number = |name: &str, usual: u64| node.number_of(name).unwrap_or(usual);
        consumers.push(Consumer {
            queue: queue.to_owned(),
            line: reader.source.line(node.at),
            max_batch_size: number("max_batch_size", 10).clamp(1, 100),
            max_batch_timeout: number("max_batch_timeout", 5).min(60),
            max_retries: number("max_retries", 3).min(100),
            dead_letter_queue: node.text_of("dead_letter_queue").map(str::to_owned),
            retry_delay: number("retry_delay", 0),
        });
    }
    consumers
}

impl Kind {
    /// What it is, for lists.
    pub(super) fn shown(&self) -> String {
        match self {
            Kind::Actor { class } => format!("Durable Object {class}"),
            Kind::Kv { id } => format!("KV namespace {id}"),
            Kind::D1 { id } => format!("D1 database {id}"),
            Kind::Queue { queue, .. } => format!("queue {queue}"),
            Kind::Service { entrypoint, .. } => {
                format!("service {}", entrypoint.as_deref().unwrap_or("default"))
            }
            Kind::Assets => "static files".to_owned(),
            Kind::Var(_) => "variable".to_owned(),
            Kind::Version => "version".to_owned(),
            Kind::Absent { what, .. } => format!("{what}, not available"),
        }
    }

    /// For the JavaScript half.
    fn json(&self) -> Json {
        match self {
            Kind::Actor { class } => json!({ "kind": "actor", "class": class }),
            Kind::Kv { id } => json!({ "kind": "kv", "id": id }),
            Kind::D1 { id } => json!({ "kind": "d1", "id": id }),
            Kind::Queue { queue, delay } => json!({ "kind": "queue", "queue": queue, "delay": delay }),
            Kind::Service { entrypoint, props } => {
                json!({ "kind": "service", "entrypoint": entrypoint, "props": props })
            }
            Kind::Assets => json!({ "kind": "assets" }),
            Kind::Var(value) => json!({ "kind": "var", "value": value }),
            Kind::Version => json!({ "kind": "version" }),
            Kind::Absent { what, reason } => json!({ "kind": "absent", "what": what, "reason": reason }),
        }
    }
}

impl Binding {
    /// For the JavaScript half. `place` is that of the binding in the configuration.
    pub(super) fn json(&self, place: String) -> Json {
        let mut json = self.kind.json();
        if let Json::Object(object) = &mut json {
            object.extend(Map::from_iter([
                ("name".to_owned(), self.name.as_str().into()),
                ("place".to_owned(), place.into()),
                ("line".to_owned(), self.line.into()),
            ]));
        }
        json
    }
}

impl Consumer {
    /// For the JavaScript half.
    pub(super) fn json(&self) -> Json {
        json!({
            "queue": self.queue,
            "maxBatchSize": self.max_batch_size,
            "maxBatchTimeout": self.max_batch_timeout,
            "maxRetries": self.max_retries,
            "deadLetterQueue": self.dead_letter_queue,
            "retryDelay": self.retry_delay,
        })
    }
}
