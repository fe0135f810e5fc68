//! Templates of pages in files of their own: `<template def src>` from `public/`, and the views of the routes folder.
//!
//! A view is an HTML file of the routes folder that is no whole document. All of them make one template, whose
//! folders are templates in it and whose files are its fragments, as Webflo's `oohtml bundle` makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use html5ever::local_name;
use percent_encoding::percent_decode_str;

use super::document::{Document, Id, ROOT};
use super::layout::Layout;
use super::open;

/// The values of the attribute by which a template asks for the views of the routes folder.
const MAKERS: [&str; 2] = ["liveline", "oohtml-cli"];

/// How far files may include each other.
const MAX_CHAIN: usize = 16;
/// How many bytes one page may include, because files that include each other twice multiply.
const MAX_INCLUDED: u64 = 16 * 1024 * 1024;

/// The content of a file, or why it could not be read.
type ReadFile = Result<Arc<[u8]>, String>;

/// The files that the pages of one generation are made of, each read once.
#[derive(Debug, Default)]
pub(super) struct Sources {
    routes: PathBuf,
    project: PathBuf,
    public: Option<PathBuf>,
    views: OnceLock<Views>,
    read: Mutex<BTreeMap<PathBuf, ReadFile>>,
    /// Warnings that were logged already: pages share their layouts.
    logged: Mutex<BTreeSet<String>>,
}

/// The views of a folder and of those below it, by name.
#[derive(Debug, Default)]
struct Views {
    files: Vec<(String, PathBuf)>,
    folders: Vec<(String, Views)>,
    newest: Option<SystemTime>,
}

/// A template that waits for its content.
struct Waiting {
    template: Id,
    /// The files that it stands in.
    chain: Vec<PathBuf>,
}

impl Sources {
    /// The files of a project, of which none is read yet.
    pub(super) fn of(layout: &Layout) -> Sources {
        let Layout { routes, project, public, .. } = layout.clone();
        Sources { routes, project, public, ..Sources::default() }
    }

