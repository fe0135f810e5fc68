//! The Fastify dialect: a tree of plugins is one handler, which answers every path below the root.
//!
//! | project | what is run |
//! |---|---|
//! | `app.*` whose main export takes `(fastify, opts)` | that plugin; it registers the others |
//! | `plugins/` and `routes/` with plugins, and no `app.*` | the plugins of both folders, as `@fastify/autoload` would |
//! | a file that was named on the command line, or `app.*`, `server.*` or `index.*` that imports fastify and listens | that file; the host's listener leads to its application |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Claim, Dialect, Explanation, Exports, HandlerFacts, HandlerOptions, Part, Settings, directive};
use crate::ext::packages;
use crate::router::{Layer, Layout, RouteFolder, Routes};
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js::Declared;
use liveline_compiler::shape::Shape;

/// Extensions of plugins.
const EXTENSIONS: [&str; 6] = ["mjs", "js", "cjs", "ts", "mts", "cts"];
/// The names of the first parameter of a plugin, and of the second one.
const INSTANCE: [&str; 7] = ["fastify", "app", "instance", "f", "server", "_fastify", "api"];
const OPTIONS: [&str; 6] = ["opts", "options", "_opts", "_options", "_", "o"];
/// The names under which fastify-plugin is imported.
const WRAPPERS: [&str; 3] = ["fp", "fastifyPlugin", "plugin"];

/// How sure the pieces of evidence make the dialect.
const PARAMETERS: u32 = 40;
const PACKAGE: u32 = 50;
const FOLDER: u32 = 20;

/// Applications of Fastify.
pub(super) struct Fastify;

impl Dialect for Fastify {
    fn name(&self) -> &'static str {
        "fastify"
    }

    fn detect(&self, layout: &Layout, _: &[RouteFolder]) -> Vec<Claim> {
        let claim = |(file, score)| {
            vec![Claim { route: "/".to_owned(), layer: Layer::Server, file, score, part: Part::Step }]
        };
        if let Some(entry) = &layout.entry {
            return claim((entry.clone(), PACKAGE + PARAMETERS));
        }
        application(&layout.root).or_else(|| folder_of_plugins(&layout.root)).map(claim).unwrap_or_default()
    }

    fn settings(&self, layout: &Layout, claims: &[Claim]) -> Result<Settings, Vec<Diagnostic>> {
        // The folder whose `plugins/` and `routes/` one of their files stands for; none for an application file.
        let is_plugin =
            |claim: &Claim| layout.entry.is_none() && claim.file.starts_with(layout.root.join("routes"));
        let folder = claims.iter().any(is_plugin).then(|| layout.root.to_string_lossy().into_owned());
        Ok(Settings {
            is_application: !claims.is_empty(),
            scripts: vec![(self.name(), folder.unwrap_or_default())],
            ..Settings::default()
        })
    }

    fn is_private(&self, _: &Path) -> bool {
        false
    }

    fn load(&self, _: &Exports) -> HandlerOptions {
        // Fastify checks no origin, neither of requests nor of WebSockets: plugins do.
        HandlerOptions { csrf: Some(false), admits_all_origins: true }
    }

    fn is_found_by_text(&self, layout: &Layout, file: &Path) -> bool {
        let is_application = file.parent() == Some(&layout.root)
            && file
                .file_stem()
                .is_some_and(|stem| ["app", "server", "index"].iter().any(|name| stem == *name));
        is_application
            || (file.starts_with(layout.root.join("routes"))
                && Facts::of(file).is_none_or(|facts| facts.plugin() > 0))
    }

    fn adopts_listeners(&self) -> bool {
        true
    }

    fn needs_node(&self) -> bool {
        true
    }

    fn keeps_modules(&self) -> bool {
        true
    }

    fn explain(&self, _: &HandlerFacts<'_>) -> Explanation {
        Explanation { answers: vec!["*".to_owned()], problems: Vec::new() }
    }

    fn explain_folder(&self, _: &Layout, _: &Routes, _: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// The application file of a project, and how sure it is that it is one.
fn application(root: &Path) -> Option<(PathBuf, u32)> {
    let has_folders = ["plugins", "routes"].iter().any(|name| root.join(name).is_dir());
    let file = |stem: &'static str| {
        let files = EXTENSIONS.iter().map(move |extension| root.join(format!("{stem}.{extension}")));
        files.filter(|file| file.is_file())
    };
    let names = ["app", "server", "index"];
    let named =
        names.into_iter().flat_map(file).find(|file| directive::of(file).as_deref() == Some("fastify"));
    if let Some(file) = named {
        return Some((file, PACKAGE + PARAMETERS));
    }
    let plugin = file("app").find_map(|file| {
        let facts = Facts::of(&file)?;
        let score = facts.plugin() + if has_folders { FOLDER } else { 0 };
        (facts.plugin() > 0).then_some((file, score))
    });
    let standalone = || {
        names.into_iter().flat_map(file).find_map(|file| {
            let facts = Facts::of(&file)?;
            (facts.shape.listens && facts.imports("fastify")).then_some((file, PACKAGE))
        })
    };
    plugin.or_else(standalone)
}

