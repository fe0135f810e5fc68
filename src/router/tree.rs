//! The table of routes: a tree, and the search for the node of a path.
//!
//! Built once from what `scan.rs` and the dialects found, and never changed. A node exists for every folder with a server
//! handler or a page in it or below it. The steps of each node are computed beforehand, so resolving a path allocates
//! nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::page::Page;
use super::path::{decoded, is_name, segments};
use super::scan::{Folder, FoundHandler};
use super::views::Sources;

/// The folder that stands for any one segment.
const WILDCARD: &str = "-";

/// Where a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Layer {
    /// In this process, where it answers requests.
    Server,
    /// In the page.
    Client,
    /// In the page's service worker.
    Worker,
}

/// What a file of a dialect does for its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// It answers requests: it is a step on the way to every path below its route.
    Step,
    /// It answers every request, in the name of all files of an application.
    Application,
    /// It is loaded, and other files of its dialect use it. It is no step.
    Module,
}

/// A handler's file. Prints as `server /products/- <path of the file>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handler {
    /// Its index in [`Routes::handlers`].
    pub id: u32,
    /// The folders above it as a path, e.g. `/products/-`.
    pub pattern: String,
    /// The real file, links followed. Two handlers share one when a link shows a folder twice.
    pub path: PathBuf,
    /// Where it runs.
    pub layer: Layer,
    /// The name of the dialect that found it.
    pub dialect: &'static str,
    /// What the file does for its route.
    pub part: Part,
}

/// The index of a [`Node`] in [`Routes::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub u32);

/// The index of a [`Page`] in [`Routes::pages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PageId(pub u32);

/// A node of the tree: the end of a path, or the last folder that exists on its way.
#[derive(Debug)]
pub(crate) struct Node {
    /// The folders down to here as a path, e.g. `/products/-`; the root is `/`.
    pub pattern: String,
    /// The server handlers that run, in order: the root's first, this folder's own last.
    pub steps: Vec<Step>,
    /// What browsers are shown here: the page of this folder, or else of the nearest one above.
    pub page: Option<PageId>,
    /// Where that page is this folder's own: how many segments a path has that ends at this node.
    pub own_page: Option<u32>,
    /// What people are shown when something goes wrong: the error page of this folder, or of the nearest one above.
    pub error_page: Option<PageId>,
    /// Whether the last step is this folder's own.
    answers: bool,
    /// Sorted by name.
    literals: Vec<(String, NodeId)>,
    wildcard: Option<NodeId>,
}

/// A handler that runs on the way to a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its index in [`Routes::handlers`].
    pub handler: u32,
    /// How many segments of the path are consumed when it runs; 0 for the root's.
    pub depth: u32,
}

/// Every handler and page of an application, and which of them belong to a path.
#[derive(Debug)]
pub(crate) struct Routes {
    handlers: Vec<Handler>,
    /// The root is the first and always there.
    nodes: Vec<Node>,
    pages: Vec<Page>,
    sources: Arc<Sources>,
}

impl Routes {
    /// Routes without handlers and pages.
    pub(crate) fn none() -> Routes {
        Routes::of(&Folder::default(), Arc::default())
    }

    /// The table of these folders.
    pub(super) fn of(root: &Folder, sources: Arc<Sources>) -> Routes {
        let mut routes = Routes { handlers: Vec::new(), nodes: Vec::new(), pages: Vec::new(), sources };
        routes.add(root, "/", 0, (&[], None, None));
        routes
    }

    /// The files that pages were made of so far.
    pub(crate) fn page_files(&self) -> Vec<PathBuf> {
        self.sources.files()
    }

    /// Every handler of every layer, folder by folder, parents first, names in order.
    pub(crate) fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// Every place a path can end at, in the same order.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every page, also of folders where no request ends.
    pub(crate) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// One of [`Routes::pages`].
    pub(crate) fn page(&self, id: PageId) -> Option<&Page> {
        self.pages.get(id.0 as usize)
    }

    /// The page that shows the states of a path.
    pub(crate) fn page_of(&self, path: &str) -> Option<&Page> {
        self.page(self.node(self.resolve(path)).page?)
    }

