//! Inserts the script of `dev` into a page, and adapts the page's Content-Security-Policy to it.
//!
//! The script is the first element in the head: a policy in the page itself does not apply to what is before it, and the
//! script sees the errors of every other one.

use memchr::memmem;

use super::{Moment, PATH};

/// The offset in a page at which the script is inserted: after everything that may precede the content of `head`.
pub(crate) fn place(html: &[u8]) -> usize {
    let mut at = if html.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut place = at;
    loop {
        at += html[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let rest = &html[at..];
        let end = if rest.starts_with(b"<!--") {
            memmem::find(rest, b"-->").map(|end| end + 3)
        } else if begins_with(rest, b"<!doctype") || is_tag(rest, b"<html") || is_tag(rest, b"<head") {
            end_of_tag(rest)
        } else {
            None
        };
        let Some(end) = end else { return place };
        at += end;
        place = at;
        if is_tag(rest, b"<head") {
            return place;
        }
    }
}

fn begins_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn is_tag(text: &[u8], start: &[u8]) -> bool {
    let follows =
        text.get(start.len()).is_some_and(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte));
    follows && begins_with(text, start)
}

/// The length of a tag. A `>` in quotes does not end it.
fn end_of_tag(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, &byte) in text.iter().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None if byte == b'>' => return Some(at + 1),
            None => {}
        }
    }
    None
}

/// The script's element for a page of this version of the site; `is_posted` where the page is the answer to a form.
/// Without `async` it runs before everything that follows.
pub(crate) fn script(at: &Moment, is_posted: bool, nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" nonce=\"{nonce}\"")).unwrap_or_default();
    let Moment { run, saves } = at;
    let nonce = format!("{}{nonce}", if is_posted { " data-posted" } else { "" });
    format!("<script src=\"{PATH}/page.js\" data-run=\"{run}\" data-saves=\"{saves}\"{nonce}></script>")
}

/// The page with the script inserted.
pub(crate) fn with_script(html: &[u8], script: &str) -> Vec<u8> {
    let (before, after) = html.split_at(place(html));
    [before, script.as_bytes(), after].concat()
}

/// Whether a page's encoding contains ASCII, which UTF-16 does not.
pub(crate) fn is_readable(html: &[u8]) -> bool {
    !html.starts_with(b"\xfe\xff") && !html.starts_with(b"\xff\xfe")
}

