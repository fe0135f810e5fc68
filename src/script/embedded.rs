//! The JavaScript in the executable: that of Deno's crates and the host's own runtime-js.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::OnceLock;

use deno_core::{Extension, ExtensionFileSource, ExtensionFileSourceCode};
use deno_permissions::PermissionsContainer;
use deno_web::{BlobStore, InMemoryBroadcastChannel};

use super::half::Half;
use super::loader::Loader;
#[cfg(feature = "node")]
use super::node;
use crate::ext::{self, Access, Environment, Exchanges, Memory};
use liveline_compiler::builtin;
use liveline_store::Databases;

/// Scripts that extensions ask for in crates that isolates without Node's half leave out. Client certificates are what
/// is missing.
const STAND_INS: [(&str, &str); 1] = [(
    "ext:deno_net/02_tls.js",
    "\"use strict\"; return ({ loadTlsKeyPair() { throw new TypeError(\"Client certificates are not supported.\"); } });",
)];

type Sources = &'static [(&'static str, &'static str)];

/// The sources that extensions load when they are first used, sorted by specifier.
pub(super) struct Lazy {
    pub(super) scripts: Sources,
    pub(super) modules: Sources,
}

/// The table for isolates with Node's half or without it. Each is made once per process: all isolates share the texts.
pub(super) fn lazy(half: Half) -> &'static Lazy {
    static PLAIN: OnceLock<Lazy> = OnceLock::new();
    #[cfg(feature = "node")]
    static NODE: OnceLock<Lazy> = OnceLock::new();
    let table = match half {
        Half::Plain => &PLAIN,
        #[cfg(feature = "node")]
        Half::Node => &NODE,
    };
    table.get_or_init(|| {
        let (mut scripts, mut modules) = (Vec::new(), Vec::new());
        for extension in in_order(Stateful::none(), half) {
            scripts.extend(extension.lazy_loaded_js_files.iter().filter_map(embedded));
            modules.extend(extension.lazy_loaded_esm_files.iter().filter_map(embedded));
        }
        modules.extend(ext::aiwebengine::SCRIPTS);
        modules.push(ext::aiwebengine::GRAPHQL);
        match half {
            Half::Plain => scripts.extend(STAND_INS),
            #[cfg(feature = "node")]
            Half::Node => {
                modules.push(ext::node::GLOBAL_SCOPE);
                modules.extend(ext::fastify::SCRIPTS);
                modules.push(ext::fastify::VALIDATORS);
                // The loader refuses their imports, and knows the place.
                modules.retain(|(specifier, _)| {
                    specifier.strip_prefix("node:").is_none_or(|name| node::absent(name).is_none())
                });
            }
        }
        scripts.sort_unstable();
        modules.sort_unstable();
        Lazy { scripts: scripts.leak(), modules: modules.leak() }
    })
}

/// The specifier and the embedded source of a file that an extension lists by its path.
fn embedded(file: &ExtensionFileSource) -> Option<(&'static str, &'static str)> {
    let ExtensionFileSourceCode::LoadedFromFsDuringSnapshot(path) = file.code else { return None };
    Some((file.specifier, liveline_builtins::source(path)?))
}

deno_core::extension!(
    liveline_permissions,
    options = { permissions: PermissionsContainer },
    state = |state, options| {
        state.put(options.permissions);
        state.put(Environment::default());
    },
);

/// The extensions of an isolate, in the order in which they depend on each other. `is_for_snapshot`: its heap is kept.
pub(super) fn extensions(
    exchanges: Exchanges,
    databases: Databases,
    memory: Memory,
    access: &Access,
    loader: &Rc<Loader>,
    half: Half,
    is_for_snapshot: bool,
) -> Vec<Extension> {
    #[cfg(not(feature = "node"))]
    let _ = loader;
    let stateful = Stateful {
        permissions: liveline_permissions::init(access.permissions()),
        liveline: ext::liveline::init(exchanges, databases, memory),
        #[cfg(feature = "node")]
        node: Some((loader.clone(), access.clone())),
    };
    without_paths(in_order(stateful, half), is_for_snapshot)
}

/// The extensions of an isolate that runs no handlers, for making a snapshot.
pub(super) fn stateless_extensions(half: Half) -> Vec<Extension> {
    without_paths(in_order(Stateful::none(), half), false)
}

/// The extensions that carry the state of one isolate.
struct Stateful {
    permissions: Extension,
    liveline: Extension,
    #[cfg(feature = "node")]
    node: Option<(Rc<Loader>, Access)>,
}

impl Stateful {
    /// For an isolate that runs no handlers.
    fn none() -> Stateful {
        Stateful {
            permissions: liveline_permissions::lazy_init(),
            liveline: ext::liveline::lazy_init(),
            #[cfg(feature = "node")]
            node: None,
        }
    }
}

fn in_order(stateful: Stateful, half: Half) -> Vec<Extension> {
    let fetch = deno_fetch::Options {
        user_agent: concat!("liveline/", env!("CARGO_PKG_VERSION")).into(),
        ..Default::default()
    };
    let broadcast = InMemoryBroadcastChannel::default();
    let mut extensions = vec![
        deno_webidl::deno_webidl::init(),
        deno_web::deno_web::init(BlobStore::default_arc(), None, false, broadcast),
        stateful.permissions,
        deno_fetch::deno_fetch::init(fetch),
    ];
    match half {
        Half::Plain => extensions.push(stateful.liveline),
        #[cfg(feature = "node")]
        Half::Node => {
            let handlers = stateful.node.map(|(loader, access)| (node::services(loader), access.files()));
            extensions.extend(node::extensions(handlers));
            extensions.extend([stateful.liveline, ext::node::liveline_node::init()]);
        }
    }
    extensions
}

/// The extensions without the paths of their scripts, which exist only on the machine that built the executable.
/// [`lazy`] has the sources. For a snapshot they stand in place of the paths, too: then the kept heap refers to those that it
/// has loaded, which are beside it in the file, and no isolate copies them.
fn without_paths(mut extensions: Vec<Extension>, is_for_snapshot: bool) -> Vec<Extension> {
    let with_text = |file: &ExtensionFileSource| {
        let (specifier, body) = embedded(file)?;
        // `deno_core` makes the body itself.
        let text = builtin::expression_in(body).unwrap_or(body);
        Some(ExtensionFileSource::new_computed(specifier, text.into()))
    };
    for extension in &mut extensions {
        let scripts = extension.lazy_loaded_js_files.iter().filter(|_| is_for_snapshot);
        extension.lazy_loaded_js_files = scripts.filter_map(with_text).collect();
        extension.lazy_loaded_esm_files = Cow::Borrowed(&[]);
    }
    extensions
}
