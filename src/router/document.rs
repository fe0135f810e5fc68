//! An HTML document as a tree: html5ever parses into it, `page.rs` changes it, and it is written as HTML again.
//!
//! All nodes are in one list and refer to each other by index, so a document is one value without reference counts.
//! Nodes that are removed from the tree stay in the list until the document is dropped, which is soon: a page is parsed
//! once per generation of the code.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;

use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::serialize::{Serialize, SerializeOpts, Serializer, TraversalScope, serialize};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{
    Attribute, LocalName, Namespace, ParseOpts, QualName, local_name, ns, parse_document, parse_fragment,
};

/// The deepest nesting of elements. Deeper ones become siblings, as in browsers, so recursive functions cannot overflow
/// the stack.
const MAX_DEPTH: usize = 512;

/// The index of a node in its document's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

/// The document node.
pub(super) const ROOT: Id = Id(0);

/// A parsed document.
#[derive(Debug)]
pub(super) struct Document {
    nodes: Vec<Node>,
}

/// A node with its neighbours.
#[derive(Debug)]
struct Node {
    data: Data,
    parent: Option<Id>,
    previous: Option<Id>,
    next: Option<Id>,
    first: Option<Id>,
    last: Option<Id>,
}

/// The content of a node.
#[derive(Debug)]
pub(super) enum Data {
    /// The document, or the content of the `<template>` that it names.
    Fragment(Option<Id>),
    /// `<!DOCTYPE html>`, with its name.
    Doctype(StrTendril),
    /// Characters.
    Text(StrTendril),
    /// A comment, without `<!--` and `-->`.
    Comment(StrTendril),
    /// An element.
    Element(Element),
}

/// An element without its children.
#[derive(Debug)]
pub(super) struct Element {
    /// With its namespace, and its prefix where it was written with one.
    pub name: QualName,
    /// In the order in which they are written.
    pub attributes: Vec<Attribute>,
    /// The content of a `<template>`, which is no child.
    pub content: Option<Id>,
    is_mathml_integration_point: bool,
}

impl Document {
    /// Parses a document by the HTML standard. Bytes that are not UTF-8 become U+FFFD.
    pub(super) fn parse(html: &[u8]) -> Document {
        let document = Document { nodes: vec![Node::of(Data::Fragment(None))] };
        let sink = Sink { document: RefCell::new(document), root: ROOT };
        parse_document(sink, ParseOpts::default()).from_utf8().one(html)
    }

    /// Parses the content of a template and appends it to `content`.
    pub(super) fn parse_into(&mut self, content: Id, html: &[u8]) {
        let mut document = std::mem::replace(self, Document { nodes: Vec::new() });
        let root = document.add(Data::Fragment(None));
        let sink = Sink { document: RefCell::new(document), root };
        let context = QualName::new(None, ns!(html), local_name!("template"));
        let parser = parse_fragment(sink, ParseOpts::default(), context, Vec::new(), true);
        *self = parser.from_utf8().one(html);
        // A fragment is parsed into an `html` element of its own.
        let html = self.children(root).next();
        if let Some(html) = html {
            self.move_children(html, content);
        }
    }

    /// The content of a node.
    pub(super) fn data(&self, id: Id) -> &Data {
        &self.node(id).data
    }

