//! Reads the routes folder into plain [`Folder`]s, which `tree.rs` turns into [`Routes`].
//!
//! Decides what on the disk is a route: which folders are passed over, where links lead, which page is shown. Which
//! files are handlers the dialects decide (`dialect/`). The result is sorted by name, whatever order the disk lists.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::layout::{Layout, WRANGLER};
use super::path::segments;
use super::tree::{Layer, Part, Routes};
use super::views::{Sources, has_imports, is_view};

/// The names of a folder's page; the first that exists counts.
pub(crate) const PAGES: [&str; 2] = ["page.html", "index.html"];

/// The page of a folder in `public/`, and the layout of all below it.
pub(crate) const DOCUMENT: &str = "index.html";

/// The folder that stands for any one segment; `public/` has none.
const WILDCARD: &str = "-";
/// The name of a folder's error page. That of the whole site may also lie in the folder of static files.
pub(crate) const ERROR_PAGE: &str = "error.html";

/// What the routes folder holds, until [`Scan::into_routes`] makes the table of routes.
pub(crate) struct Scan {
    root: Folder,
    folders: Vec<RouteFolder>,
    sources: Arc<Sources>,
}

/// A folder that may be a route, and the names of the files in it.
#[derive(Debug)]
pub(crate) struct RouteFolder {
    /// The route that the folder's place stands for, as a pattern: `/products/-`; the root is `/`.
    pub route: String,
    /// The real folder, links followed. It stands at two routes where a link shows it twice.
    pub path: PathBuf,
    /// The names of its files, links to files included.
    pub files: BTreeSet<OsString>,
}

/// A handler that a dialect found.
#[derive(Debug)]
pub(crate) struct DetectedHandler {
    /// The route that it stands at, as a pattern.
    pub route: String,
    /// Where it runs.
    pub layer: Layer,
    /// Its file.
    pub file: PathBuf,
    /// The name of the dialect that found it.
    pub dialect: &'static str,
    /// What the file does for its route.
    pub part: Part,
}

impl Scan {
    /// Reads the routes folder of `layout` and all folders below it.
    pub(crate) fn read(layout: &Layout) -> Result<Scan, ScanError> {
        let sources = Arc::new(Sources::of(layout));
        let (project, public) = (&*layout.project, layout.public.as_deref());
        if !layout.has_tree {
            return Ok(Scan { root: Folder::default(), folders: Vec::new(), sources });
        }
        let mut walk = Walk { project, public, sources: &sources, trail: Vec::new(), folders: Vec::new() };
        let root = walk.folder("/", layout.routes.clone(), (public, None))?;
        let folders = walk.folders;
        Ok(Scan { root, folders, sources })
    }

    /// Every folder that may be a route, parents first, names in order.
    pub(crate) fn folders(&self) -> &[RouteFolder] {
        &self.folders
    }

    /// Adds a handler to the route that it stands at, whether there is a folder of that name or not. Handlers of one
    /// route keep the order in which they are added.
    pub(crate) fn add(
        &mut self,
        DetectedHandler { route, layer, file, dialect, part }: DetectedHandler,
    ) -> Result<(), ScanError> {
        let path = canonical(&file)?;
        let (folder, shown) = match part {
            Part::Step => (self.root.at(&route), None),
            // An application answers every path, with routes of its own.
            Part::Application | Part::Module => (&mut self.root, Some(route)),
        };
        folder.handlers.push(FoundHandler { layer, path, dialect, part, shown });
        Ok(())
    }

    /// The table of routes.
    pub(crate) fn into_routes(self) -> Routes {
        Routes::of(&self.root, self.sources)
    }
}

/// A folder of routes, as found on the disk.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The URL segment it stands for; empty at the root.
    pub(super) name: String,
    /// The handlers, in the order in which they are asked.
    pub(super) handlers: Vec<FoundHandler>,
    /// The page of the folder, and of folders below it that have none.
    pub(super) page: Option<FoundPage>,
    /// The error page of the folder, and of folders below it that have none.
    pub(super) error_page: Option<PathBuf>,
    /// Sorted by name.
    pub(super) folders: Vec<Folder>,
}

