//! The scripts of the packages of Fastify that the host provides: `runtime-js/fastify/`, and the validator and serializer
//! that they use where a project has none of its own. They are loaded when an application of Fastify is.

/// One entry of [`embed!`](crate::embed): the specifier and the source of a lazily loaded module.
macro_rules! module {
    ($file:literal, $path:expr) => {
        (concat!("ext:liveline_fastify/", $file), include_str!($path))
    };
}

/// The modules, by specifier.
pub(crate) static SCRIPTS: &[(&str, &str)] = embed!(
    module,
    "runtime-js/fastify",
    [
        "adopted.js",
        "app.js",
        "application.js",
        "autoload.js",
        "cors.js",
        "errors.js",
        "hooks.js",
        "inject.js",
        "inject_socket.js",
        "instance.js",
        "lifecycle.js",
        "logger.js",
        "parsers.js",
        "patterns.js",
        "plugin.js",
        "print.js",
        "provided.js",
        "queue.js",
        "raw.js",
        "reply.js",
        "request.js",
        "router.js",
        "routes.js",
        "schemas.js",
        "sensible.js",
        "socket.js",
        "transport.js",
        "upgrade.js",
        "websocket.js",
    ]
);

/// ajv, ajv-formats and fast-json-stringify in one module with their licences, as `xtask/bundle/validators.mjs` makes it of
/// the packages of npm. Empty where liveline was built without npm: then schemas need the packages of the project.
pub(crate) const VALIDATORS: (&str, &str) =
    ("ext:liveline_fastify/validators.js", include_str!(concat!(env!("OUT_DIR"), "/validators.js")));
