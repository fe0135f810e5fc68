//! Reads the routes folder into plain [`Folder`]s, which `tree.rs` turns into [`Routes`](super::Routes).
//!
//! Decides what on the disk is a route: which file is a folder's handler, which folders are passed
//! over, where links lead. The result is sorted by name, whatever order the disk lists.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::layout::Layout;
use super::tree::Layer;
use super::universal::Universal;
use super::views::{Sources, has_imports, is_view};

/// A handler's extensions; the first that exists is taken.
const EXTENSIONS: [&str; 5] = ["js", "mjs", "ts", "jsx", "tsx"];

/// The names of a folder's page; the first that exists is taken.
pub(crate) const PAGES: [&str; 2] = ["page.html", "index.html"];

/// The page of a folder in `public/`, and the layout of all below it.
pub(crate) const DOCUMENT: &str = "index.html";

/// The folder that stands for any one segment; `public/` has none.
const WILDCARD: &str = "-";
/// The name of a folder's error page. That of the whole site may also lie in the folder of static files.
pub(crate) const ERROR_PAGE: &str = "error.html";

/// Whether a file is a handler of the server by its name.
pub(crate) fn is_server_handler(file: &Path) -> bool {
    let Some((stem, extension)) =
        file.file_name().and_then(OsStr::to_str).and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    ["handler", "handler.server"].contains(&stem) && EXTENSIONS.contains(&extension)
}

/// A folder of routes, as found on the disk.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The URL segment it stands for; empty at the root.
    pub(super) name: String,
    /// At most one file per layer, in the order of [`Layer`].
    pub(super) handlers: Vec<(Layer, PathBuf)>,
    /// What browsers are shown here, and below where there is no other.
    pub(super) page: Option<FoundPage>,
    /// What people are shown here, and below where there is no other, when something goes wrong.
    pub(super) error_page: Option<PathBuf>,
    /// Sorted by name.
    pub(super) folders: Vec<Folder>,
}

/// A folder's page, as found on the disk.
#[derive(Debug)]
pub(super) struct FoundPage {
    /// The document: the folder's own, the one of `public/`, or the layout that the folder's views are shown in.
    pub(super) file: PathBuf,
    /// Whether the folder has a page of its own, which is shown where no handler answers.
    pub(super) is_own: bool,
}

/// The document of `public/` that holds for a folder: its own or the nearest above.
#[derive(Debug, Clone)]
struct Document {
    file: PathBuf,
    /// Whether views are imported into it.
    is_layout: bool,
}

/// Why the routes folder could not be read.
#[derive(Debug, Error)]
pub(crate) enum ScanError {
    /// The operating system refused.
    #[error("cannot read `{}` in the routes folder: {source}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A page would show a file from elsewhere.
    #[error(
        "the page `{}` leads to {}, which is outside of the project {}; move it into the project",
        .page.display(),
        .real.display(),
        .project.display()
    )]
    PageOutside {
        /// The page.
        page: PathBuf,
        /// Where it leads.
        real: PathBuf,
        /// The project's folder.
        project: PathBuf,
    },
    /// No URL can name the folder.
    #[error("the folder `{}` cannot be a route: its name is not UTF-8; rename it", .0.display())]
    NotUtf8(PathBuf),
}

/// Reads the routes of `layout`.
pub(super) fn scan(layout: &Layout, sources: &Sources) -> Result<Folder, ScanError> {
    let (project, public) = (&*layout.project, layout.public.as_deref());
    let universal = Universal::of(layout);
    let mut scan = Scan { project, public, sources, universal, trail: Vec::new() };
    scan.folder(String::new(), layout.routes.clone(), (public, None))
}

struct Scan<'a> {
    project: &'a Path,
    public: Option<&'a Path>,
    sources: &'a Sources,
    universal: Universal,
    /// The real folders from the root to the one being read. Meeting one of them again is a cycle.
    trail: Vec<PathBuf>,
}

