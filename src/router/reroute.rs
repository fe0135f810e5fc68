//! Resolves the target of a handler's `next(url)`.
//!
//! Only text is computed here: the caller resolves [`Reroute::path`] like any other path, and skips the steps up to
//! [`Reroute::skip_depth`].
//!
//! An absolute path starts again at the root, whose handler runs again, so a guard there also sees internal calls. A
//! relative path starts from the path consumed so far, as if that were a folder (`/products` and `7` make `/products/7`),
//! and handlers on the part that both paths share do not run again. So a relative re-route always makes progress; a
//! handler that re-routes to an absolute path has to end the recursion itself.

use std::fmt::Write;

use thiserror::Error;

use super::path::{is_current, is_parent, same_segment, segments};

/// Characters that a URL escapes in a path, besides controls and characters that are not ASCII.
const ESCAPED_IN_PATH: &str = " \"<>?^`{}";
/// The same for a query.
const ESCAPED_IN_QUERY: &str = " \"<>'";

/// A re-route, ready to be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reroute {
    /// An absolute path without dot segments. It ends in `/` if the target did.
    pub path: String,
    /// The target's query, if it has one. The current query is not inherited.
    pub query: Option<String>,
    /// Steps up to this depth do not run again; None runs all of them.
    pub skip_depth: Option<u32>,
}

/// Why a handler cannot re-route to a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RerouteError {
    /// There are more `..` than folders.
    #[error("next(\"{target}\") leaves the root: from `{from}` there is no such folder to go up to")]
    AboveRoot {
        /// The target of the handler.
        target: String,
        /// The path it was resolved against.
        from: String,
    },
    /// The target names a scheme or a host.
    #[error("next(\"{target}\") leaves this application: give a path, or use fetch() for other servers")]
    Outbound {
        /// The target of the handler.
        target: String,
    },
}

/// Resolves the target of `next(target)` in a handler that runs at depth `consumed` of `current_path`.
///
/// `target` is a path with or without a query; a fragment is dropped. The caller shortens URLs of this application's
/// own origin to their path: here every target with a scheme or host is outbound.
pub(crate) fn reroute(current_path: &str, consumed: u32, target: &str) -> Result<Reroute, RerouteError> {
    let without_fragment = target.split_once('#').map_or(target, |(before, _)| before);
    let (path, query) = without_fragment.split_once('?').unwrap_or((without_fragment, ""));
    // The URL standard reads `\` as `/`. Otherwise `event.url` would differ from the route.
    let path = path.replace('\\', "/");
    if path.starts_with("//") || has_scheme(&path) {
        return Err(RerouteError::Outbound { target: target.to_owned() });
    }

    let trail: Vec<&str> = segments(current_path).take(consumed as usize).collect();
    let absolute = path.starts_with('/');
    let mut arrived = if absolute { Vec::new() } else { trail.clone() };
    for segment in segments(&path).filter(|segment| !is_current(segment)) {
        if !is_parent(segment) {
            arrived.push(segment);
        } else if arrived.pop().is_none() {
            let from = if absolute { "/".to_owned() } else { joined(&trail, false) };
            return Err(RerouteError::AboveRoot { target: target.to_owned(), from });
        }
    }

    let shared = trail.iter().zip(&arrived).take_while(|(one, other)| same_segment(one, other)).count();
    Ok(Reroute {
        path: joined(&arrived, path.ends_with('/')),
        query: Some(query).filter(|query| !query.is_empty()).map(|query| escaped(query, ESCAPED_IN_QUERY)),
        // The shared part is no longer than the path consumed so far, which fits into 32 bits.
        skip_depth: (!absolute).then_some(u32::try_from(shared).unwrap_or(consumed)),
    })
}

impl Reroute {}

/// Whether the text begins as an absolute URL does: a letter, then letters, digits, `+-.`, then `:`.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|each| each.is_ascii_alphanumeric() || "+-.".contains(each))
}

fn joined(segments: &[&str], trailing_slash: bool) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(&escaped(segment, ESCAPED_IN_PATH));
    }
    if path.is_empty() || trailing_slash {
        path.push('/');
    }
    path
}

