//! Pages: the HTML that browsers are shown at a route, prepared for a state to be rendered into it.
//!
//! A page is parsed once per generation. Parts that no binding can change become plain text. Bound elements, imports,
//! templates and their ancestors stay a tree, so the cost of rendering depends on the bindings, not on the page's size.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use html5ever::{LocalName, QualName, local_name};
use hyper::header::HeaderValue;
use serde::Serialize;
use thiserror::Error;

use super::document::{Data, Document, Element, Id, ROOT};
use super::views::Sources;

/// A page of the routes folder.
#[derive(Debug)]
pub(crate) struct Page {
    /// The route of its folder, as `/products/-`, in ASCII.
    pub id: String,
    /// The same as the value of an HTTP header.
    pub header: HeaderValue,
    /// The real file: the page's own, or the layout that its views are shown in.
    pub path: PathBuf,
    /// The route of its folder as it is.
    pattern: String,
    sources: Arc<Sources>,
    parsed: OnceLock<Result<Parsed, PageError>>,
}

/// Why a page cannot be shown.
#[derive(Debug, Clone, Error)]
pub(crate) enum PageError {
    /// The operating system refused, or the file is gone.
    #[error("cannot read the page `{}`: {message}", .path.display())]
    Unreadable {
        /// The page's file.
        path: PathBuf,
        /// The error of the operating system.
        message: String,
    },
}

/// A page with nothing rendered into it, cut at the place for the address of a line.
#[derive(Debug)]
pub(crate) struct Blank {
    /// Up to the first place in the head.
    pub before: String,
    /// The rest.
    pub after: String,
}

#[derive(Debug)]
struct Parsed {
    template: String,
    brings_oohtml: bool,
    blank: Blank,
}

/// A part of a page. In JSON a text, a number, an object or an array, as `runtime-js/page/page.js` reads it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Piece {
    /// HTML that no binding changes.
    Html(String),
    /// A place that is filled for each answer: [`LINE`] or [`STATE`].
    Place(u8),
    /// A comment that is a binding.
    Comment {
        /// Its text.
        comment: String,
    },
    /// Name, attributes, children. An element that cannot have children has `None`; those of a template are
    /// its content.
    Element(String, Vec<(String, String)>, Option<Vec<Piece>>),
}

/// The address of the line: first in the head.
const LINE: u8 = 0;
/// The state: last in the body.
const STATE: u8 = 1;
/// The places, marked in the tree by comments that cannot come from a file, because parsers replace NUL.
const MARKS: [&str; 2] = ["\0line", "\0state"];

/// The state of an answer that has none yet; the status tells it from a state that is `null`.
const NO_STATE: &str = r#"<script rel="hydration" type="application/json" data-status="202">null</script>"#;

/// The attributes of elements that rendering looks at.
const BOUND: [&str; 4] = ["render", "importscontext", "contextname", "bindings"];