impl Scan<'_> {
    /// Reads the folder whose canonical path is `real`. `beside` is the folder of the same route in `public/`, and
    /// the document of `public/` that holds for the folder above.
    fn folder(
        &mut self,
        name: String,
        real: PathBuf,
        (beside, above): (Option<&Path>, Option<Document>),
    ) -> Result<Folder, ScanError> {
        let listing = Listing::read(&real)?;
        let handlers = listing.handlers(&real, &self.universal)?;
        let of_public = beside.map(|beside| self.document(&beside.join(DOCUMENT))).transpose()?.flatten();
        let page = self.page_of(&listing, &real, of_public.as_ref(), above.as_ref())?;
        let document = of_public.or(above);
        let error_page = self.error_page(&listing, &real)?;
        self.trail.push(real);
        let mut folders = Vec::new();
        for (name, path) in listing.folders {
            let real = canonical(&path)?;
            if Some(real.as_path()) == self.public || self.trail.contains(&real) {
                continue;
            }
            let name = name.into_string().map_err(|_| ScanError::NotUtf8(path))?;
            let beside = beside.filter(|_| name != WILDCARD).map(|beside| beside.join(&name));
            folders.push(self.folder(name, real, (beside.as_deref(), document.clone()))?);
        }
        self.trail.pop();
        Ok(Folder { name, handlers, page, error_page, folders })
    }

    fn error_page(&self, listing: &Listing, folder: &Path) -> Result<Option<PathBuf>, ScanError> {
        let of_site = || self.public.filter(|_| self.trail.is_empty()).map(|public| public.join(ERROR_PAGE));
        let own = listing.files.contains(OsStr::new(ERROR_PAGE)).then(|| folder.join(ERROR_PAGE));
        match (own, of_site().filter(|file| file.is_file())) {
            (Some(file), _) => self.page(file).map(Some),
            // It is public already, wherever it leads.
            (None, Some(file)) => canonical(&file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// What browsers are shown at a folder: its own page if that is a whole document or there is no layout to show it
    /// in, else the layout if the folder has views, else the document of `public/`.
    fn page_of(
        &self,
        listing: &Listing,
        folder: &Path,
        of_public: Option<&Document>,
        above: Option<&Document>,
    ) -> Result<Option<FoundPage>, ScanError> {
        let own = listing.page().map(|file| self.page(folder.join(file))).transpose()?;
        let is_view = |file: &Path| is_view(file, self.sources);
        if let Some(layout) = of_public.or(above).filter(|document| document.is_layout)
            && own.as_deref().is_none_or(is_view)
            && (own.is_some()
                || listing.files.iter().any(|file| file != ERROR_PAGE && is_view(&folder.join(file))))
        {
            return Ok(Some(FoundPage { file: layout.file.clone(), is_own: own.is_some() }));
        }
        let of_public = || Some(FoundPage { file: of_public?.file.clone(), is_own: false });
        Ok(own.map(|file| FoundPage { file, is_own: true }).or_else(of_public))
    }

    /// The document at a path in `public/`.
    fn document(&self, path: &Path) -> Result<Option<Document>, ScanError> {
        let Some(public) = self.public.filter(|_| path.is_file()) else { return Ok(None) };
        let file = canonical(path)?;
        if !file.starts_with(public) {
            // It has no address in `public/` either.
            return Ok(None);
        }
        let is_layout = self.sources.bytes(&file).is_ok_and(|html| has_imports(&html));
        Ok(Some(Document { file, is_layout }))
    }

    /// The real file of a page, which browsers get: a link out of the project may have been meant for somebody else.
    fn page(&self, page: PathBuf) -> Result<PathBuf, ScanError> {
        let real = canonical(&page)?;
        if real.starts_with(self.project) {
            Ok(real)
        } else {
            Err(ScanError::PageOutside { page, real, project: self.project.to_owned() })
        }
    }
}

/// What one folder holds that matters here.
#[derive(Default)]
struct Listing {
    files: BTreeSet<OsString>,
    /// Names and paths, sorted.
    folders: BTreeSet<(OsString, PathBuf)>,
}

impl Listing {
    fn read(folder: &Path) -> Result<Listing, ScanError> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            match kind(&entry)? {
                Kind::File => _ = listing.files.insert(entry.file_name()),
                Kind::Folder if !is_passed_over(&entry) => {
                    listing.folders.insert((entry.file_name(), entry.path()));
                }
                Kind::Folder | Kind::Other => {}
            }
        }
        Ok(listing)
    }

    /// The handler of each layer. A plain `handler.*` is the server's, unless the server has its own; it is also that
    /// of browsers where it is universal and they have none of their own.
    fn handlers(&self, folder: &Path, universal: &Universal) -> Result<Vec<(Layer, PathBuf)>, ScanError> {
        let plain = self.first("handler");
        let places = plain.as_ref().map(|file| universal.places(&folder.join(file))).unwrap_or_default();
        let plain_where = |runs: bool| plain.clone().filter(|_| runs);
        let files = [
            (Layer::Server, self.first("handler.server").or_else(|| plain_where(true))),
            (Layer::Client, self.first("handler.client").or_else(|| plain_where(places.client))),
            (Layer::Worker, self.first("handler.worker").or_else(|| plain_where(places.worker))),
        ];
        files
            .into_iter()
            .filter_map(|(layer, file)| Some((layer, file?)))
            .map(|(layer, file)| Ok((layer, canonical(&folder.join(file))?)))
            .collect()
    }

    fn page(&self) -> Option<&'static str> {
        PAGES.into_iter().find(|file| self.files.contains(OsStr::new(file)))
    }

    fn first(&self, stem: &str) -> Option<String> {
        EXTENSIONS
            .iter()
            .map(|extension| format!("{stem}.{extension}"))
            .find(|file| self.files.contains(OsStr::new(file)))
    }
}

