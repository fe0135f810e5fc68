//! Node's half of an isolate: the extensions behind `node:` modules, and how CommonJS modules are found and read.
//!
//! deno_node has the modules. Nothing of it is evaluated before a handler imports a `node:` module or a CommonJS one,
//! or reads `process` or `Buffer`.

mod packages;
mod require;
mod translate;

use std::rc::Rc;
use std::sync::Arc;

use deno_core::Extension;
use deno_node::NodeExtInitServices;
use node_resolver::cache::NodeResolutionSys;
use node_resolver::{
    DenoIsBuiltInNodeModuleChecker, NodeConditionOptions, NodeResolver, NodeResolverOptions,
    PackageJsonResolver,
};
use sys_traits::impls::RealSys;

use self::packages::{InNodeModules, NodeModules};
use self::require::Required;
use super::loader::Loader;

pub(super) use translate::translated;

pub(super) type Services = NodeExtInitServices<InNodeModules, NodeModules, RealSys>;
type PackageResolver = NodeResolver<InNodeModules, DenoIsBuiltInNodeModuleChecker, NodeModules, RealSys>;

/// The extensions of Node's half, in the order in which they depend on each other. `services` is `None` for an isolate
/// that runs no handlers.
pub(super) fn extensions(services: Option<Services>) -> Vec<Extension> {
    let files: deno_fs::FileSystemRc = Arc::new(deno_fs::RealFs);
    vec![
        deno_telemetry::deno_telemetry::init(),
        deno_websocket::deno_websocket::init(),
        deno_crypto::deno_crypto::init(None),
        deno_net::deno_net::init(None, None),
        deno_tls::deno_tls::init(),
        deno_http::deno_http::init(deno_http::Options::default()),
        deno_io::deno_io::init(Some(deno_io::Stdio::default())),
        deno_fs::deno_fs::init(files.clone()),
        deno_os::deno_os::init(None),
        deno_process::deno_process::init(None),
        deno_node_crypto::deno_node_crypto::init(),
        deno_node::deno_node::init::<InNodeModules, NodeModules, RealSys>(services, files),
    ]
}

/// What `require()` needs to find and read files.
pub(super) fn services(loader: Rc<Loader>) -> Services {
    let sys = RealSys;
    let manifests = Arc::new(PackageJsonResolver::new(sys.clone(), None));
    let conditions = |names: &[&'static str]| Some(names.iter().map(|name| (*name).into()).collect());
    let options = NodeResolverOptions {
        conditions: NodeConditionOptions {
            conditions: Vec::new(),
            import_conditions_override: conditions(&["node", "import", "module-sync"]),
            require_conditions_override: conditions(&["node", "require", "module-sync"]),
        },
        ..NodeResolverOptions::default()
    };
    let resolver = PackageResolver::new(
        InNodeModules,
        DenoIsBuiltInNodeModuleChecker,
        NodeModules,
        manifests.clone(),
        NodeResolutionSys::new(sys.clone(), None),
        options,
    );
    NodeExtInitServices {
        node_require_loader: Rc::new(Required { loader }),
        node_resolver: Arc::new(resolver),
        pkg_json_resolver: manifests,
        sys,
    }
}

/// Whether a specifier names one of Node's modules without the prefix `node:`.
pub(super) fn is_builtin(specifier: &str) -> bool {
    deno_node::is_builtin_node_module(specifier)
}