impl Page {
    /// The page of the route `pattern`. Its files are read when they are first needed.
    pub(super) fn new(pattern: &str, path: PathBuf, sources: Arc<Sources>) -> Page {
        let ascii = |byte: u8| match byte {
            b'!'..=b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        let id: String = pattern.bytes().map(ascii).collect();
        let header = HeaderValue::from_str(&id).expect("visible ASCII is a header's value");
        Page {
            id,
            header,
            path,
            pattern: pattern.trim_start_matches("error:").to_owned(),
            sources,
            parsed: OnceLock::new(),
        }
    }

    /// The page for `runtime-js/page/page.js`, as JSON.
    pub(crate) fn template(&self) -> Result<&str, &PageError> {
        self.parsed().map(|parsed| parsed.template.as_str())
    }

    /// Whether the page loads OOHTML, which then goes on with it in the browser.
    pub(crate) fn brings_oohtml(&self) -> bool {
        self.parsed().is_ok_and(|parsed| parsed.brings_oohtml)
    }

    /// The page as it was written.
    pub(crate) fn blank(&self) -> Result<&Blank, &PageError> {
        self.parsed().map(|parsed| &parsed.blank)
    }

    fn parsed(&self) -> Result<&Parsed, &PageError> {
        let parse = || {
            let mut document = Document::parse(&self.read_bytes()?);
            self.sources.fill(&mut document, &self.path, &self.pattern);
            Ok(prepare(document, &self.id))
        };
        self.parsed.get_or_init(parse).as_ref()
    }

    /// Reads the page's files, once: later changes of them do not change this page.
    pub(crate) fn read(&self) -> Result<(), PageError> {
        let html = self.read_bytes()?;
        // Further files are found when the page is parsed.
        if memchr::memmem::find(&html, b"<template").is_some() {
            self.parsed().map_err(Clone::clone)?;
        }
        Ok(())
    }

    fn read_bytes(&self) -> Result<Arc<[u8]>, PageError> {
        let unreadable = |message| PageError::Unreadable { path: self.path.clone(), message };
        self.sources.bytes(&self.path).map_err(unreadable)
    }
}

fn prepare(mut document: Document, id: &str) -> Parsed {
    let is_doctype = |child: Id| matches!(document.data(child), Data::Doctype(_));
    if !document.children(ROOT).any(is_doctype) {
        let doctype = document.create_doctype();
        let first = document.children(ROOT).next();
        document.insert(ROOT, doctype, first);
    }
    let nodes = document.below(ROOT);
    let is_import = |id: &Id| document.name(*id).is_some_and(|name| &**name == "import");
    let is_bound = nodes.iter().any(|id| is_import(id) || is_binding(&document, *id));
    let brings_oohtml = nodes.iter().any(|id| is_oohtml(&document, *id));
    embed(&mut document, id, is_bound);
    let mut pieces = Vec::new();
    for child in document.children(ROOT) {
        add(&mut pieces, &document, child);
    }
    let template = serde_json::to_string(&pieces).expect("texts and numbers are JSON");
    Parsed { template, brings_oohtml, blank: blank(&document.inner_html(ROOT)) }
}

/// Cuts the marked page at the place for the line's address, and fills in that there is no state.
fn blank(marked: &str) -> Blank {
    let [line, state] = MARKS.map(|mark| format!("<!--{mark}-->"));
    let (before, after) = marked.split_once(&line).unwrap_or_default();
    Blank { before: before.to_owned(), after: after.replacen(&state, NO_STATE, 1) }
}

/// Inserts what every page gets: its id, the app's script, and marks for the parts that depend on the answer.
fn embed(document: &mut Document, id: &str, is_bound: bool) {
    let Some(html) = document.child(ROOT, &local_name!("html")) else { return };
    let has_app = take_app(document);
    if let Some(head) = document.child(html, &local_name!("head")) {
        let mut attributes = vec![("name", "liveline-page"), ("content", id)];
        if is_bound {
            // An element that only comments bind cannot be found by a selector.
            attributes.push(("data-bound", ""));
        }
        let first = document.children(head).next();
        let mark = document.create_comment(MARKS[usize::from(LINE)]);
        document.insert(head, mark, first);
        let meta = document.create_element(local_name!("meta"), &attributes);
        document.insert(head, meta, first);
        if !has_app {
            let script = document.create_element(local_name!("script"), &[("src", APP)]);
            document.insert(head, script, first);
        }
    }
    let body = document.child(html, &local_name!("body"));
    if let Some(body) = body.or_else(|| document.child(html, &local_name!("frameset"))) {
        let mark = document.create_comment(MARKS[usize::from(STATE)]);
        document.insert(body, mark, None);
    }
}

/// The app's script.
const APP: &str = "/app.js";

/// Whether the page contains the app's script itself. A script that Webflo's build would make counts as the app's.
fn take_app(document: &mut Document) -> bool {
    let is_app = |source: &str| {
        let path = source.split(['?', '#']).next().unwrap_or_default();
        path.ends_with("/app.js") || path.ends_with("/app.mjs")
    };
    let mut has_app = false;
    for id in document.below(ROOT) {
        let Some(source) = script_source(document, id) else { continue };
        if document.attribute(id, "by") == Some("webflo") {
            // A page with two apps would request everything twice.
            match has_app {
                true => document.detach(id),
                false => document.set_attribute(id, "src", APP),
            }
            has_app = true;
        } else {
            has_app |= is_app(&source);
        }
    }
    has_app
}

fn script_source(document: &Document, id: Id) -> Option<String> {
    let is_script = document.name(id) == Some(&local_name!("script"));
    is_script.then(|| document.attribute(id, "src")).flatten().map(str::to_owned)
}

/// Whether a node is a script that loads OOHTML, by its address: `https://unpkg.com/@webqit/oohtml/dist/main.js`.
fn is_oohtml(document: &Document, id: Id) -> bool {
    script_source(document, id).is_some_and(|source| source.to_ascii_lowercase().contains("oohtml"))
}

/// Whether a node is a comment with an expression: `<?{ data.title }?>`, `<!--{ data.title }-->`.
fn is_binding(document: &Document, id: Id) -> bool {
    let Data::Comment(text) = document.data(id) else { return false };
    let is_written = |begin: &str, end: &str| {
        text.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
            && text.len() >= begin.len() + end.len()
    };
    is_written("?{", "}?") || is_written("{", "}") && !text.starts_with("{{")
}

/// Appends a node to `pieces`, joined with the text before it.
fn add(pieces: &mut Vec<Piece>, document: &Document, id: Id) {
    if let Data::Comment(text) = document.data(id) {
        if let Some(place) = MARKS.iter().position(|mark| **mark == **text) {
            return pieces.push(Piece::Place(place as u8));
        }
        if is_binding(document, id) {
            return pieces.push(Piece::Comment { comment: text.to_string() });
        }
    }
    match document.element(id).filter(|_| is_kept(document, id)) {
        Some(element) => pieces.push(whole(document, id, element)),
        None => add_html(pieces, document.html(id)),
    }
}

/// An element as a piece of its own, even if nothing in it is bound.
fn whole(document: &Document, id: Id, element: &Element) -> Piece {
    let mut children = Vec::new();
    for child in document.contents(id) {
        // List items and imports are copies of a template's elements.
        match document.element(child).filter(|_| element.content.is_some()) {
            Some(element) => children.push(whole(document, child, element)),
            None => add(&mut children, document, child),
        }
    }
    let attributes =
        element.attributes.iter().map(|it| (full_name(&it.name), it.value.to_string())).collect();
    let children = (!is_void(&element.name.local)).then_some(children);
    Piece::Element(full_name(&element.name), attributes, children)
}

fn add_html(pieces: &mut Vec<Piece>, html: String) {
    match pieces.last_mut() {
        Some(Piece::Html(text)) => text.push_str(&html),
        _ => pieces.push(Piece::Html(html)),
    }
}

/// Whether rendering has to find the element.
fn is_kept(document: &Document, id: Id) -> bool {
    let Some(element) = document.element(id) else { return false };
    let name = &element.name.local;
    if is_raw_text(name) {
        return false;
    }
    BOUND.iter().any(|bound| document.attribute(id, bound).is_some())
        || &**name == "import"
        || *name == local_name!("template") && document.attribute(id, "def").is_some()
        || document.contents(id).any(|child| {
            is_marked(document, child) || is_binding(document, child) || is_kept(document, child)
        })
}

fn is_marked(document: &Document, id: Id) -> bool {
    matches!(document.data(id), Data::Comment(text) if MARKS.contains(&&**text))
}

/// Elements whose text has no escapes, so that nothing can be rendered into them safely.
fn is_raw_text(name: &LocalName) -> bool {
    ["script", "style", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"].contains(&&**name)
}

/// Elements without an end tag (HTML section 13.1.2).
fn is_void(name: &LocalName) -> bool {
    const VOID: [&str; 13] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    ];
    VOID.contains(&&**name)
}

/// As it is written: `xlink:href`.
fn full_name(name: &QualName) -> String {
    name.prefix.as_ref().map_or_else(|| name.local.to_string(), |prefix| format!("{prefix}:{}", name.local))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn parse(html: &[u8], id: &str) -> Parsed {
        prepare(Document::parse(html), id)
    }

    fn template(html: &str) -> String {
        parse(html.as_bytes(), "/a").template
    }

    fn page(pattern: &str, path: impl Into<PathBuf>) -> Page {
        Page::new(pattern, path.into(), Arc::default())
    }

    const HEAD: &str = r#"0,"<meta name=\"liveline-page\" content=\"/a\"><script src=\"/app.js\"></script>"#;

    #[test]
    fn page_that_cannot_be_read_is_an_error_each_time() {
        let page = page("/a", "/nowhere/page.html");
        for _ in 0..2 {
            let error = page.template().expect_err("there is no such file");
            assert!(error.to_string().starts_with("cannot read the page `/nowhere/page.html`"), "{error}");
        }
    }

    #[test]
    fn page_is_what_was_read_first() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("page.html");
        fs::write(&path, "<p>old").expect("a written file");
        let page = page("/a", path.clone());
        page.read().expect("it is there");
        fs::write(&path, "<p>new").expect("a written file");
        assert!(page.template().expect("it was read").contains("<p>old</p>"));
    }

