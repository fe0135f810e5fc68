//! The JavaScript in the executable: Deno's web crates and the host's own runtime-js.

use std::borrow::Cow;
use std::sync::Arc;

use deno_core::Extension;
use deno_permissions::{PermissionsContainer, RuntimePermissionDescriptorParser};
use deno_web::{BlobStore, InMemoryBroadcastChannel};

use crate::ext::{self, Exchanges, Memory};
use liveline_store::Databases;

mod scripts {
    include!(concat!(env!("OUT_DIR"), "/scripts.rs"));
}

/// Sources of the scripts that extensions load when first used, sorted by specifier.
pub(super) static SCRIPTS: &[(&str, &str)] = scripts::SCRIPTS;

deno_core::extension!(
    liveline_permissions,
    options = { permissions: PermissionsContainer },
    state = |state, options| state.put(options.permissions),
);

/// The extensions of an isolate, in the order in which they depend on each other.
pub(super) fn extensions(exchanges: Exchanges, databases: Databases, memory: Memory) -> Vec<Extension> {
    let parser = Arc::new(RuntimePermissionDescriptorParser::new(sys_traits::impls::RealSys));
    // Handlers are the operator's own code, so they may access whatever the process may.
    let permissions = PermissionsContainer::allow_all(parser);
    in_order(liveline_permissions::init(permissions), ext::liveline::init(exchanges, databases, memory))
}

/// The extensions of an isolate that runs no handlers, for making a snapshot.
pub(super) fn stateless_extensions() -> Vec<Extension> {
    in_order(liveline_permissions::lazy_init(), ext::liveline::lazy_init())
}

fn in_order(permissions: Extension, liveline: Extension) -> Vec<Extension> {
    let fetch = deno_fetch::Options {
        user_agent: concat!("liveline/", env!("CARGO_PKG_VERSION")).into(),
        ..Default::default()
    };
    let broadcast = InMemoryBroadcastChannel::default();
    vec![
        embedded(deno_webidl::deno_webidl::init()),
        embedded(deno_web::deno_web::init(BlobStore::default_arc(), None, false, broadcast)),
        permissions,
        embedded(deno_fetch::deno_fetch::init(fetch)),
        liveline,
    ]
}

/// The extension without the paths of its scripts, which exist only on the machine that built it. [`SCRIPTS`] has their
/// sources.
fn embedded(mut extension: Extension) -> Extension {
    extension.lazy_loaded_js_files = Cow::Borrowed(&[]);
    extension.lazy_loaded_esm_files = Cow::Borrowed(&[]);
    extension
}
