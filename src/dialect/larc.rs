//! The dialect of LARC, whose code runs in browsers: pages use the host's hub. A site may have `_hub.js` in its folder of
//! routes, which decides on what pages send.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Claim, Dialect, Explanation, Exports, HandlerFacts, HandlerOptions};
use crate::router::{Layer, Layout, Part, RouteFolder, Routes};
use liveline_compiler::Diagnostic;

/// The name without its extension of the file that decides.
const HUB: &str = "_hub";

/// Extensions of the file.
const EXTENSIONS: [&str; 4] = ["js", "mjs", "ts", "mts"];

/// No other dialect means the file.
const SCORE: u32 = 1000;

/// Sites whose pages are LARC's.
pub(super) struct Larc;

impl Dialect for Larc {
    fn name(&self) -> &'static str {
        "larc"
    }

    fn detect(&self, layout: &Layout, _: &[RouteFolder]) -> Vec<Claim> {
        let folders = [layout.routes.clone(), layout.root.join("routes")];
        let files = folders.iter().flat_map(|folder| {
            EXTENSIONS.iter().map(move |extension| folder.join(format!("{HUB}.{extension}")))
        });
        let file = files.into_iter().find(|file| file.is_file());
        let claim = |file| Claim {
            route: "/".to_owned(),
            layer: Layer::Server,
            file,
            score: SCORE,
            part: Part::Module,
        };
        file.map(claim).into_iter().collect()
    }

    fn is_private(&self, file: &Path) -> bool {
        file.file_stem().is_some_and(|stem| stem == HUB)
    }

    fn load(&self, _: &Exports) -> HandlerOptions {
        HandlerOptions::default()
    }

    fn explain(&self, handler: &HandlerFacts<'_>) -> Explanation {
        let problem = || {
            Diagnostic::new(format!(
                "{}: has to export a function as default, which receives (topic, data, ctx)",
                handler.file.display()
            ))
        };
        let is_fine = handler.exports.is_function("default") || !handler.loads;
        Explanation { answers: Vec::new(), problems: (!is_fine).then(problem).into_iter().collect() }
    }

    fn explain_folder(&self, _: &Layout, _: &Routes, _: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
        Vec::new()
    }
}
