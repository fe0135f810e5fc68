//! Pages: the HTML that browsers are shown at a route, prepared for a state to be rendered into it.
//!
//! A page is parsed once per generation. What no binding can change becomes plain text; only bound elements,
//! templates and what leads to them stay a tree, so that rendering costs what is bound, not what is written.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;

use html5ever::serialize::{SerializeOpts, TraversalScope, serialize};
use html5ever::tendril::TendrilSink;
use html5ever::{Attribute, LocalName, ParseOpts, QualName, local_name, ns, parse_document};
use hyper::header::HeaderValue;
use markup5ever_rcdom::{Handle, Node, NodeData, RcDom, SerializableHandle};
use serde::Serialize;
use thiserror::Error;

/// A page of the routes folder.
#[derive(Debug)]
pub struct Page {
    /// The route of its folder, e.g. `/products/-`, in ASCII.
    pub id: String,
    /// The same for HTTP.
    pub header: HeaderValue,
    /// The real file.
    pub path: PathBuf,
    html: OnceLock<Result<Vec<u8>, PageError>>,
    parsed: OnceLock<Result<Parsed, PageError>>,
}

/// Why a page cannot be shown.
#[derive(Debug, Clone, Error)]
pub enum PageError {
    /// The operating system refused, or the file is gone.
    #[error("cannot read the page `{}`: {message}", .path.display())]
    Unreadable {
        /// The page's file.
        path: PathBuf,
        /// What the operating system said.
        message: String,
    },
}

/// A page as it was written, with nothing rendered into it, cut where the address of a line may stand.
#[derive(Debug)]
pub struct Blank {
    /// Up to the first place in the head.
    pub before: String,
    /// The rest.
    pub after: String,
}

#[derive(Debug)]
struct Parsed {
    template: String,
    blank: Blank,
}

/// What a page is made of. In JSON a text, a number or an array, as `runtime-js/45_page.js` reads it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Piece {
    /// HTML that no binding changes.
    Html(String),
    /// Where something is filled in: [`LINE`] or [`STATE`].
    Place(u8),
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

/// The attribute of bound elements.
const RENDER: &str = "render";

