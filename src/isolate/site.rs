//! The folder being served, as isolates and ops see it.

use std::sync::Arc;

use hyper::{HeaderMap, Method};

use crate::client::BrowserFiles;
use crate::ops;
use crate::router::{Page, PageId, PublicFiles, Routes, reroute, segments};

/// The routes of one generation, and the static files past them.
#[derive(Clone)]
pub struct Site {
    pub routes: Arc<Routes>,
    pub files: PublicFiles,
    /// What browsers get of this generation.
    pub browser: Arc<BrowserFiles>,
}

impl Site {
    fn known_page(&self, page: u32) -> Result<&Page, String> {
        self.routes.page(PageId(page)).ok_or_else(|| format!("there is no page {page}"))
    }
}

impl ops::Site for Site {
    fn route(&self, path: &str, consumed: u32, target: &str) -> Result<ops::Route, String> {
        let route = reroute(path, consumed, target).map_err(|error| error.to_string())?;
        let node = self.routes.resolve(&route.path).0;
        let skip_depth = route.skip_depth.map_or(-1, i64::from);
        let length = segments(&route.path).count() as u32;
        Ok(ops::Route { node, path: route.path, length, query: route.query, skip_depth })
    }

    fn file(&self, method: Method, headers: HeaderMap, path: String) -> ops::FileAnswer {
        let files = self.files.clone();
        Box::pin(async move { files.answer(&method, &headers, &path).await })
    }

    fn page(&self, page: u32) -> Result<ops::PageSource, String> {
        let page = self.known_page(page)?;
        let template = page.template().map_err(ToString::to_string)?.to_owned();
        let brings_oohtml = page.brings_oohtml();
        Ok(ops::PageSource { file: page.path.display().to_string(), template, brings_oohtml })
    }

    fn blank_page(&self, page: u32) -> Result<[String; 2], String> {
        let blank = self.known_page(page)?.blank().map_err(ToString::to_string)?;
        Ok([blank.before.clone(), blank.after.clone()])
    }
}
