//! The paths of live lines.

use std::borrow::Cow;

/// Where live lines are joined: this path and the token.
pub(crate) const LINE_PATH: &str = "/.liveline/";
/// The address of a page's user; `runtime-js/dispatch/dispatch.js` answers it.
pub(crate) const USER_PATH: &str = "/.liveline/user";

/// What follows [`LINE_PATH`] in a path, which may begin with more than one slash.
pub(crate) fn line_token(path: &str) -> Option<&str> {
    path.trim_start_matches('/').strip_prefix(LINE_PATH.trim_start_matches('/'))
}

/// A path as it may be logged: without the token of a line, which is enough to join it.
pub(crate) fn path_for_log(path: &str) -> Cow<'_, str> {
    match line_token(path) {
        Some(_) => Cow::Owned(format!("{LINE_PATH}*")),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_not_logged() {
        for path in ["/.liveline/secret", "//.liveline/secret", "/.liveline/"] {
            assert_eq!(path_for_log(path), "/.liveline/*", "{path}");
        }
        assert_eq!(path_for_log("/a/.liveline/b"), "/a/.liveline/b");
    }
}