    /// The element at `id`, if it is one.
    pub(super) fn element(&self, id: Id) -> Option<&Element> {
        match self.data(id) {
            Data::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The element at `id`, to be changed.
    pub(super) fn element_mut(&mut self, id: Id) -> Option<&mut Element> {
        match &mut self.node_mut(id).data {
            Data::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The name of an HTML element; None for other nodes, SVG and MathML.
    pub(super) fn name(&self, id: Id) -> Option<&LocalName> {
        self.element(id).filter(|element| element.name.ns == ns!(html)).map(|element| &element.name.local)
    }

    /// The value of an element's attribute.
    pub(super) fn attribute(&self, id: Id, name: &str) -> Option<&str> {
        let mut attributes = self.element(id)?.attributes.iter();
        attributes.find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
    }

    /// Sets an attribute of an element.
    pub(super) fn set_attribute(&mut self, id: Id, name: &str, value: &str) {
        let Some(element) = self.element_mut(id) else { return };
        match element.attributes.iter_mut().find(|attribute| &*attribute.name.local == name) {
            Some(attribute) => attribute.value = value.into(),
            None => element.attributes.push(attribute(name, value)),
        }
    }

    /// The children of a node, first to last. Those of a template are its content's.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.node(id).first, |child| self.node(*child).next)
    }

    /// The children of an element, or of the content of a template.
    pub(super) fn contents(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.children(self.element(id).and_then(|element| element.content).unwrap_or(id))
    }

    /// The first child that is an element of this name.
    pub(super) fn child(&self, id: Id, name: &LocalName) -> Option<Id> {
        self.children(id).find(|child| self.name(*child) == Some(name))
    }

    /// Every node below `id` in the order of the document, also those in templates.
    pub(super) fn below(&self, id: Id) -> Vec<Id> {
        let mut found = Vec::new();
        let mut waiting: Vec<Id> = self.contents(id).collect();
        waiting.reverse();
        while let Some(next) = waiting.pop() {
            found.push(next);
            let begin = waiting.len();
            waiting.extend(self.contents(next));
            waiting[begin..].reverse();
        }
        found
    }

    /// A new element that is not in the tree yet.
    pub(super) fn create_element(&mut self, name: LocalName, attributes: &[(&str, &str)]) -> Id {
        let is_template = name == local_name!("template");
        let element = Element {
            name: QualName::new(None, ns!(html), name),
            attributes: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            content: None,
            is_mathml_integration_point: false,
        };
        self.add_element(element, is_template)
    }

    /// A new comment that is not in the tree yet.
    pub(super) fn create_comment(&mut self, text: &str) -> Id {
        self.add(Data::Comment(text.into()))
    }

    /// A new doctype of HTML that is not in the tree yet.
    pub(super) fn create_doctype(&mut self) -> Id {
        self.add(Data::Doctype("html".into()))
    }

    /// Inserts a node that is not in the tree before the child `next` of `parent`, or last.
    pub(super) fn insert(&mut self, parent: Id, node: Id, next: Option<Id>) {
        let previous = match next {
            Some(next) => self.node_mut(next).previous.replace(node),
            None => self.node_mut(parent).last.replace(node),
        };
        match previous {
            Some(previous) => self.node_mut(previous).next = Some(node),
            None => self.node_mut(parent).first = Some(node),
        }
        let inserted = self.node_mut(node);
        (inserted.parent, inserted.previous, inserted.next) = (Some(parent), previous, next);
    }

    /// Removes a node from the tree.
    pub(super) fn detach(&mut self, id: Id) {
        let node = self.node_mut(id);
        let (parent, previous, next) = (node.parent.take(), node.previous.take(), node.next.take());
        let Some(parent) = parent else { return };
        match previous {
            Some(previous) => self.node_mut(previous).next = next,
            None => self.node_mut(parent).first = next,
        }
        match next {
            Some(next) => self.node_mut(next).previous = previous,
            None => self.node_mut(parent).last = previous,
        }
    }

    /// A node as HTML, with its content.
    pub(super) fn html(&self, id: Id) -> String {
        self.serialized(id, TraversalScope::IncludeNode)
    }

    /// The content of a node as HTML.
    pub(super) fn inner_html(&self, id: Id) -> String {
        self.serialized(id, TraversalScope::ChildrenOnly(None))
    }

    fn serialized(&self, id: Id, traversal_scope: TraversalScope) -> String {
        let mut html = Vec::new();
        let options = SerializeOpts { traversal_scope, ..SerializeOpts::default() };
        serialize(&mut html, &Part { document: self, id }, options).expect("writing to memory does not fail");
        String::from_utf8(html).expect("the serializer writes text")
    }

    /// Whether a parser would drop the first character in an element, a line break.
    fn drops_line_break(&self, id: Id) -> bool {
        let drops = [local_name!("pre"), local_name!("textarea"), local_name!("listing")];
        let first = self.node(id).first.map(|first| self.data(first));
        self.name(id).is_some_and(|name| drops.contains(name))
            && matches!(first, Some(Data::Text(text)) if text.starts_with('\n'))
    }

    fn move_children(&mut self, from: Id, to: Id) {
        while let Some(child) = self.node(from).first {
            self.detach(child);
            self.insert(to, child, None);
        }
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    fn add(&mut self, data: Data) -> Id {
        let id = Id(u32::try_from(self.nodes.len()).expect("memory ends before 2^32 nodes"));
        self.nodes.push(Node::of(data));
        id
    }

    fn add_element(&mut self, element: Element, is_template: bool) -> Id {
        let id = self.add(Data::Element(element));
        if is_template {
            let content = self.add(Data::Fragment(Some(id)));
            self.element_mut(id).expect("it was added as an element").content = Some(content);
        }
        id
    }

    /// Inserts a new node or more text before `next`, or last.
    fn put(&mut self, parent: Id, new: NodeOrText<Id>, next: Option<Id>) {
        let node = match new {
            NodeOrText::AppendNode(node) => node,
            NodeOrText::AppendText(more) => {
                let before = next.map_or(self.node(parent).last, |next| self.node(next).previous);
                if let Some(before) = before
                    && let Data::Text(text) = &mut self.node_mut(before).data
                {
                    return text.push_tendril(&more);
                }
                self.add(Data::Text(more))
            }
        };
        self.detach(node);
        self.insert(parent, node, next);
    }

    /// `parent`, or its nearest ancestor whose children are not nested too deeply.
    fn shallow(&self, parent: Id) -> Id {
        let above = |id: &Id| match self.data(*id) {
            Data::Fragment(template) => *template,
            _ => self.node(*id).parent,
        };
        let depth = std::iter::successors(Some(parent), above).count();
        let excess = depth.saturating_sub(MAX_DEPTH);
        std::iter::successors(Some(parent), above).nth(excess).unwrap_or(parent)
    }
}

impl Node {
    fn of(data: Data) -> Node {
        Node { data, parent: None, previous: None, next: None, first: None, last: None }
    }
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: QualName::new(None, ns!(), name.into()), value: value.into() }
}

/// A node of a document that is written as HTML.
struct Part<'a> {
    document: &'a Document,
    id: Id,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: &mut S, scope: TraversalScope) -> io::Result<()> {
        let Part { document, id } = *self;
        match (&scope, document.data(id)) {
            (TraversalScope::IncludeNode, Data::Element(element)) => {
                let attributes = element.attributes.iter().map(|it| (&it.name, &*it.value));
                serializer.start_elem(element.name.clone(), attributes)?;
                if document.drops_line_break(id) {
                    serializer.write_text("\n")?;
                }
                self.serialize(serializer, TraversalScope::ChildrenOnly(None))?;
                serializer.end_elem(element.name.clone())
            }
            (_, Data::Doctype(name)) => serializer.write_doctype(name),
            (_, Data::Text(text)) => serializer.write_text(text),
            (_, Data::Comment(text)) => serializer.write_comment(text),
            (_, Data::Element(_) | Data::Fragment(_)) => {
                let mut children = document.contents(id);
                children.try_for_each(|id| {
                    Part { document, id }.serialize(serializer, TraversalScope::IncludeNode)
                })
            }
        }
    }
}

/// The sink that html5ever parses into.
struct Sink {
    document: RefCell<Document>,
    root: Id,
}

/// An element's name, for html5ever.
#[derive(Debug)]
struct Name(QualName);

impl ElemName for Name {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl TreeSink for Sink {
    type Handle = Id;
    type Output = Document;
    type ElemName<'a> = Name;