    #[test]
    fn parse_fragment_gets_what_it_lacks() {
        assert_eq!(
            template("<p>Hi"),
            format!(r#"["<!DOCTYPE html>",["html",[],[["head",[],[{HEAD}"]],["body",[],["<p>Hi</p>",1]]]]]"#)
        );
    }

    #[test]
    fn parse_bound_elements_stay_elements_and_the_rest_is_text() {
        let html = "<!DOCTYPE html><title>T</title><main><h1>A &amp; B</h1><p render='#text: a'>x</p></main>";
        let main = r##"["main",[],["<h1>A &amp; B</h1>",["p",[["render","#text: a"]],["x"]]]]"##;
        assert!(template(html).contains(main), "{}", template(html));
    }

    #[test]
    fn parse_template_content_is_its_children() {
        let html = r#"<ul render="x"><template def="m"><li>a<b>b</b></li></template></ul>"#;
        let ul = r#"["ul",[["render","x"]],[["template",[["def","m"]],[["li",[],["a<b>b</b>"]]]]]]"#;
        assert!(template(html).contains(ul), "{}", template(html));
    }

    #[test]
    fn parse_app_script_of_the_page_counts() {
        for script in ["/app.js", "https://cdn.example/app.mjs?v=1"] {
            let html = template(&format!("<script type=module src={script}></script>"));
            assert_eq!(html.matches("/app.").count(), 1, "{html}");
        }
        assert!(template("<script src=/myapp.js></script>").contains("/app.js"));
    }

    #[test]
    fn parse_raw_text_is_never_bound() {
        assert!(!template(r#"<style render="x">b</style>"#).contains("[\"style\""));
    }

    #[test]
    fn parse_blank_page_is_as_written() {
        let blank = parse(br#"<!DOCTYPE html><p render="x">Wait</p><!--c-->"#, "/").blank;
        assert_eq!(blank.before, "<!DOCTYPE html><html><head>");
        assert!(blank.after.starts_with(r#"<meta name="liveline-page" content="/">"#), "{}", blank.after);
        let end = format!(r#"<p render="x">Wait</p><!--c-->{NO_STATE}</body></html>"#);
        assert!(blank.after.ends_with(&end), "{}", blank.after);
    }

    #[test]
    fn parse_marks_cannot_be_forged() {
        let blank = parse(b"<!--\0line--><p><!--\0state--></p>", "/").blank;
        assert!(blank.before.ends_with("<head>"), "{}", blank.before);
        assert!(blank.after.ends_with(&format!("{NO_STATE}</body></html>")), "{}", blank.after);
    }

    #[test]
    fn page_id_is_ascii() {
        assert_eq!(page("/caf\u{e9} 1/-", "").id, "/caf%C3%A9%201/-");
    }

    #[test]
    fn page_gone_is_named() {
        let page = page("/", "/nowhere/page.html");
        assert!(page.template().unwrap_err().to_string().contains("/nowhere/page.html"));
    }
}