/// The first plugin of a project without an application file, which stands for all of them.
fn folder_of_plugins(root: &Path) -> Option<(PathBuf, u32)> {
    let routes = root.join("routes");
    let mut waiting = vec![routes];
    // The walk ends at the first file with Fastify's facts.
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).ok()?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in &paths {
            let is_script = path.extension().is_some_and(|it| EXTENSIONS.iter().any(|known| it == *known));
            if is_script
                && let Some(facts) = Facts::of(path)
                && facts.plugin() > 0
            {
                return Some((path.clone(), facts.plugin() + FOLDER));
            }
        }
        waiting.extend(
            paths.into_iter().rev().filter(|path| path.is_dir() && !path.ends_with(packages::FOLDER)),
        );
    }
    None
}

/// What the text of a file shows.
struct Facts {
    shape: Shape,
    imported: Vec<String>,
    exports: Vec<String>,
}

impl Facts {
    fn of(file: &Path) -> Option<Facts> {
        let source = std::fs::read_to_string(file).ok()?;
        let declared = declared(file);
        let shape = Shape::in_package(file, &source, declared)?;
        let facts = liveline_compiler::facts::read(file, &source, declared).ok()?;
        let imported = facts.imports.into_iter().map(|import| import.specifier).collect();
        Some(Facts { shape, imported, exports: facts.exports.into_keys().collect() })
    }

    fn imports(&self, name: &str) -> bool {
        self.imported.iter().any(|it| it == name)
    }

    /// How sure it is that the file is a plugin; 0 if nothing suggests it.
    fn plugin(&self) -> u32 {
        let packages = self.imported.iter().any(|name| {
            name == "fastify-plugin" || name.starts_with("@fastify/") || name.starts_with("fastify-")
        });
        let names = self.shape.parameters().unwrap_or_default();
        let is_named = |at: usize, known: &[&str]| names.get(at).is_some_and(|name| known.contains(&&**name));
        let takes_instance = is_named(0, &INSTANCE) && (names.len() == 1 || is_named(1, &OPTIONS));
        let wrapped =
            self.shape.call().is_some_and(|call| WRAPPERS.contains(&call)) && self.imports("fastify-plugin");
        let configured = ["autoPrefix", "autoConfig", "prefixOverride"]
            .iter()
            .any(|name| self.exports.iter().any(|it| it == name));
        let alone = names.len() == 1 && names[0] != "fastify";
        let mut score = 0;
        if takes_instance && (packages || !alone) {
            score += PARAMETERS;
        }
        if wrapped {
            score += PARAMETERS + FOLDER;
        }
        if configured {
            score += PARAMETERS;
        }
        if score > 0 && packages {
            score += PACKAGE;
        }
        score
    }
}

/// What the nearest `package.json` of a file states about its kind.
fn declared(file: &Path) -> Declared {
    #[derive(serde::Deserialize)]
    struct Manifest {
        #[serde(default, rename = "type")]
        kind: String,
    }
    let found = file.ancestors().skip(1).find_map(|folder| std::fs::read(folder.join("package.json")).ok());
    let kind = found.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok()).map(|it| it.kind);
    if kind.as_deref() == Some("module") { Declared::Module } else { Declared::Nothing }
}

#[cfg(test)]
mod tests {
    use crate::dialect::found;

    #[test]
    fn an_application_file_is_the_only_handler() {
        let route = ("routes/a/index.mjs", "export default async function (fastify, opts) {}");
        for (name, app) in [
            ("app.mjs", "export default async function (fastify, opts) {}"),
            ("app.js", "'use strict'\nmodule.exports = async function (fastify, opts) {}"),
            ("app.ts", "export default async function (app: unknown, options: object) {}"),
        ] {
            assert_eq!(found(&[(name, app), route]), [format!("fastify / {name}")]);
        }
    }

    #[test]
    fn folders_of_plugins_need_no_application_file() {
        let files = [
            ("plugins/a.mjs", "import fp from 'fastify-plugin'; export default fp(async (f) => {});"),
            ("routes/b/index.js", "module.exports = async function (fastify, opts) {}"),
        ];
        assert_eq!(found(&files), ["fastify / routes/b/index.js"]);
    }

    #[test]
    fn a_file_that_listens_is_an_application() {
        let server =
            ("server.mjs", "import fastify from 'fastify'; const app = fastify(); app.listen({ port: 1 });");
        assert_eq!(found(&[server]), ["fastify / server.mjs"]);
    }

    #[test]
    fn a_directive_settles_what_the_text_does_not_show() {
        for (name, app) in [
            ("app.mjs", "// dialect: fastify\nexport default async (it) => { it.get('/', () => 1); };"),
            ("index.js", "// dialect: fastify\nmodule.exports = require('./lib/app.js');"),
        ] {
            assert_eq!(found(&[(name, app)]), [format!("fastify / {name}")]);
        }
    }

    #[test]
    fn other_files_are_not() {
        for app in [
            "export default function (request, response) {}",
            "export default async (app) => {}",
            "export default (event, next) => {}",
            "export const app = 1;",
            "export default async (app, next) => {}",
        ] {
            assert_eq!(found(&[("app.mjs", app)]), [""; 0], "{app}");
        }
        assert_eq!(found(&[("handler.js", "export default () => 1")]), ["webflo / handler.js"]);
    }
}
