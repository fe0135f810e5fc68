//! The tree of routes, and the walk from a path to the handlers it asks.
//!
//! Built once from what `scan.rs` found and never changed. A node exists for every folder that has
//! a server handler, in itself or below; all that a request needs is worked out beforehand, so that
//! resolving a path allocates nothing.

use std::fmt;
use std::path::PathBuf;

use super::layout::Layout;
use super::path::{decoded, is_name, segments};
use super::scan::{self, Folder, ScanError};

/// The folder that stands for any one segment.
const WILDCARD: &str = "-";

/// Where a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// In this process; the only layer that answers requests here.
    Server,
    /// In the page.
    Client,
    /// In the page's service worker.
    Worker,
}

/// A handler's file. Prints as `server /products/- <path of the file>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Its index in [`Routes::handlers`].
    pub id: u32,
    /// The folders above it as a path, e.g. `/products/-`.
    pub pattern: String,
    /// The real file, links followed. Two handlers share one when a link shows a folder twice.
    pub path: PathBuf,
    /// Where it runs.
    pub layer: Layer,
}

/// The index of a [`Node`] in [`Routes::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub u32);

/// A place in the tree that a path can end at, or fall off from.
#[derive(Debug)]
pub struct Node {
    /// The folders down to here as a path, e.g. `/products/-`; the root is `/`.
    pub pattern: String,
    /// The server handlers to ask, in order: the root's first, this folder's own last.
    pub steps: Vec<Step>,
    /// Whether the last step is this folder's own.
    answers: bool,
    /// Sorted by name.
    literals: Vec<(String, NodeId)>,
    wildcard: Option<NodeId>,
}

/// One handler asked on the way to a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its index in [`Routes::handlers`].
    pub handler: u32,
    /// How many segments of the path are consumed when it runs; 0 for the root's.
    pub depth: u32,
}

/// Every handler of an application, and which of them a path asks.
#[derive(Debug)]
pub struct Routes {
    handlers: Vec<Handler>,
    /// The root is the first and always there.
    nodes: Vec<Node>,
}

impl Routes {
    /// Reads the routes folder.
    pub fn scan(layout: &Layout) -> Result<Routes, ScanError> {
        scan::scan(layout).map(|root| Routes::from(&root))
    }

    /// Every handler of every layer, folder by folder, parents first, names in order.
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// Every place a path can end at, in the same order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that [`resolve`](Routes::resolve) found.
    ///
    /// # Panics
    /// When `id` comes from other routes and is not one of these.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The deepest node that a URL path reaches. `path` has no query; its escapes are still in it.
    ///
    /// At each segment the folder of that name is taken, if it has a handler; else `-`, if that has
    /// one; else whichever of the two leads on to the next segment, the name before `-`. A segment
    /// that is no folder's name (`.`, `..`, broken UTF-8) ends the walk, as an unknown one does.
    pub fn resolve(&self, path: &str) -> NodeId {
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

    /// Adds the handlers of `folder` and of all below it, and their nodes if they serve anything.
    fn add(&mut self, folder: &Folder, pattern: String, depth: u32, above: &[Step]) -> NodeId {
        let id = NodeId(index(self.nodes.len()));
        let mut steps = above.to_vec();
        for (layer, path) in &folder.handlers {
            let handler = self.add_handler(&pattern, path, *layer);
            if *layer == Layer::Server {
                steps.push(Step { handler, depth });
            }
        }
        let answers = steps.len() > above.len();
        let below = steps.clone();
        self.nodes.push(Node { pattern: pattern.clone(), steps, answers, literals: Vec::new(), wildcard: None });
        for child in &folder.folders {
            self.add_below(id, child, &pattern, depth + 1, &below);
        }
        id
    }
}
