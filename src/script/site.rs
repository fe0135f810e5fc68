//! The served folder, for isolates and ops.

use std::sync::Arc;

use hyper::{HeaderMap, Method};

use super::found;
use crate::dev::Dev;
use crate::dialect::Settings;
use crate::ext::{self, Variables};
use crate::router::{Page, PageId, PublicFiles, Routes, reroute, segments};
use liveline_compiler::parameters::Parameters;

/// The routes of one generation, and the static files.
#[derive(Clone)]
pub(crate) struct Site {
    pub routes: Arc<Routes>,
    pub files: PublicFiles,
    /// Messages to open pages, in `dev`.
    pub dev: Option<Arc<Dev>>,
    /// The environment variables of the code.
    pub environment: Variables,
    /// Whether requests may call what a Worker does at times.
    pub tests_triggers: bool,
    /// Whether no code has served before. Then a script that fails is left out where its dialect has scripts stand alone.
    pub is_first: bool,
    /// What the project's configuration decides.
    pub settings: Arc<Settings>,
    /// No code has loaded yet: every request is answered with the errors.
    pub is_stand_in: bool,
}

impl Site {
    fn known_page(&self, page: u32) -> Result<&Page, String> {
        self.routes.page(PageId(page)).ok_or_else(|| format!("there is no page {page}"))
    }
}

impl ext::Site for Site {
    fn route(&self, path: &str, consumed: u32, target: &str) -> Result<ext::Route, String> {
        let route = reroute(path, consumed, target).map_err(|error| error.to_string())?;
        let node = self.routes.resolve(&route.path).0;
        let skip_depth = route.skip_depth.map_or(-1, i64::from);
        let length = segments(&route.path).count() as u32;
        Ok(ext::Route { node, path: route.path, length, query: route.query, skip_depth })
    }

    fn parameters(&self, source: &str, is_root: bool) -> Parameters {
        found::parameters(source, is_root)
    }

    fn file_before(&self, path: &str, depth: u32, handler: &str, is_get_or_head: bool) -> bool {
        let is_file = is_get_or_head && self.files.hold(path);
        if let Some(dev) = self.dev.as_ref().filter(|_| !is_file) {
            let pattern = &self.routes.node(self.routes.resolve(path)).pattern;
            if segments(pattern).count() > depth as usize && dev.is_first_of(&format!("{handler} {pattern}"))
            {
                tracing::warn!(
                    "the handler of {handler} answered for {path}, although there is a folder for {pattern}: it never \
                     asks for the rest of the path. Take `next` as its second parameter, and let it say \
                     `if (next.stepname) return next();`"
                );
            }
        }
        is_file
    }

    fn file(&self, method: Method, headers: HeaderMap, target: String) -> ext::FileAnswer {
        let files = self.files.clone();
        Box::pin(async move { files.answer(&method, &headers, &target).await })
    }

    fn page(&self, page: u32) -> Result<ext::PageSource, String> {
        let page = self.known_page(page)?;
        let template = page.template().map_err(ToString::to_string)?.to_owned();
        let brings_oohtml = page.brings_oohtml();
        Ok(ext::PageSource { file: page.path.display().to_string(), template, brings_oohtml })
    }

    fn blank_page(&self, page: u32) -> Result<[String; 2], String> {
        let blank = self.known_page(page)?.blank().map_err(ToString::to_string)?;
        Ok([blank.before.clone(), blank.after.clone()])
    }
}
