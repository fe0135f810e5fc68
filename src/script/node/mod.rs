//! Node's half of an isolate: the extensions behind `node:` modules, and how CommonJS modules are found and read.
//!
//! deno_node has the modules. Nothing of it is evaluated before a handler imports a `node:` module or a CommonJS one,
//! or reads `process` or `Buffer`.

mod packages;
mod require;
mod translate;

use std::rc::Rc;
use std::sync::Arc;

use deno_core::{Extension, OpState};
use deno_fs::FileSystemRc;
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
use super::modules::REQUIRED_BY_WORKERS;
use crate::ext;

pub(super) use translate::translated;

pub(super) type Services = NodeExtInitServices<InNodeModules, NodeModules, RealSys>;
type PackageResolver = NodeResolver<InNodeModules, DenoIsBuiltInNodeModuleChecker, NodeModules, RealSys>;

/// The extensions of Node's half, in the order in which they depend on each other. `handlers` is what the code of
/// handlers needs; `None` for an isolate that runs none.
pub(super) fn extensions(handlers: Option<(Services, FileSystemRc)>) -> Vec<Extension> {
    let (services, files) = handlers.unzip();
    let files = files.unwrap_or_else(|| Arc::new(deno_fs::RealFs));
    let mut node = deno_node::deno_node::init::<InNodeModules, NodeModules, RealSys>(services, files.clone());
    ext::node::replace(node.ops.to_mut());
    vec![
        deno_telemetry::deno_telemetry::init(),
        deno_websocket::deno_websocket::init(),
        deno_crypto::deno_crypto::init(None),
        deno_net::deno_net::init(None, None),
        deno_tls::deno_tls::init(),
        deno_http::deno_http::init(deno_http::Options::default()),
        deno_io::deno_io::init(Some(standard_streams())),
        deno_fs::deno_fs::init(files),
        deno_os::deno_os::init(None),
        deno_process::deno_process::init(None),
        deno_node_crypto::deno_node_crypto::init(),
        node,
    ]
}

/// The standard streams of handlers: the input is empty, since the server reads it for nobody.
fn standard_streams() -> deno_io::Stdio {
    let nothing = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let stdin =
        std::fs::File::open(nothing).map_or_else(|_| deno_io::StdioPipe::inherit(), deno_io::StdioPipe::file);
    deno_io::Stdio { stdin, ..Default::default() }
}

/// What `require()` needs to find and read files.
pub(super) fn services(loader: Rc<Loader>) -> Services {
    let manifests = Arc::new(PackageJsonResolver::new(RealSys, None));
    NodeExtInitServices {
        node_require_loader: Rc::new(Required { loader }),
        node_resolver: Arc::new(resolver(manifests.clone(), &REQUIRED)),
        pkg_json_resolver: manifests,
        sys: RealSys,
    }
}

/// Under which conditions `require()` takes what packages provide.
const REQUIRED: [&str; 3] = ["node", "require", "module-sync"];

type Manifests = PackageJsonResolver<RealSys>;

/// Resolves packages, those that are required under these conditions.
fn resolver(manifests: Arc<Manifests>, required: &[&'static str]) -> PackageResolver {
    let conditions = |names: &[&'static str]| Some(names.iter().map(|name| (*name).into()).collect());
    let options = NodeResolverOptions {
        conditions: NodeConditionOptions {
            conditions: Vec::new(),
            import_conditions_override: conditions(&["node", "import", "module-sync"]),
            require_conditions_override: conditions(required),
        },
        ..NodeResolverOptions::default()
    };
    PackageResolver::new(
        InNodeModules,
        DenoIsBuiltInNodeModuleChecker,
        NodeModules,
        manifests,
        NodeResolutionSys::new(RealSys, None),
        options,
    )
}

/// From now on `require()` takes what packages provide for Workers, or for Node. An isolate without Node's half has none.
pub(super) fn resolve_for(state: &mut OpState, is_for_workers: bool) {
    let Some(manifests) = state.try_borrow::<Arc<Manifests>>().cloned() else { return };
    let conditions: &[&'static str] = if is_for_workers { &REQUIRED_BY_WORKERS } else { &REQUIRED };
    state.put(Arc::new(resolver(manifests, conditions)));
}

/// Whether this is the name of one of Node's modules, without the prefix `node:`.
pub(super) fn is_builtin(name: &str) -> bool {
    deno_node::is_builtin_node_module(name)
}

/// Why a module of Node is not there, if it is not, and what to use instead.
pub(super) fn absent(name: &str) -> Option<&'static str> {
    // deno_node_sqlite brings a second copy of SQLite, which the linker refuses.
    (name == "sqlite")
        .then_some("this host does not have it; import liveline:sql for a database of the server")
}