    fn finish(self) -> Document {
        self.document.into_inner()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Id {
        self.root
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn same_node(&self, one: &Id, other: &Id) -> bool {
        one == other
    }

    fn elem_name<'a>(&'a self, target: &'a Id) -> Name {
        let document = self.document.borrow();
        Name(document.element(*target).expect("the parser asks for the names of elements").name.clone())
    }

    fn get_template_contents(&self, target: &Id) -> Id {
        let document = self.document.borrow();
        let content = document.element(*target).and_then(|element| element.content);
        content.expect("the parser asks for the content of templates")
    }

    fn is_mathml_annotation_xml_integration_point(&self, target: &Id) -> bool {
        let document = self.document.borrow();
        document.element(*target).is_some_and(|element| element.is_mathml_integration_point)
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Id {
        let is_mathml_integration_point = flags.mathml_annotation_xml_integration_point;
        let element = Element { name, attributes, content: None, is_mathml_integration_point };
        self.document.borrow_mut().add_element(element, flags.template)
    }

    fn create_comment(&self, text: StrTendril) -> Id {
        self.document.borrow_mut().add(Data::Comment(text))
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> Id {
        // HTML has no processing instructions: the tokenizer makes comments of them.
        self.create_comment(format!("?{target} {data}").into())
    }

    fn append(&self, parent: &Id, child: NodeOrText<Id>) {
        let mut document = self.document.borrow_mut();
        let parent = document.shallow(*parent);
        document.put(parent, child, None);
    }

    fn append_before_sibling(&self, sibling: &Id, child: NodeOrText<Id>) {
        let mut document = self.document.borrow_mut();
        let parent = document.node(*sibling).parent.expect("the parser names siblings that have a parent");
        document.put(parent, child, Some(*sibling));
    }

    fn append_based_on_parent_node(&self, element: &Id, previous: &Id, child: NodeOrText<Id>) {
        let has_parent = self.document.borrow().node(*element).parent.is_some();
        if has_parent { self.append_before_sibling(element, child) } else { self.append(previous, child) }
    }

    fn append_doctype_to_document(&self, name: StrTendril, _: StrTendril, _: StrTendril) {
        let mut document = self.document.borrow_mut();
        let doctype = document.add(Data::Doctype(name));
        document.insert(self.root, doctype, None);
    }

    fn add_attrs_if_missing(&self, target: &Id, attributes: Vec<Attribute>) {
        let mut document = self.document.borrow_mut();
        let Some(element) = document.element_mut(*target) else { return };
        for attribute in attributes {
            if element.attributes.iter().all(|known| known.name != attribute.name) {
                element.attributes.push(attribute);
            }
        }
    }

    fn remove_from_parent(&self, target: &Id) {
        self.document.borrow_mut().detach(*target);
    }

    fn reparent_children(&self, node: &Id, new_parent: &Id) {
        self.document.borrow_mut().move_children(*node, *new_parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(html: &str) -> String {
        Document::parse(html.as_bytes()).inner_html(ROOT)
    }

    /// Whether every node is the neighbour that its neighbours name.
    fn assert_whole(document: &Document) {
        for (at, node) in document.nodes.iter().enumerate() {
            let id = Id(at as u32);
            let children: Vec<Id> = document.children(id).collect();
            assert_eq!((children.first(), children.last()), (node.first.as_ref(), node.last.as_ref()));
            for (place, child) in children.iter().enumerate() {
                let child = document.node(*child);
                assert_eq!(child.parent, Some(id));
                assert_eq!(child.previous, place.checked_sub(1).map(|place| children[place]));
                assert_eq!(child.next, children.get(place + 1).copied());
            }
        }
    }

    #[test]
    fn parse_serialize_well_formed_is_unchanged() {
        for html in [
            r#"<!DOCTYPE html><html lang="en"><head><title>A &amp; B</title></head><body><p>x</p></body></html>"#,
            "<html><head></head><body><!--c--><pre>\n\na</pre><br><textarea>&lt;</textarea></body></html>",
            r#"<html><head><template def="a"><tr><td>1</td></tr></template></head><body></body></html>"#,
            r##"<html><head></head><body><svg viewBox="0 0 1 1"><a xlink:href="#a"></a></svg></body></html>"##,
            "<html><head><script>a < b && c</script></head><body><math><mi>x</mi></math></body></html>",
        ] {
            assert_eq!(again(html), html);
        }
    }

    #[test]
    fn parse_repairs_as_the_standard_says() {
        let body = |inner: &str| format!("<html><head></head><body>{inner}</body></html>");
        for (html, expected) in [
            ("<b><p>1</b>2", "<b></b><p><b>1</b>2</p>"),
            ("<table>a<tr><td>b", "a<table><tbody><tr><td>b</td></tr></tbody></table>"),
            ("<table><tr>a<b>c</b><td>d", "a<b>c</b><table><tbody><tr><td>d</td></tr></tbody></table>"),
            ("<?{ a }?>b<!--{ c }-->", "<!--?{ a }?-->b<!--{ c }-->"),
            ("<li>1<li>2", "<li>1</li><li>2</li>"),
            ("a\u{0}<p>\u{ff}", "a<p>\u{ff}</p>"),
            ("<a><a>x", "<a></a><a>x</a>"),
        ] {
            let shown = again(html);
            // A bogus comment before the body stands before the document's element.
            assert_eq!(
                shown.replace("<!--?{ a }?--><html>", "<html>"),
                match html.starts_with("<?") {
                    true => body("b<!--{ c }-->"),
                    false => body(expected),
                },
                "{html}"
            );
        }
    }

    #[test]
    fn parse_into_template_content_needs_no_table_around_it() {
        let mut document = Document::parse(b"<template def=a></template>");
        let template = document.below(ROOT).into_iter().find(|id| document.attribute(*id, "def").is_some());
        let template = template.expect("it is there");
        let content = document.element(template).and_then(|element| element.content).expect("it is one");
        document.parse_into(content, b"<tr><td>1</td></tr><template def=b>x</template>");
        assert_eq!(
            document.html(template),
            r#"<template def="a"><tr><td>1</td></tr><template def="b">x</template></template>"#
        );
        assert_whole(&document);
    }

    #[test]
    fn parse_deep_nesting_ends_at_the_limit() {
        let document = Document::parse("<div>".repeat(3_000).as_bytes());
        let depth = |id| std::iter::successors(Some(id), |id: &Id| document.node(*id).parent).count();
        let deepest = document.below(ROOT).into_iter().map(depth).max();
        assert!(deepest.is_some_and(|depth| depth <= MAX_DEPTH + 1), "{deepest:?}");
        assert_eq!(document.inner_html(ROOT).matches("<div>").count(), 3_000);
    }

    proptest! {
        #[test]
        fn parse_anything_is_a_tree_that_parses_to_itself(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<b>", "</b>", "<p>", "</p>", "<table>", "</table>", "<tr>", "<td>", "<template>", "</template>",
                "<select>", "<option>", "<a href=x>", "</a>", "text", "<!--c-->", "<?{ x }?>", "<svg>", "</svg>",
                "<title>", "</title>", "<frameset>", "<body a=1>", "<html b=2>", "<form>", "</form>", "<li>", "<br>",
                "<textarea>\n", "</textarea>", "<math>", "<annotation-xml encoding=text/html>", "&lt;", "<nobr>",
            ]), 0..40),
        ) {
            let document = Document::parse(parts.concat().as_bytes());
            assert_whole(&document);
            // Nothing is lost when it is written and read again.
            let html = document.inner_html(ROOT);
            prop_assert!(again(&html).matches("text").count() >= html.matches("text").count());
        }
    }
}
