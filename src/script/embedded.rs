//! The JavaScript in the executable: that of Deno's crates and the host's own runtime-js.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use deno_core::{Extension, ExtensionFileSource, ExtensionFileSourceCode};
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use deno_web::{BlobStore, InMemoryBroadcastChannel};

use super::loader::Loader;
#[cfg(feature = "node")]
use super::node;
use crate::ext::{self, Exchanges, Memory};
use liveline_store::Databases;

/// Scripts that extensions ask for in crates that are left out where Node's half is. Client certificates are what is
/// missing.
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

/// The table is made once per process: all isolates share the texts.
pub(super) fn lazy() -> &'static Lazy {
    static LAZY: OnceLock<Lazy> = OnceLock::new();
    LAZY.get_or_init(|| {
        let (mut scripts, mut modules) = (Vec::new(), Vec::new());
        for extension in in_order(Stateful::none()) {
            scripts.extend(extension.lazy_loaded_js_files.iter().filter_map(embedded));
            modules.extend(extension.lazy_loaded_esm_files.iter().filter_map(embedded));
        }
        for stand_in in STAND_INS {
            if !scripts.iter().any(|(specifier, _)| *specifier == stand_in.0) {
                scripts.push(stand_in);
            }
        }
        #[cfg(feature = "node")]
        modules.push(ext::node::GLOBAL_SCOPE);
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
    state = |state, options| state.put(options.permissions),
);

/// The extensions of an isolate, in the order in which they depend on each other.
pub(super) fn extensions(
    exchanges: Exchanges,
    databases: Databases,
    memory: Memory,
    loader: &Rc<Loader>,
) -> Vec<Extension> {
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(sys_traits::impls::RealSys));
    // Handlers are the operator's own code, so they may access whatever the process may.
    let permissions = PermissionsContainer::allow_all(parser);
    let extensions = in_order(Stateful {
        permissions: liveline_permissions::init(permissions),
        liveline: ext::liveline::init(exchanges, databases, memory),
        #[cfg(feature = "node")]
        services: Some(node::services(loader.clone())),
        #[cfg(feature = "node")]
        node: ext::node::liveline_node::init(
            ext::node::Environment::new(Arc::new(std::env::vars().collect())),
            loader.uses_packages(),
        ),
    });
    #[cfg(not(feature = "node"))]
    let _ = loader;
    without_paths(extensions)
}

/// The extensions of an isolate that runs no handlers, for making a snapshot.
pub(super) fn stateless_extensions() -> Vec<Extension> {
    without_paths(in_order(Stateful::none()))
}

/// The extensions that carry the state of one isolate.
struct Stateful {
    permissions: Extension,
    liveline: Extension,
    #[cfg(feature = "node")]
    services: Option<node::Services>,
    #[cfg(feature = "node")]
    node: Extension,
}

impl Stateful {
    /// For an isolate that runs no handlers.
    fn none() -> Stateful {
        Stateful {
            permissions: liveline_permissions::lazy_init(),
            liveline: ext::liveline::lazy_init(),
            #[cfg(feature = "node")]
            services: None,
            #[cfg(feature = "node")]
            node: ext::node::liveline_node::lazy_init(),
        }
    }
}

fn in_order(stateful: Stateful) -> Vec<Extension> {
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
    #[cfg(feature = "node")]
    extensions.extend(node::extensions(stateful.services));
    extensions.push(stateful.liveline);
    #[cfg(feature = "node")]
    extensions.push(stateful.node);
    extensions
}

/// The extensions without the paths of their scripts, which exist only on the machine that built the executable.
/// [`lazy`] has the sources.
fn without_paths(mut extensions: Vec<Extension>) -> Vec<Extension> {
    for extension in &mut extensions {
        extension.lazy_loaded_js_files = Cow::Borrowed(&[]);
        extension.lazy_loaded_esm_files = Cow::Borrowed(&[]);
    }
    extensions
}