    /// Every file that was read or looked for.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        locked(&self.read).keys().cloned().collect()
    }

    /// The content of a file when it was first read.
    pub(super) fn bytes(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let mut read = locked(&self.read);
        if let Some(known) = read.get(path) {
            return known.clone();
        }
        let bytes = fs::read(path).map(Arc::from).map_err(|error| error.to_string());
        read.insert(path.to_owned(), bytes.clone());
        bytes
    }

    /// Fills the templates of a page from files, and marks in the body which of the views are the page's: those of the
    /// route `pattern`.
    pub(super) fn fill(&self, document: &mut Document, page: &Path, pattern: &str) {
        let is_template = |document: &Document, id: &Id| document.name(*id) == Some(&local_name!("template"));
        let templates = document.below(ROOT).into_iter().filter(|id| is_template(document, id));
        let mut waiting: Vec<_> =
            templates.map(|template| Waiting { template, chain: vec![page.to_owned()] }).collect();
        let mut left = MAX_INCLUDED;
        while let Some(Waiting { template, mut chain }) = waiting.pop() {
            let source = document.attribute(template, "src").map(str::trim).unwrap_or_default().to_owned();
            let is_made = document.attribute(template, "by").is_some_and(|by| MAKERS.contains(&by));
            let content = document.element(template).and_then(|element| element.content);
            let Some(content) = content.filter(|_| is_made || !source.is_empty()) else { continue };
            // A template with content of its own is not filled.
            if document.children(content).any(|child| document.element(child).is_some()) {
                continue;
            }
            let file = (!source.is_empty()).then(|| self.file_at(&source, pattern));
            if is_made && !self.views().is_empty() && !self.is_fresh(file.as_ref()) {
                if let Some(name) = document.attribute(template, "def").map(str::to_owned) {
                    set_context(document, &name, pattern);
                }
                self.add_views(document, content, self.views());
                continue;
            }
            let include = |file: Result<PathBuf, String>| {
                let file = file?;
                if chain.contains(&file) || chain.len() > MAX_CHAIN {
                    return Err("it includes itself".to_owned());
                }
                let length = fs::metadata(&file).map_err(|error| error.to_string())?.len();
                left = left.checked_sub(length).ok_or("the page includes too much")?;
                let html = self.bytes(&file)?;
                Ok((file, html))
            };
            match file.map_or_else(|| Err("the routes folder has no views".to_owned()), include) {
                Ok((file, html)) => {
                    document.parse_into(content, html.trim_ascii());
                    chain.push(file);
                    let found = document.below(template).into_iter().filter(|id| is_template(document, id));
                    waiting.extend(found.map(|template| Waiting { template, chain: chain.clone() }));
                    if let Some(name) = document.attribute(template, "def").filter(|_| is_made) {
                        let name = name.to_owned();
                        set_context(document, &name, pattern);
                    }
                }
                Err(reason) => self.tell(format!(
                    "{}: <template src=\"{source}\"> stays empty on the server: {reason}",
                    page.display()
                )),
            }
        }
    }

    /// The file of `public/` at an address in a page of the route `pattern`.
    fn file_at(&self, address: &str, pattern: &str) -> Result<PathBuf, String> {
        let scheme = address.split_once(':').map(|(scheme, _)| scheme);
        let has_scheme = scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        });
        // Browsers read a backslash as a slash, and ignore tabs and line breaks.
        if has_scheme || address.starts_with("//") || address.contains(['\\', '\t', '\n', '\r']) {
            return Err("only files of this site are loaded".to_owned());
        }
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let base = if path.starts_with('/') { "" } else { pattern.rsplit_once('/').map_or("", |it| it.0) };
        let mut names: Vec<String> = Vec::new();
        for segment in base.split('/').chain(path.split('/')) {
            let name = percent_decode_str(segment).decode_utf8().map_err(|_| "its address is not UTF-8")?;
            match &*name {
                "" | "." => {}
                ".." => _ = names.pop(),
                name if name.contains(['/', '\\', '\0']) => {
                    return Err("no file has such an address".to_owned());
                }
                name => names.push(name.to_owned()),
            }
        }
        let public = self.public.as_ref().ok_or("there is no folder `public`")?;
        let inside: PathBuf = names.iter().collect();
        let path = public.join(&inside);
        match open::is_file_inside(public, &inside).map_err(|error| error.to_string()) {
            Ok(true) => Ok(path),
            Ok(false) => {
                // A missing file counts as read, so that `dev` notices when it is created.
                self.bytes(&path).map(drop).ok();
                Err(format!("there is no file {}", path.display()))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a template that was made of the views is as new as they are.
    fn is_fresh(&self, file: Option<&Result<PathBuf, String>>) -> bool {
        let Some(Ok(file)) = file else { return false };
        let made = fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        made.is_some() && made >= self.views().newest
    }

    fn views(&self) -> &Views {
        self.views.get_or_init(|| {
            Views::read(
                &self.routes,
                &[&self.project, self.public.as_deref().unwrap_or(Path::new("\0"))],
                self,
            )
            .unwrap_or_else(|error| {
                self.tell(format!("cannot read the views of {}: {error}", self.routes.display()));
                Views::default()
            })
        })
    }

    /// Appends views to the content of their template.
    fn add_views(&self, document: &mut Document, content: Id, views: &Views) {
        for (name, path) in &views.files {
            let html = match self.bytes(path) {
                Ok(html) => html,
                Err(error) => {
                    self.tell(format!("cannot read the view {}: {error}", path.display()));
                    continue;
                }
            };
            let before = document.children(content).count();
            document.parse_into(content, html.trim_ascii());
            let added: Vec<Id> = document
                .children(content)
                .skip(before)
                .filter(|child| document.element(*child).is_some())
                .collect();
            let Some(first) = added.first() else { continue };
            if document.attribute(*first, "def").is_none_or(str::is_empty) {
                document.set_attribute(*first, "def", name);
            }
            let is_more = |id: &&Id| document.name(**id) != Some(&local_name!("template"));
            if added.iter().skip(1).any(|id| is_more(&id)) {
                self.tell(format!(
                    "{}: only the first element of a view is imported by its name; put the others into it",
                    path.display()
                ));
            }
        }
        for (name, views) in &views.folders {
            let template = document.create_element(local_name!("template"), &[("def", name)]);
            document.insert(content, template, None);
            let content = document.element(template).and_then(|element| element.content);
            self.add_views(document, content.expect("a template has a content"), views);
        }
    }

    fn tell(&self, message: String) {
        let mut logged = locked(&self.logged);
        if !logged.contains(&message) {
            tracing::warn!("{message}");
            logged.insert(message);
        }
    }
}

impl Views {
    /// Reads a folder whose real path is the last of `trail`. The first of `trail` is the folder that no link may leave, the
    /// second the one that is no route.
    fn read(folder: &Path, trail: &[&Path], sources: &Sources) -> io::Result<Views> {
        let mut views = Views::default();
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = match entry.path().canonicalize() {
                Ok(path) => path,
                // A link to nowhere, or a file that was just deleted.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let is_passed_over = name.starts_with('.') || name == "node_modules" || trail.contains(&&*path);
            if is_passed_over || !path.starts_with(trail[0]) {
                continue;
            }
            if path.is_dir() {
                let mut trail = trail.to_vec();
                trail.push(folder);
                let below = Views::read(&path, &trail, sources)?;
                views.newest = views.newest.max(below.newest);
                if !below.is_empty() {
                    views.folders.push((name, below));
                }
            } else if is_view(&path, sources) {
                views.newest = views.newest.max(fs::metadata(&path)?.modified().ok());
                views.files.push((name, path));
            }
        }
        Ok(views)
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }
}

/// Whether a file is a view by its name and by how it begins.
pub(super) fn is_view(path: &Path, sources: &Sources) -> bool {
    path.extension().is_some_and(|extension| extension == "html")
        && path.is_file()
        && sources.bytes(path).is_ok_and(|html| !is_document(&html))
}

/// Whether HTML is a whole document rather than a part of one: whether it begins with a doctype or `<html>`, after
/// spaces and comments.
pub(super) fn is_document(html: &[u8]) -> bool {
    let mut rest = html.strip_prefix(b"\xef\xbb\xbf").unwrap_or(html).trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"<!--") {
        let Some(end) = memchr::memmem::find(comment, b"-->") else { return false };
        rest = comment[end + 3..].trim_ascii_start();
    }
    let begins = |tag: &[u8]| rest.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    begins(b"<!doctype")
        || [&b"<html"[..], b"<head", b"<body"]
            .iter()
            .any(|tag| begins(tag) && rest.get(tag.len()).is_some_and(|next| b" \t\r\n\x0c>/".contains(next)))
}

/// Whether a document has a place for views.
pub(super) fn has_imports(html: &[u8]) -> bool {
    if memchr::memmem::find(html, b"<import").or_else(|| memchr::memmem::find(html, b"<IMPORT")).is_none() {
        return false;
    }
    let document = Document::parse(html);
    document.below(ROOT).into_iter().any(|id| document.name(id).is_some_and(|name| &**name == "import"))
}

/// Marks in the body where its imports are looked up: `/app/products`.
fn set_context(document: &mut Document, module: &str, pattern: &str) {
    let Some(html) = document.child(ROOT, &local_name!("html")) else { return };
    let Some(body) = document.child(html, &local_name!("body")) else { return };
    let given =
        document.attribute(body, "importscontext").map(|context| context.trim_matches('/').to_owned());
    let is_own = given.is_none_or(|given| given.split('/').next() == Some(module));
    if is_own {
        let context = format!("/{module}{pattern}");
        document.set_attribute(body, "importscontext", context.trim_end_matches('/'));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds the list")
}