impl Folder {
    /// The folder below this one that stands for a pattern. It is made if there is none.
    pub(super) fn at(&mut self, pattern: &str) -> &mut Folder {
        segments(pattern).fold(self, |folder, name| {
            let found = folder.folders.binary_search_by(|child| child.name.as_str().cmp(name));
            let index = found.unwrap_or_else(|index| {
                folder.folders.insert(index, Folder { name: name.to_owned(), ..Folder::default() });
                index
            });
            &mut folder.folders[index]
        })
    }
}

/// A handler's file, as found on the disk.
#[derive(Debug)]
pub(super) struct FoundHandler {
    /// Where it runs.
    pub(super) layer: Layer,
    /// The real file, links followed.
    pub(super) path: PathBuf,
    /// The name of the dialect that found it.
    pub(super) dialect: &'static str,
    /// What the file does for its route.
    pub(super) part: Part,
    /// The route that it is listed with, if that is another than the folder's.
    pub(super) shown: Option<String>,
}

/// A folder's page, as found on the disk.
#[derive(Debug)]
pub(super) struct FoundPage {
    /// The document: the folder's own, the one of `public/`, or the layout that the folder's views are shown in.
    pub(super) file: PathBuf,
    /// Whether the folder has a page of its own, which is shown where no handler answers.
    pub(super) is_own: bool,
}

/// The document of `public/` for a folder: the folder's own or the nearest above.
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
        /// The error of the operating system.
        source: io::Error,
    },
    /// A page is a link to a file outside of the project.
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
    /// Two dialects are equally sure that a file is a handler of theirs.
    #[error(
        "`{}` could be a handler of {} or of {}; write `// dialect: {}` or `// dialect: {}` as its first line, or \
         rename it to what only one of them takes",
        .file.display(),
        .names[0],
        .names[1],
        .names[0],
        .names[1]
    )]
    TwoDialects {
        /// The file.
        file: PathBuf,
        /// The names of the dialects.
        names: [&'static str; 2],
    },
    /// A file's directive names a dialect that there is not.
    #[error(
        "`{}` names the dialect `{}` in its first line, and there are {}",
        .file.display(),
        .name,
        .known.join(", ")
    )]
    UnknownDialect {
        /// The file.
        file: PathBuf,
        /// What it names.
        name: String,
        /// The names of the dialects.
        known: Vec<&'static str>,
    },
    /// No URL can name the folder.
    #[error("the folder `{}` cannot be a route: its name is not UTF-8; rename it", .0.display())]
    NotUtf8(PathBuf),
}

/// The walk over the folders.
struct Walk<'a> {
    project: &'a Path,
    public: Option<&'a Path>,
    sources: &'a Sources,
    /// The real folders from the root to the one being read. Meeting one of them again is a cycle.
    trail: Vec<PathBuf>,
    /// The folders that were read.
    folders: Vec<RouteFolder>,
}