impl Page {
    pub(super) fn new(pattern: &str, path: PathBuf) -> Page {
        let ascii = |byte: u8| match byte {
            b'!'..=b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        let id: String = pattern.bytes().map(ascii).collect();
        let header = HeaderValue::from_str(&id).expect("visible ASCII is a header's value");
        Page { id, header, path, html: OnceLock::new(), parsed: OnceLock::new() }
    }

    /// The page for `runtime-js/45_page.js`, as JSON.
    pub fn template(&self) -> Result<&str, &PageError> {
        self.parsed().map(|parsed| parsed.template.as_str())
    }

    /// The page as it was written.
    pub fn blank(&self) -> Result<&Blank, &PageError> {
        self.parsed().map(|parsed| &parsed.blank)
    }

    fn parsed(&self) -> Result<&Parsed, &PageError> {
        let parse = || {
            let html = self.read().map_err(Clone::clone)?;
            Ok(parse(html, &self.id))
        };
        self.parsed.get_or_init(parse).as_ref()
    }

    /// Reads the file, once: what it holds then is the page for as long as this lives.
    pub fn read(&self) -> Result<&[u8], &PageError> {
        let read = || fs::read(&self.path).map_err(|error| self.unreadable(&error));
        self.html.get_or_init(read).as_deref()
    }

    fn unreadable(&self, error: &io::Error) -> PageError {
        PageError::Unreadable { path: self.path.clone(), message: error.to_string() }
    }
}

fn parse(html: &[u8], id: &str) -> Parsed {
    let dom = parse_document(RcDom::default(), ParseOpts::default()).from_utf8().one(html);
    let document = &dom.document;
    let children = document.children.borrow();
    if !children.iter().any(|child| matches!(child.data, NodeData::Doctype { .. })) {
        drop(children);
        let doctype = NodeData::Doctype {
            name: "html".into(),
            public_id: Default::default(),
            system_id: Default::default(),
        };
        insert(document, 0, doctype);
    }
    embed(document, id);
    let mut pieces = Vec::new();
    for child in document.children.borrow().iter() {
        add(&mut pieces, child);
    }
    let template = serde_json::to_string(&pieces).expect("texts and numbers are JSON");
    Parsed { template, blank: blank(&html_of(document, TraversalScope::ChildrenOnly(None))) }
}

/// Cuts the marked page where the line's address may stand, and fills in that there is no state.
fn blank(marked: &str) -> Blank {
    let [line, state] = MARKS.map(|mark| format!("<!--{mark}-->"));
    let (before, after) = marked.split_once(&line).unwrap_or_default();
    Blank { before: before.to_owned(), after: after.replacen(&state, NO_STATE, 1) }
}

/// Puts in what belongs into every page: its id, the app's script, and marks for what depends on the answer.
fn embed(document: &Handle, id: &str) {
    let Some(html) = child(document, &local_name!("html")) else { return };
    if let Some(head) = child(&html, &local_name!("head")) {
        let meta = element(local_name!("meta"), &[("name", "liveline-page"), ("content", id)]);
        insert(&head, 0, NodeData::Comment { contents: MARKS[usize::from(LINE)].into() });
        insert(&head, 1, meta);
        if !has_app(document) {
            insert(&head, 2, element(local_name!("script"), &[("src", "/app.js")]));
        }
    }
    let body = child(&html, &local_name!("body")).or_else(|| child(&html, &local_name!("frameset")));
    if let Some(body) = body {
        let end = body.children.borrow().len();
        insert(&body, end, NodeData::Comment { contents: MARKS[usize::from(STATE)].into() });
    }
}

/// Whether the page brings the app's script itself, under whatever base.
fn has_app(node: &Handle) -> bool {
    let is_app = |source: String| {
        let path = source.split(['?', '#']).next().unwrap_or_default();
        path.ends_with("/app.js") || path.ends_with("/app.mjs")
    };
    name(node) == Some(&local_name!("script")) && attribute(node, "src").is_some_and(is_app)
        || node.children.borrow().iter().any(has_app)
}

/// Adds what a node is to `pieces`, joined with the text before it.
fn add(pieces: &mut Vec<Piece>, node: &Handle) {
    if let NodeData::Comment { contents } = &node.data
        && let Some(place) = MARKS.iter().position(|mark| **mark == **contents)
    {
        return pieces.push(Piece::Place(place as u8));
    }
    match is_kept(node) {
        true => pieces.extend(whole(node)),
        false => add_html(pieces, html_of(node, TraversalScope::IncludeNode)),
    }
}

/// An element as such, even if nothing in it is bound.
fn whole(node: &Handle) -> Option<Piece> {
    let NodeData::Element { name, attrs, template_contents, .. } = &node.data else { return None };
    let content = template_contents.borrow();
    let mut children = Vec::new();
    for child in content.as_ref().unwrap_or(node).children.borrow().iter() {
        // List items are copies of a template's elements, whatever is in them.
        match whole(child).filter(|_| content.is_some()) {
            Some(child) => children.push(child),
            None => add(&mut children, child),
        }
    }
    let attributes = attrs.borrow().iter().map(|it| (full_name(&it.name), it.value.to_string())).collect();
    Some(Piece::Element(full_name(name), attributes, (!is_void(&name.local)).then_some(children)))
}

fn add_html(pieces: &mut Vec<Piece>, html: String) {
    match pieces.last_mut() {
        Some(Piece::Html(text)) => text.push_str(&html),
        _ => pieces.push(Piece::Html(html)),
    }
}

/// Whether an element can be told apart when the page is rendered.
fn is_kept(node: &Handle) -> bool {
    let Some(name) = name(node) else { return false };
    if is_raw_text(name) {
        return false;
    }
    attribute(node, RENDER).is_some()
        || *name == local_name!("template") && attribute(node, "def").is_some()
        || node.children.borrow().iter().any(|child| is_marked(child) || is_kept(child))
}

fn is_marked(node: &Handle) -> bool {
    matches!(&node.data, NodeData::Comment { contents } if MARKS.contains(&&**contents))
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

fn html_of(node: &Handle, traversal_scope: TraversalScope) -> String {
    let mut html = Vec::new();
    let options = SerializeOpts { traversal_scope, ..SerializeOpts::default() };
    let node = SerializableHandle::from(node.clone());
    serialize(&mut html, &node, options).expect("writing to memory does not fail");
    String::from_utf8(html).expect("the serializer writes text")
}

fn child(node: &Handle, wanted: &LocalName) -> Option<Handle> {
    node.children.borrow().iter().find(|child| name(child) == Some(wanted)).cloned()
}

fn name(node: &Handle) -> Option<&LocalName> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

/// As it is written: `xlink:href`.
fn full_name(name: &QualName) -> String {
    name.prefix.as_ref().map_or_else(|| name.local.to_string(), |prefix| format!("{prefix}:{}", name.local))
}

fn attribute(node: &Handle, wanted: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else { return None };
    let attrs = attrs.borrow();
    attrs.iter().find(|it| &*it.name.local == wanted).map(|it| it.value.to_string())
}

fn element(name: LocalName, attributes: &[(&str, &str)]) -> NodeData {
    let attribute = |&(name, value): &(&str, &str)| Attribute {
        name: QualName::new(None, ns!(), name.into()),
        value: value.into(),
    };
    NodeData::Element {
        name: QualName::new(None, ns!(html), name),
        attrs: RefCell::new(attributes.iter().map(attribute).collect()),
        template_contents: RefCell::default(),
        mathml_annotation_xml_integration_point: false,
    }
}

fn insert(parent: &Handle, index: usize, data: NodeData) {
    let node = Node::new(data);
    node.parent.set(Some(Rc::downgrade(parent)));
    parent.children.borrow_mut().insert(index, node);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(html: &str) -> String {
        parse(html.as_bytes(), "/a").template
    }

    const HEAD: &str = r#"0,"<meta name=\"liveline-page\" content=\"/a\"><script src=\"/app.js\"></script>"#;

    #[test]
    fn page_that_cannot_be_read_is_an_error_each_time() {
        let page = Page::new("/a", PathBuf::from("/nowhere/page.html"));
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
        let page = Page::new("/a", path.clone());
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
        assert_eq!(Page::new("/caf\u{e9} 1/-", PathBuf::new()).id, "/caf%C3%A9%201/-");
    }

    #[test]
    fn page_gone_is_named() {
        let page = Page::new("/", "/nowhere/page.html".into());
        assert!(page.template().unwrap_err().to_string().contains("/nowhere/page.html"));
    }
}