/// The nonce in these policies, if they have one that is safe in an attribute.
pub(crate) fn nonce(policies: &[&str]) -> Option<String> {
    let sources = policies.iter().flat_map(|policy| policy.split([' ', ';', ',', '\t']));
    let nonce = sources.filter_map(|source| source.strip_prefix("'nonce-")?.strip_suffix('\''));
    nonce
        .filter(|nonce| nonce.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/=-_".contains(&it)))
        .map(str::to_owned)
        .next()
}

/// A `Content-Security-Policy` that also allows the script, with this nonce where one is needed, and its connection to
/// `host`. It allows nothing else that it did not before.
pub(crate) fn allowing(header: &str, nonce: &str, host: &str) -> String {
    header.split(',').map(|policy| allowing_one(policy, nonce, host)).collect::<Vec<_>>().join(",")
}

fn allowing_one(policy: &str, nonce: &str, host: &str) -> String {
    let mut directives: Vec<(String, Vec<String>)> = Vec::new();
    for directive in policy.split(';') {
        let mut words = directive.split_ascii_whitespace().map(str::to_owned);
        let Some(name) = words.next() else { continue };
        directives.push((name, words.collect()));
    }
    extend(&mut directives, &["script-src-elem", "script-src"], |sources| {
        let has = |wanted: &str| sources.iter().any(|source| source.eq_ignore_ascii_case(wanted));
        let is_strict = has("'strict-dynamic'");
        let nonce = format!("'nonce-{nonce}'");
        let is_allowed = has(&nonce) || (!is_strict && (has("'self'") || has("*")));
        match (is_allowed, is_strict) {
            (true, _) => Vec::new(),
            (false, true) => vec![nonce],
            // A nonce would disable 'unsafe-inline', on which the page may depend.
            (false, false) => vec!["'self'".to_owned()],
        }
    });
    extend(&mut directives, &["connect-src"], |sources| {
        let is_allowed = sources.iter().any(|source| source == "*");
        let own = ["'self'".to_owned(), format!("ws://{host}"), format!("wss://{host}")];
        let missing = own.into_iter().filter(|own| !is_allowed && !sources.contains(own));
        missing.collect()
    });
    let texts = directives.iter().map(|(name, sources)| format!("{name} {}", sources.join(" ")));
    texts.map(|text| text.trim_end().to_owned()).collect::<Vec<_>>().join("; ")
}

/// Adds sources to the first of these directives that exists, else to a copy of `default-src`.
fn extend(
    directives: &mut Vec<(String, Vec<String>)>,
    names: &[&str],
    missing: impl Fn(&[String]) -> Vec<String>,
) {
    let position = |wanted: &str, directives: &[(String, Vec<String>)]| {
        directives.iter().position(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let place = match names.iter().find_map(|name| position(name, directives)) {
        Some(place) => place,
        None => {
            let Some(default) = position("default-src", directives) else { return };
            let sources = directives[default].1.clone();
            if missing(&sources).is_empty() {
                return;
            }
            let name = names.last().expect("a directive is named").to_string();
            directives.push((name, sources));
            directives.len() - 1
        }
    };
    let sources = &mut directives[place].1;
    let missing = missing(sources);
    if !missing.is_empty() {
        sources.retain(|source| !source.eq_ignore_ascii_case("'none'"));
        sources.extend(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_first_in_the_head() {
        for (before, after) in [
            ("<!DOCTYPE html><html><head>", "<title>T</title></head>"),
            (
                "<!doctype html>\n<!-- <head> -->\n<html lang=\"a>b\">\n  <HEAD\nprefix='x>'>",
                "\n<meta charset=utf-8>",
            ),
            ("<!doctype html><html>", "<header>not the head</header>"),
            ("<!doctype html>", "\n<title>T</title><p>no head"),
            ("", "<p>a fragment <head>"),
            ("", ""),
            ("\u{feff}<!doctype html>", "<title>T</title>"),
            ("<!-- a --><!doctype html>", "<!-- not closed"),
            ("<!doctype html>", "<html lang=\"not closed"),
            ("<!doctype html>", "<htmlx>"),
        ] {
            let html = format!("{before}{after}");
            assert_eq!(place(html.as_bytes()), before.len(), "{html}");
        }
    }

    #[test]
    fn policies_allow_the_script_and_no_more() {
        let allowed = |policy| allowing(policy, "N", "h:1");
        const CONNECT: &str = "connect-src 'self' ws://h:1 wss://h:1";
        for (policy, result) in [
            ("script-src 'self'", "script-src 'self'".to_owned()),
            ("img-src *", "img-src *".into()),
            ("default-src 'none'", format!("default-src 'none'; script-src 'self'; {CONNECT}")),
            ("default-src 'self'", format!("default-src 'self'; {CONNECT}")),
            ("default-src *", "default-src *".into()),
            ("script-src 'none'; connect-src 'none'", format!("script-src 'self'; {CONNECT}")),
            ("script-src 'unsafe-inline'", "script-src 'unsafe-inline' 'self'".into()),
            ("script-src 'nonce-N' 'strict-dynamic'", "script-src 'nonce-N' 'strict-dynamic'".into()),
            (
                "script-src 'sha256-x' 'strict-dynamic'",
                "script-src 'sha256-x' 'strict-dynamic' 'nonce-N'".into(),
            ),
            (
                "script-src 'self'; script-src-elem a.example",
                "script-src 'self'; script-src-elem a.example 'self'".into(),
            ),
            ("script-src 'self', script-src 'none'", "script-src 'self',script-src 'self'".into()),
            ("upgrade-insecure-requests", "upgrade-insecure-requests".into()),
        ] {
            assert_eq!(allowed(policy), result, "{policy}");
        }
    }

    #[test]
    fn the_nonce_of_a_policy_is_used() {
        assert_eq!(nonce(&["img-src *", "script-src 'self' 'nonce-ab+/=' x"]).as_deref(), Some("ab+/="));
        assert_eq!(nonce(&["script-src 'nonce-\"x'"]), None);
        let at = Moment { run: "r".into(), saves: 3 };
        let script = script(&at, false, Some("n"));
        assert_eq!(
            script,
            r#"<script src="/.liveline/dev/page.js" data-run="r" data-saves="3" nonce="n"></script>"#
        );
        assert_eq!(with_script(b"<head>a", "<script>"), b"<head><script>a");
    }
}