impl Walk<'_> {
    /// Reads the folder whose canonical path is `real` and whose place stands for `route`. `beside` is the folder of the
    /// same route in `public/`, and the document of `public/` that holds for the folder above.
    fn folder(
        &mut self,
        route: &str,
        real: PathBuf,
        (beside, above): (Option<&Path>, Option<Document>),
    ) -> Result<Folder, ScanError> {
        let listing = Listing::read(&real)?;
        let of_public = beside.map(|beside| self.document(&beside.join(DOCUMENT))).transpose()?.flatten();
        let page = self.page_of(&listing, &real, of_public.as_ref(), above.as_ref())?;
        let document = of_public.or(above);
        let error_page = self.error_page(&listing, &real)?;
        let Listing { files, folders: below } = listing;
        self.folders.push(RouteFolder { route: route.to_owned(), path: real.clone(), files });
        self.trail.push(real);
        let mut folders = Vec::new();
        for (name, path) in below {
            let real = canonical(&path)?;
            if Some(real.as_path()) == self.public || self.trail.contains(&real) {
                continue;
            }
            let name = name.into_string().map_err(|_| ScanError::NotUtf8(path))?;
            let beside = beside.filter(|_| name != WILDCARD).map(|beside| beside.join(&name));
            let route = format!("{}/{name}", route.trim_end_matches('/'));
            folders.push(self.folder(&route, real, (beside.as_deref(), document.clone()))?);
        }
        self.trail.pop();
        let name = route.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Folder { name, handlers: Vec::new(), page, error_page, folders })
    }

    fn error_page(&self, listing: &Listing, folder: &Path) -> Result<Option<PathBuf>, ScanError> {
        let of_site = || self.public.filter(|_| self.trail.is_empty()).map(|public| public.join(ERROR_PAGE));
        let own = listing.files.contains(OsStr::new(ERROR_PAGE)).then(|| folder.join(ERROR_PAGE));
        match (own, of_site().filter(|file| file.is_file())) {
            (Some(file), _) => self.page(file).map(Some),
            // A file of `public/` is public already.
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

    /// The real file of a page. A link out of the project is refused, because browsers get the file.
    fn page(&self, page: PathBuf) -> Result<PathBuf, ScanError> {
        let real = canonical(&page)?;
        if real.starts_with(self.project) {
            Ok(real)
        } else {
            Err(ScanError::PageOutside { page, real, project: self.project.to_owned() })
        }
    }
}

/// The files of a folder, and the folders in it that may be routes.
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

    fn page(&self) -> Option<&'static str> {
        PAGES.into_iter().find(|file| self.files.contains(OsStr::new(file)))
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

/// Whether a folder is no route: it is hidden, holds packages, or is a project of its own.
fn is_passed_over(folder: &DirEntry) -> bool {
    let name = folder.file_name();
    let is_project = || WRANGLER.iter().any(|file| folder.path().join(file).is_file());
    name == "node_modules" || name.as_encoded_bytes().starts_with(b".") || is_project()
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

    #[test]
    fn scan_page_html_hides_index_html() {
        let dir = project(&["page.html", "index.html", "a/index.html", "b/other.html"]);
        let layout = Layout::find(dir.path(), None).unwrap();
        let root = Scan::read(&layout).unwrap().root;
        let named =
            |folder: &Folder| folder.page.as_ref().map(|page| page.file.file_name().unwrap().to_owned());
        let named: Vec<_> = [&root].into_iter().chain(&root.folders).map(named).collect();
        assert_eq!(named, [Some("page.html".into()), Some("index.html".into()), None]);
    }

    #[test]
    fn scan_folders_with_a_configuration_of_their_own_are_no_routes() {
        let dir = project(&["a/page.html", "b/wrangler.toml", "b/page.html"]);
        let layout = Layout::find(dir.path(), None).unwrap();
        let root = Scan::read(&layout).unwrap().root;
        assert_eq!(root.folders.iter().map(|folder| &*folder.name).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn scan_routes_gone_is_an_error() {
        let dir = project(&["app/handler.js"]);
        let layout = Layout::find(dir.path(), None).unwrap();
        fs::remove_dir_all(&layout.routes).unwrap();
        let error = Scan::read(&layout).err().unwrap();
        assert!(matches!(&error, ScanError::Unreadable { path, .. } if *path == layout.routes), "{error}");
    }

    #[cfg(unix)]
    mod links {
        use super::*;
        use std::os::unix::ffi::OsStringExt;

        #[test]
        fn scan_name_not_utf8_is_named() {
            let dir = project(&["handler.js"]);
            fs::create_dir(dir.path().join(OsString::from_vec(vec![b'a', 0xff]))).unwrap();
            let layout = Layout::find(dir.path(), None).unwrap();
            let error = Scan::read(&layout).err().unwrap();
            assert!(matches!(error, ScanError::NotUtf8(_)), "{error}");
        }
    }
}
