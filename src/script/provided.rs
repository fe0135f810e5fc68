//! Packages of Fastify that the host provides, so that an application needs no `npm install`.
//!
//! They come before those in `node_modules`, because the host's listener, sockets and limits are behind them. A project
//! that wants npm's states so in its `package.json`: `"liveline": { "fastify": "npm" }`.

use std::path::Path;

use serde::Deserialize;

/// The packages, with the names that some of them had before.
pub(crate) const NAMES: [&str; 10] = [
    "fastify",
    "fastify-plugin",
    "@fastify/autoload",
    "@fastify/cors",
    "@fastify/sensible",
    "@fastify/websocket",
    "fastify-autoload",
    "fastify-cors",
    "fastify-sensible",
    "fastify-websocket",
];

/// Whether the host provides the packages in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Provided {
    is_on: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    liveline: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    fastify: serde_json::Value,
}

impl Provided {
    /// What the `package.json` of a project states.
    pub(crate) fn of(project: &Path) -> Provided {
        let text = std::fs::read(project.join("package.json")).unwrap_or_default();
        let manifest: Manifest = serde_json::from_slice(&text).unwrap_or_default();
        Provided { is_on: manifest.liveline.fastify != "npm" }
    }

    /// For code that runs in browsers.
    pub(crate) fn nowhere() -> Provided {
        Provided { is_on: false }
    }

    /// Whether a module that is imported or required by this name is the host's.
    pub(crate) fn has(self, name: &str) -> bool {
        self.is_on && NAMES.contains(&name)
    }

    /// The source of the host's module of this name, for `import`.
    pub(super) fn source(name: &str) -> Option<String> {
        let names = exports(name)?;
        let names = names.join(", ");
        Some(format!(
            "const provided = globalThis[Symbol.for(\"liveline:provided\")](\"{name}\");\n\
             export {{ provided as default, provided as \"module.exports\" }};\n\
             export const {{ {names} }} = provided;\n"
        ))
    }
}

/// The names that the package of this name exports besides its default.
fn exports(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "fastify" => &["fastify", "errorCodes"],
        "fastify-plugin" => &["fastifyPlugin"],
        "@fastify/autoload" | "fastify-autoload" => &["fastifyAutoload"],
        "@fastify/cors" | "fastify-cors" => &["fastifyCors"],
        "@fastify/sensible" | "fastify-sensible" => &["fastifySensible", "httpErrors", "HttpError"],
        "@fastify/websocket" | "fastify-websocket" => &["fastifyWebsocket"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_source() {
        for name in NAMES {
            assert!(Provided::source(name).is_some_and(|source| source.contains(name)), "{name}");
        }
        assert_eq!(Provided::source("fastify/lib/reply.js"), None);
    }

    #[test]
    fn a_project_may_want_those_of_npm() {
        let dir = tempfile::tempdir().unwrap();
        let with = |text: &str| {
            std::fs::write(dir.path().join("package.json"), text).unwrap();
            Provided::of(dir.path()).has("fastify-plugin")
        };
        assert!(Provided::of(dir.path()).has("fastify"));
        assert!(with("{}") && with("not JSON") && with(r#"{"liveline":{"fastify":"host"}}"#));
        assert!(!with(r#"{"liveline":{"fastify":"npm"}}"#));
        assert!(!Provided::of(dir.path()).has("express") && !Provided::nowhere().has("fastify"));
    }
}
