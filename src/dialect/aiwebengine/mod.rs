//! The dialect of aiwebengine: scripts that register routes, streams, GraphQL and times by calling functions which they
//! do not import.
//!
//! | file | what it does |
//! |---|---|
//! | `scope` | the names that scripts find without an import |
//! | `search` | which files of a project are scripts |
//!
//! All scripts of a project are one application, which answers every path: the JavaScript half
//! (`runtime-js/aiwebengine/`) knows what they have registered. Scripts of one folder are an app, whose streams a
//! message without a path goes to.

mod scope;
mod search;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use liveline_compiler::Diagnostic;
use serde_json::json;

use super::{Claim, Dialect, Explanation, Exports, HandlerFacts, HandlerOptions, Settings};
use crate::router::{Layer, Layout, Part, RouteFolder, Routes};

pub(crate) use scope::{ScriptScope, scope_source};

/// Scripts of aiwebengine.
pub(super) struct Aiwebengine;

impl Dialect for Aiwebengine {
    fn name(&self) -> &'static str {
        "aiwebengine"
    }

    fn detect(&self, layout: &Layout, _: &[RouteFolder]) -> Vec<Claim> {
        let scripts = search::scripts(layout);
        let claim = |(index, (file, score)): (usize, (PathBuf, u32))| Claim {
            route: if index == 0 { "/".to_owned() } else { format!("script {}", shown(layout, &file)) },
            layer: Layer::Server,
            file,
            score,
            part: if index == 0 { Part::Application } else { Part::Module },
        };
        scripts.into_iter().enumerate().map(claim).collect()
    }

    fn is_found_by_text(&self, layout: &Layout, file: &Path) -> bool {
        search::may_be_script(layout, file)
    }

    fn settings(&self, layout: &Layout, claims: &[Claim]) -> Result<Settings, Vec<Diagnostic>> {
        if claims.is_empty() {
            return Ok(Settings::default());
        }
        let manifest = layout.project.join("package.json");
        let scripts = claims.iter().map(|claim| {
            let file = canonical(&claim.file);
            json!({ "name": shown(layout, &file), "app": app_of(layout, &file), "file": file })
        });
        let script = json!({
            "scripts": scripts.collect::<Vec<_>>(),
            "options": options(&manifest)?,
        });
        let files: BTreeSet<PathBuf> = claims.iter().map(|claim| canonical(&claim.file)).collect();
        Ok(Settings {
            scripts: vec![(self.name(), script.to_string())],
            is_application: true,
            has_jsx: true,
            scope: Some(ScriptScope::of(files)),
            sources: BTreeSet::from([manifest]),
            ..Settings::default()
        })
    }

    fn is_private(&self, _: &Path) -> bool {
        false
    }

    fn load(&self, _: &Exports) -> HandlerOptions {
        // aiwebengine checks no origin.
        HandlerOptions { csrf: Some(false), admits_all_origins: true }
    }

    fn stands_alone(&self) -> bool {
        true
    }

    fn explain(&self, _: &HandlerFacts<'_>) -> Explanation {
        Explanation { answers: vec!["*".to_owned()], problems: Vec::new() }
    }

    fn explain_folder(&self, _: &Layout, _: &Routes, _: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// What `"liveline": { "aiwebengine": { … } }` of a project's `package.json` sets.
fn options(manifest: &Path) -> Result<serde_json::Value, Vec<Diagnostic>> {
    /// The settings that exist.
    const KNOWN: [&str; 3] = ["replay", "streamHistory", "streamRate"];
    let text = std::fs::read(manifest).unwrap_or_default();
    let found: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let set = &found["liveline"]["aiwebengine"];
    let entries = set.as_object().into_iter().flatten();
    let problems: Vec<Diagnostic> = entries
        .filter_map(|(name, value)| {
            let wrong = if !KNOWN.contains(&name.as_str()) {
                format!("there is no setting {name:?} for aiwebengine; there are {}", KNOWN.join(", "))
            } else if value.as_f64().is_none_or(|number| number < 0.0) {
                format!("the setting {name:?} for aiwebengine is a number from 0")
            } else {
                return None;
            };
            Some(Diagnostic::new(format!("{}: {wrong}", manifest.display())))
        })
        .collect();
    if problems.is_empty() { Ok(set.clone()) } else { Err(problems) }
}

/// The app of a script: its folder in the project. Modules in `server/` belong to the folder above.
fn app_of(layout: &Layout, file: &Path) -> String {
    let folder = file.parent().unwrap_or(file);
    let folder = folder.strip_prefix(&layout.root).unwrap_or(folder);
    let folder = if folder.ends_with("server") { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_string_lossy().into_owned()
}

/// The path of a file in its project.
fn shown(layout: &Layout, file: &Path) -> String {
    file.strip_prefix(&layout.root).unwrap_or(file).to_string_lossy().into_owned()
}

fn canonical(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}