    /// The node that [`resolve`](Routes::resolve) found.
    ///
    /// # Panics
    /// When `id` comes from other routes and is not one of these.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The deepest node that a URL path reaches. `path` has no query; its escapes are still in it.
    ///
    /// At each segment the folder of that name is taken, if it has a handler; else `-`, if that has
    /// one; else whichever of the two leads on to the next segment, the name before `-`. A segment
    /// that is no folder's name (`.`, `..`, broken UTF-8) ends the walk, as an unknown one does.
    pub(crate) fn resolve(&self, path: &str) -> NodeId {
        let mut at = NodeId(0);
        let mut rest = segments(path).peekable();
        while let Some(segment) = rest.next() {
            match self.below(at, segment, rest.peek().copied()) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn below(&self, at: NodeId, segment: &str, following: Option<&str>) -> Option<NodeId> {
        let (literal, wildcard) = match self.candidates(at, segment) {
            (Some(literal), Some(wildcard)) => (literal, wildcard),
            (one, other) => return one.or(other),
        };
        let prefer_wildcard = match (self.node(literal).answers, self.node(wildcard).answers) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => {
                following.is_some_and(|next| !self.leads_to(literal, next) && self.leads_to(wildcard, next))
            }
        };
        Some(if prefer_wildcard { wildcard } else { literal })
    }

    fn leads_to(&self, at: NodeId, segment: &str) -> bool {
        self.candidates(at, segment) != (None, None)
    }

    /// The folder of the segment's name and the folder `-`, as far as they exist.
    fn candidates(&self, at: NodeId, segment: &str) -> (Option<NodeId>, Option<NodeId>) {
        let Node { literals, wildcard, .. } = self.node(at);
        let literal = literals
            .binary_search_by(|(name, _)| name.bytes().cmp(decoded(segment)))
            .ok()
            .map(|index| literals[index].1);
        (literal, wildcard.filter(|_| is_name(segment)))
    }

    /// Adds the handlers of `folder` and of all folders below it, and a node for each folder that answers or has a page.
    fn add(
        &mut self,
        folder: &Folder,
        pattern: &str,
        depth: u32,
        (above, page, error_page): (&[Step], Option<PageId>, Option<PageId>),
    ) -> Option<NodeId> {
        let mut steps = above.to_vec();
        let mut add_page = |pattern: &str, path: &Path| {
            let id = PageId(index(self.pages.len()));
            self.pages.push(Page::new(pattern, path.to_owned(), self.sources.clone()));
            Some(id)
        };
        let page = folder.page.as_ref().map_or(page, |found| add_page(pattern, &found.file));
        // The id of no route's page begins so, so no route's state is shown in it.
        let error_name = format!("error:{pattern}");
        let error_page = folder.error_page.as_ref().map_or(error_page, |path| add_page(&error_name, path));
        for FoundHandler { layer, path, dialect, part, shown } in &folder.handlers {
            let id = index(self.handlers.len());
            if *layer == Layer::Server && *part != Part::Module {
                steps.push(Step { handler: id, depth });
            }
            let (pattern, path) = (shown.as_deref().unwrap_or(pattern).to_owned(), path.clone());
            self.handlers.push(Handler { id, pattern, path, layer: *layer, dialect, part: *part });
        }

        let at = self.nodes.len();
        self.nodes.push(Node {
            pattern: pattern.to_owned(),
            answers: steps.len() > above.len(),
            steps: steps.clone(),
            page,
            own_page: folder.page.as_ref().filter(|page| page.is_own).map(|_| depth),
            error_page,
            literals: Vec::new(),
            wildcard: None,
        });
        for child in &folder.folders {
            let pattern = format!("{}/{}", pattern.trim_end_matches('/'), child.name);
            let Some(below) = self.add(child, &pattern, depth + 1, (&steps, page, error_page)) else {
                continue;
            };
            if child.name == WILDCARD {
                self.nodes[at].wildcard = Some(below);
            } else {
                self.nodes[at].literals.push((child.name.clone(), below));
            }
        }

        let node = &self.nodes[at];
        let serves = node.answers || node.own_page.is_some() || folder.error_page.is_some();
        if !serves && node.literals.is_empty() && node.wildcard.is_none() && depth > 0 {
            // Nodes below were removed for the same reason, so this node is the last.
            self.nodes.pop();
            return None;
        }
        Some(NodeId(index(at)))
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a disk lists fewer folders than 2^32")
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Layer::Server => "server",
            Layer::Client => "client",
            Layer::Worker => "worker",
        })
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.layer, self.pattern, self.path.display())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::router::scan::FoundPage;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use proptest::sample::select;
    use std::collections::BTreeSet;

    /// Routes whose server handlers stand at these patterns.
    pub(crate) fn routes(patterns: &[impl AsRef<str>]) -> Routes {
        let mut root = Folder::default();
        for pattern in patterns {
            place(&mut root, pattern.as_ref(), Layer::Server);
        }
        Routes::of(&root, Arc::default())
    }

    fn found(file: &str) -> FoundPage {
        FoundPage { file: file.into(), is_own: true }
    }

    fn place(root: &mut Folder, pattern: &str, layer: Layer) {
        let path = PathBuf::from(format!("{pattern}/handler.{layer}.js"));
        root.at(pattern).handlers.push(FoundHandler {
            layer,
            path,
            dialect: "webflo",
            part: Part::Step,
            shown: None,
        });
    }

    /// The patterns of the handlers that `path` asks, each with its depth.
    pub(crate) fn asked<'a>(routes: &'a Routes, path: &str) -> Vec<(&'a str, u32)> {
        let steps = &routes.node(routes.resolve(path)).steps;
        steps
            .iter()
            .map(|step| (routes.handlers[step.handler as usize].pattern.as_str(), step.depth))
            .collect()
    }

    fn ends_at<'a>(routes: &'a Routes, path: &str) -> &'a str {
        &routes.node(routes.resolve(path)).pattern
    }

    #[test]
    fn resolve_every_folder_answers_all_asked_in_order() {
        let routes = routes(&["/", "/products", "/products/-"]);
        assert_eq!(asked(&routes, "/products/7"), [("/", 0), ("/products", 1), ("/products/-", 2)]);
    }

    #[test]
    fn resolve_folder_without_handler_walked_through() {
        let routes = routes(&["/", "/a/b"]);
        assert_eq!(asked(&routes, "/a/b"), [("/", 0), ("/a/b", 2)]);
    }

    #[test]
    fn resolve_no_root_handler_starts_below() {
        let routes = routes(&["/a"]);
        assert_eq!(asked(&routes, "/a"), [("/a", 1)]);
        assert_eq!(asked(&routes, "/"), []);
        assert_eq!(ends_at(&routes, "/b"), "/");
    }

    #[test]
    fn resolve_wildcard_with_handler_beats_a_mere_folder() {
        let routes = routes(&["/-", "/a/b"]);
        assert_eq!(asked(&routes, "/a/b"), [("/-", 1)]);
        assert_eq!(ends_at(&routes, "/a/b"), "/-");
    }

    #[test]
    fn resolve_root_alone_asked_for_everything() {
        let routes = routes(&["/"]);
        for path in ["", "/", "/index.html", "/a/b/c"] {
            assert_eq!(asked(&routes, path), [("/", 0)], "{path}");
        }
    }

    #[test]
    fn resolve_other_layers_recorded_but_never_asked() {
        let mut root = Folder::default();
        place(&mut root, "/", Layer::Server);
        place(&mut root, "/", Layer::Client);
        place(&mut root, "/a", Layer::Worker);
        place(&mut root, "/b", Layer::Server);
        let routes = Routes::of(&root, Arc::default());
        let printed: Vec<_> = routes.handlers().iter().map(Handler::to_string).collect();
        assert_eq!(
            printed,
            [
                "server / //handler.server.js",
                "client / //handler.client.js",
                "worker /a /a/handler.worker.js",
                "server /b /b/handler.server.js"
            ]
        );
        assert!(routes.handlers().iter().enumerate().all(|(index, handler)| handler.id as usize == index));
        assert_eq!(asked(&routes, "/a"), [("/", 0)]);
        assert_eq!(asked(&routes, "/b"), [("/", 0), ("/b", 1)]);
        let nodes: Vec<_> = routes.nodes().iter().map(|node| node.pattern.as_str()).collect();
        assert_eq!(nodes, ["/", "/b"]);
    }

    #[test]
    fn resolve_page_is_the_nearest_one_upwards() {
        let mut root = Folder::default();
        for pattern in ["/", "/a", "/a/b/c", "/d"] {
            place(&mut root, pattern, Layer::Server);
        }
        root.folders[0].page = Some(found("a/page.html"));
        let routes = Routes::of(&root, Arc::default());
        let page = |path| {
            let page = routes.node(routes.resolve(path)).page?;
            routes.page(page).map(|page| page.id.as_str())
        };
        assert_eq!(page("/a"), Some("/a"));
        assert_eq!(page("/a/b/c"), Some("/a"));
        assert_eq!((page("/"), page("/d")), (None, None));
    }

    #[test]
    fn resolve_page_alone_is_reached_where_no_handler_is_asked_instead() {
        let mut root = Folder::default();
        for pattern in ["/a", "/b/-", "/b/c", "/-/x"] {
            place(&mut root, pattern, Layer::Server);
        }
        let page = |name: &str| Folder {
            name: name.to_owned(),
            page: Some(found("page.html")),
            ..Folder::default()
        };
        root.folders[2].folders.push(page("d"));
        root.folders.push(page("e"));
        let routes = Routes::of(&root, Arc::default());
        let own_page = |path| routes.node(routes.resolve(path)).own_page;
        assert_eq!((own_page("/e"), own_page("/b/d"), own_page("/a")), (Some(1), None, None));
        assert_eq!(asked(&routes, "/b/d"), [("/b/-", 2)]);
        assert_eq!(asked(&routes, "/e/x"), [("/-/x", 2)]);
    }

    #[test]
    fn resolve_nothing_on_disk_ends_at_the_root() {
        let routes = routes(&[] as &[&str]);
        assert_eq!(asked(&routes, "/a"), []);
        assert_eq!(ends_at(&routes, "/a"), "/");
    }

    #[test]
    fn resolve_literal_with_handler_beats_the_wildcard() {
        let routes = routes(&["/a", "/-", "/-/b"]);
        assert_eq!(asked(&routes, "/a/b"), [("/a", 1)]);
        assert_eq!(asked(&routes, "/c/b"), [("/-", 1), ("/-/b", 2)]);
    }

    #[test]
    fn resolve_two_mere_folders_next_segment_decides() {
        let routes = routes(&["/a/x", "/-/y", "/a/both", "/-/both"]);
        assert_eq!(asked(&routes, "/a/x"), [("/a/x", 2)]);
        assert_eq!(asked(&routes, "/a/y"), [("/-/y", 2)]);
        assert_eq!(asked(&routes, "/a/both"), [("/a/both", 2)]);
        assert_eq!(ends_at(&routes, "/a/none"), "/a");
        assert_eq!(ends_at(&routes, "/a"), "/a");
    }

    #[test]
    fn resolve_empty_segments_dropped_and_not_counted() {
        let routes = routes(&["/a/b"]);
        assert_eq!(asked(&routes, "//a///b/"), [("/a/b", 2)]);
    }

    #[test]
    fn resolve_escapes_compared_with_names() {
        let routes = routes(&["/café au lait", "/%zz"]);
        assert_eq!(ends_at(&routes, "/caf%C3%A9%20au%20lait"), "/café au lait");
        assert_eq!(ends_at(&routes, "/c%61fé%20au%20lait"), "/café au lait");
        assert_eq!(ends_at(&routes, "/%zz"), "/%zz");
        assert_eq!(ends_at(&routes, "/%25zz"), "/%zz");
    }

    #[test]
    fn resolve_segment_that_is_no_name_matches_nothing() {
        let routes = routes(&["/", "/a", "/a/-", "/-", "/a/-/b"]);
        for path in ["/a/..", "/a/.", "/a/%2e%2E/b", "/a/.%2e/b", "/a/%ff", "/a/%c3/b"] {
            assert_eq!(asked(&routes, path), [("/", 0), ("/a", 1)], "{path}");
        }
        assert_eq!(asked(&routes, "/../a"), [("/", 0)]);
    }

    #[test]
    fn resolve_escaped_slash_stays_in_its_segment() {
        let routes = routes(&["/a/b", "/-"]);
        assert_eq!(asked(&routes, "/a%2Fb"), [("/-", 1)]);
    }

    /// The rules of resolution over the set of patterns, without a tree.
    fn model(patterns: &BTreeSet<Vec<String>>, path: &str) -> Vec<String> {
        let answers = |at: &[String]| patterns.contains(at);
        let exists = |at: &[String]| patterns.iter().any(|pattern| pattern.starts_with(at));
        let children = |at: &[String], segment: &str| -> Vec<Vec<String>> {
            let name = percent_decode_str(segment).decode_utf8();
            let Some(name) = name.ok().filter(|name| name != "." && name != "..") else { return Vec::new() };
            let mut children = vec![[at, &[name.into_owned()]].concat(), [at, &["-".to_owned()]].concat()];
            children.dedup();
            children.retain(|child| exists(child));
            children
        };
        let rest: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let mut at = Vec::new();
        for (number, segment) in rest.iter().enumerate() {
            let children_here = children(&at, segment);
            let leads_on = |child: &&Vec<String>| {
                rest.get(number + 1).is_some_and(|next| !children(child.as_slice(), next).is_empty())
            };
            let chosen = children_here
                .iter()
                .find(|child| answers(child))
                .or_else(|| children_here.iter().find(leads_on))
                .or(children_here.first());
            match chosen {
                Some(child) => at = child.clone(),
                None => break,
            }
        }
        at
    }

    fn names() -> impl Strategy<Value = Vec<String>> {
        let name = prop_oneof![
            3 => Just("-"),
            6 => select(vec!["a", "b", "c"]),
            2 => select(vec!["é", "a b", "%zz", "...", "a%2Fb"]),
        ];
        prop::collection::vec(name.prop_map(str::to_owned), 0..5)
    }

    pub(crate) fn trees() -> impl Strategy<Value = BTreeSet<Vec<String>>> {
        prop::collection::btree_set(names(), 0..12)
    }

    pub(crate) fn paths() -> impl Strategy<Value = String> {
        let segment = prop_oneof![
            8 => select(vec!["a", "b", "c", "d"]),
            2 => select(vec!["-", "%2D", "%61", "%C3%A9", "é", "a%20b", "%zz", "%25zz", "a%2Fb"]),
            1 => select(vec!["", ".", "..", "%2e%2E", ".%2e", "%", "%ff", "%c3", "%c3%28", "..."]),
        ];
        prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
    }

    fn pattern(names: &[String]) -> String {
        format!("/{}", names.join("/"))
    }

    pub(crate) fn routes_of(tree: &BTreeSet<Vec<String>>) -> Routes {
        routes(&tree.iter().map(|names| pattern(names)).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn resolve_any_tree_and_path_as_the_model(
            tree in trees(),
            paths in prop::collection::vec(paths(), 1..8),
        ) {
            let routes = routes_of(&tree);
            for path in paths {
                let end = model(&tree, &path);
                let expected: Vec<_> = (0..=end.len())
                    .filter(|depth| tree.contains(&end[..*depth]))
                    .map(|depth| (pattern(&end[..depth]), depth as u32))
                    .collect();
                let asked = asked(&routes, &path);
                let found: Vec<_> =
                    asked.into_iter().map(|(pattern, depth)| (pattern.to_owned(), depth)).collect();
                prop_assert_eq!(ends_at(&routes, &path), pattern(&end), "{}", path);
                prop_assert_eq!(found, expected, "{}", path);
            }
        }

        #[test]
        fn resolve_any_text_reaches_a_node(tree in trees(), path in any::<String>()) {
            let routes = routes_of(&tree);
            prop_assert!((routes.resolve(&path).0 as usize) < routes.nodes().len());
        }
    }
}