/// Escapes characters that a URL cannot contain. Existing escapes stay.
fn escaped(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_graphic() && !also.contains(character) {
            out.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::{asked, paths, routes, routes_of, trees};
    use super::*;
    use proptest::prelude::*;

    fn to(path: &str, skip_depth: Option<u32>) -> Result<Reroute, RerouteError> {
        Ok(Reroute { path: path.to_owned(), query: None, skip_depth })
    }

    /// Whether a step of the new path's node is to run, as `runtime-js/dispatch/` decides it.
    fn asks(reroute: &Reroute, step: &crate::router::Step) -> bool {
        reroute.skip_depth.is_none_or(|skipped| step.depth > skipped)
    }

    #[test]
    fn reroute_absolute_path_asks_the_root_again() {
        let routes = routes(&["/", "/products"]);
        let found = reroute("/cart/1", 1, "/products").unwrap();
        assert_eq!(Ok(found.clone()), to("/products", None));
        let steps = &routes.node(routes.resolve(&found.path)).steps;
        assert!(steps.len() == 2 && steps.iter().all(|step| asks(&found, step)));
    }

    #[test]
    fn reroute_relative_path_starts_from_what_is_consumed() {
        assert_eq!(reroute("/products/7", 1, "8"), to("/products/8", Some(1)));
        assert_eq!(reroute("/products/7", 0, "users/8"), to("/users/8", Some(0)));
        assert_eq!(reroute("/products/7", 2, "./reviews"), to("/products/7/reviews", Some(2)));
    }

    #[test]
    fn reroute_handler_asked_only_below_what_is_shared() {
        let routes = routes(&["/", "/products", "/products/-"]);
        let found = reroute("/products/7", 1, "8").unwrap();
        let steps = &routes.node(routes.resolve(&found.path)).steps;
        let asked: Vec<_> = steps.iter().filter(|step| asks(&found, step)).map(|step| step.depth).collect();
        assert_eq!(asked, [2]);
    }

    #[test]
    fn reroute_upwards_only_shared_ancestors_skipped() {
        assert_eq!(reroute("/products/7", 1, "../users"), to("/users", Some(0)));
        assert_eq!(reroute("/products/7", 2, "../8"), to("/products/8", Some(1)));
        assert_eq!(reroute("/products/7", 2, "../../products/7/x"), to("/products/7/x", Some(2)));
        assert_eq!(reroute("/products/7", 2, "../.."), to("/", Some(0)));
        assert_eq!(reroute("/a/x/b", 3, "../../y/b"), to("/a/y/b", Some(1)));
    }

    #[test]
    fn reroute_same_path_skips_the_caller_too() {
        assert_eq!(reroute("/products/7", 1, "."), to("/products", Some(1)));
        assert_eq!(reroute("/products/7", 1, "7"), to("/products/7", Some(1)));
        assert_eq!(reroute("/caf%C3%A9/7", 2, "../../café/8"), to("/caf%C3%A9/8", Some(1)));
    }

    #[test]
    fn reroute_above_the_root_names_the_target() {
        let error = reroute("/products/7", 1, "../../users").unwrap_err();
        assert_eq!(
            error.to_string(),
            "next(\"../../users\") leaves the root: from `/products` there is no such folder to go up to"
        );
        for target in ["/..", "/a/../../b", "..\\..", "%2e%2E/.%2e", "../../products/7"] {
            let refused = reroute("/products/7", 1, target);
            assert!(matches!(refused, Err(RerouteError::AboveRoot { target: named, .. }) if named == target));
        }
    }

    #[test]
    fn reroute_other_servers_refused() {
        for target in ["https://example.com/a", "//example.com/a", "\\\\example.com", "data:,x", "a:b"] {
            let refused = reroute("/", 0, target);
            assert_eq!(refused, Err(RerouteError::Outbound { target: target.to_owned() }));
        }
        assert_eq!(reroute("/", 0, "./a:b"), to("/a:b", Some(0)));
        assert_eq!(reroute("/", 0, "7:30"), to("/7:30", Some(0)));
    }

    #[test]
    fn reroute_query_kept_and_fragment_dropped() {
        let query = |target| reroute("/a", 1, target).map(|found| (found.path, found.query)).unwrap();
        assert_eq!(query("b?x=1?y#z?q"), ("/a/b".to_owned(), Some("x=1?y".to_owned())));
        assert_eq!(query("?x=//../"), ("/a".to_owned(), Some("x=//../".to_owned())));
        assert_eq!(query("b?"), ("/a/b".to_owned(), None));
        assert_eq!(query("b?q=a 'é'"), ("/a/b".to_owned(), Some("q=a%20%27%C3%A9%27".to_owned())));
    }

    #[test]
    fn reroute_odd_slashes_and_characters_become_a_plain_path() {
        assert_eq!(reroute("//a//b/", 2, "c//d/"), to("/a/b/c/d/", Some(2)));
        assert_eq!(reroute("/a", 1, "b/../c/"), to("/a/c/", Some(1)));
        assert_eq!(reroute("/a", 1, "x y\t%20%zz\"é"), to("/a/x%20y%09%20%zz%22%C3%A9", Some(1)));
    }

    proptest! {
        #[test]
        fn reroute_any_target_makes_a_clean_path(
            current in paths(),
            consumed in 0_u32..8,
            target in any::<String>(),
        ) {
            if let Ok(found) = reroute(&current, consumed, &target) {
                prop_assert!(found.path.starts_with('/') && !found.path.contains("//"));
                prop_assert!(found.path.chars().all(|each| each.is_ascii_graphic() && !"?#\\".contains(each)));
                prop_assert!(found.skip_depth.is_none_or(|skipped| skipped <= consumed));
            }
        }

        /// What is skipped has been asked already: on the current path, at the same depths.
        #[test]
        fn reroute_any_relative_target_skips_only_what_ran(
            mut tree in trees(),
            current in paths(),
            at in any::<prop::sample::Index>(),
            target in paths(),
            up in 0_usize..4,
        ) {
            // A root handler, so that at least one runs on every path.
            tree.insert(Vec::new());
            let routes = routes_of(&tree);
            let ran = asked(&routes, &current);
            let consumed = at.get(&ran).1;
            let target = format!("./{}{}", "../".repeat(up), target.trim_start_matches('/'));
            if let Ok(found) = reroute(&current, consumed, &target) {
                let skipped = found.skip_depth.expect("the target is relative");
                let mut shared = asked(&routes, &found.path);
                shared.retain(|(_, depth)| *depth <= skipped);
                prop_assert!(ran.starts_with(&shared), "{:?} of {:?}", shared, ran);
            }
        }
    }
}