enum Kind {
    File,
    Folder,
    Other,
}

/// What an entry is, links followed.
fn kind(entry: &DirEntry) -> Result<Kind, ScanError> {
    let path = entry.path();
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(Kind::Folder),
        Ok(metadata) if metadata.is_file() => Ok(Kind::File),
        Ok(_) => Ok(Kind::Other),
        // A link to nowhere or to itself, or a file deleted since it was listed.
        Err(_) if path.is_symlink() => Ok(Kind::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Other),
        Err(error) => Err(unreadable(&path)(error)),
    }
}

fn is_passed_over(folder: &DirEntry) -> bool {
    let name = folder.file_name();
    name == "node_modules" || name.as_encoded_bytes().starts_with(b".")
}

fn canonical(path: &Path) -> Result<PathBuf, ScanError> {
    path.canonicalize().map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ScanError {
    move |source| ScanError::Unreadable { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn project(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    /// Every handler found, as `layer file`, files relative to the project.
    fn found(dir: &TempDir) -> Vec<String> {
        let layout = Layout::find(dir.path(), None).unwrap();
        let mut lines = Vec::new();
        collect(&scan(&layout, &Sources::of(&layout)).unwrap(), &layout.root, &mut lines);
        lines
    }

    fn collect(folder: &Folder, root: &Path, lines: &mut Vec<String>) {
        for (layer, path) in &folder.handlers {
            lines.push(format!("{layer} {}", path.strip_prefix(root).unwrap().display()));
        }
        for folder in &folder.folders {
            collect(folder, root, lines);
        }
    }

    #[test]
    fn scan_server_file_hides_the_plain_one() {
        let dir = project(&["handler.js", "handler.server.tsx", "a/handler.ts"]);
        assert_eq!(found(&dir), ["server handler.server.tsx", "server a/handler.ts"]);
    }

    #[test]
    fn scan_several_extensions_first_is_taken() {
        let mut files = ["handler.tsx", "handler.jsx", "handler.ts", "handler.mjs", "handler.js"].as_slice();
        while let [others @ .., taken] = files {
            assert_eq!(found(&project(files)), [format!("server {taken}")]);
            files = others;
        }
    }

    #[test]
    fn scan_other_layers_recorded_beside_the_server() {
        let dir = project(&["handler.worker.mjs", "handler.client.js", "handler.js"]);
        assert_eq!(
            found(&dir),
            ["server handler.js", "client handler.client.js", "worker handler.worker.mjs"]
        );
    }

    #[test]
    fn scan_foreign_folders_and_files_passed_over() {
        let dir = project(&[
            "node_modules/x/handler.js",
            ".git/handler.js",
            "public/handler.js",
            "a/node_modules/handler.js",
            "a/public/handler.js",
            "a/handler.json",
            "a/handler.d.ts",
            "a/myhandler.js",
            "handler.js/notes.txt",
        ]);
        assert_eq!(found(&dir), ["server a/public/handler.js"]);
    }

    #[test]
    fn scan_project_only_app_holds_routes() {
        let dir = project(&["handler.js", "app/handler.js", "lib/handler.js", "public/x/handler.js"]);
        assert_eq!(found(&dir), ["server app/handler.js"]);
    }

    #[test]
    fn scan_page_html_hides_index_html() {
        let dir = project(&["page.html", "index.html", "a/index.html", "b/other.html"]);
        let layout = Layout::find(dir.path(), None).unwrap();
        let root = scan(&layout, &Sources::of(&layout)).unwrap();
        let named =
            |folder: &Folder| folder.page.as_ref().map(|page| page.file.file_name().unwrap().to_owned());
        let named: Vec<_> = [&root].into_iter().chain(&root.folders).map(named).collect();
        assert_eq!(named, [Some("page.html".into()), Some("index.html".into()), None]);
    }

    #[test]
    fn scan_folders_sorted_by_name() {
        let dir =
            project(&["b/handler.js", "-/handler.js", "a/z/handler.js", "a/handler.js", "B/handler.js"]);
        assert_eq!(
            found(&dir),
            [
                "server -/handler.js",
                "server B/handler.js",
                "server a/handler.js",
                "server a/z/handler.js",
                "server b/handler.js"
            ]
        );
    }

    #[test]
    fn scan_routes_gone_is_an_error() {
        let dir = project(&["app/handler.js"]);
        let layout = Layout::find(dir.path(), None).unwrap();
        fs::remove_dir_all(&layout.routes).unwrap();
        let error = scan(&layout, &Sources::of(&layout)).unwrap_err();
        assert!(matches!(&error, ScanError::Unreadable { path, .. } if *path == layout.routes), "{error}");
    }

    #[cfg(unix)]
    mod links {
        use super::*;
        use std::os::unix::ffi::OsStringExt;
        use std::os::unix::fs::symlink;

        #[test]
        fn scan_links_followed_to_the_real_file() {
            let dir = project(&["app/handler.js", "shared/shop/handler.js", "shared/root.js"]);
            symlink(dir.path().join("shared/shop"), dir.path().join("app/shop")).unwrap();
            fs::create_dir(dir.path().join("app/about")).unwrap();
            symlink(dir.path().join("shared/root.js"), dir.path().join("app/about/handler.js")).unwrap();
            assert_eq!(
                found(&dir),
                ["server app/handler.js", "server shared/root.js", "server shared/shop/handler.js"]
            );
        }

        #[test]
        fn scan_link_cycles_stopped() {
            let dir = project(&["a/b/handler.js", "c/handler.js"]);
            symlink(dir.path(), dir.path().join("a/b/up")).unwrap();
            symlink(dir.path().join("c"), dir.path().join("c/itself")).unwrap();
            symlink("loop", dir.path().join("loop")).unwrap();
            symlink("nowhere", dir.path().join("handler.js")).unwrap();
            assert_eq!(found(&dir), ["server a/b/handler.js", "server c/handler.js"]);
        }

        #[test]
        fn scan_folder_linked_twice_is_two_routes() {
            let dir = project(&["app/handler.js", "shop/handler.js"]);
            symlink(dir.path().join("shop"), dir.path().join("app/a")).unwrap();
            symlink(dir.path().join("shop"), dir.path().join("app/b")).unwrap();
            assert_eq!(
                found(&dir),
                ["server app/handler.js", "server shop/handler.js", "server shop/handler.js"]
            );
        }

        #[test]
        fn scan_link_to_public_passed_over() {
            let dir = project(&["public/handler.js", "a/handler.js"]);
            symlink(dir.path().join("public"), dir.path().join("assets")).unwrap();
            assert_eq!(found(&dir), ["server a/handler.js"]);
        }

        #[test]
        fn scan_name_not_utf8_is_named() {
            let dir = project(&["handler.js"]);
            fs::create_dir(dir.path().join(OsString::from_vec(vec![b'a', 0xff]))).unwrap();
            let layout = Layout::find(dir.path(), None).unwrap();
            let error = scan(&layout, &Sources::of(&layout)).unwrap_err();
            assert!(matches!(error, ScanError::NotUtf8(_)), "{error}");
        }
    }
}
