//! The files `_headers`, `_redirects` and `_routes.json` of a folder of static files.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

/// Rules of each file at most, as Cloudflare has them.
const MOST_HEADERS: usize = 100;
const MOST_REDIRECTS: usize = 2100;

/// Rules of `_routes.json` at most, and the length of one in bytes, as Cloudflare has them.
const MOST_ROUTES: usize = 100;
const LONGEST_ROUTE: usize = 100;

/// The paths that code answers, for the JavaScript half; null without the file `_routes.json`. A file that cannot be used is
/// passed over with a warning: then code answers all paths.
pub(super) fn routes(folder: &Path) -> Json {
    let Ok(text) = fs::read_to_string(folder.join(ROUTES)) else { return Json::Null };
    routes_in(&text).unwrap_or_else(|reason| {
        tracing::warn!("{ROUTES} is not used: {reason}");
        Json::Null
    })
}

/// The file that lists which paths code answers.
pub(super) const ROUTES: &str = "_routes.json";

fn routes_in(text: &str) -> Result<Json, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if json["version"] != 1 {
        return Err("`version` is not 1".to_owned());
    }
    let rules = |name: &str| {
        let rules: Option<Vec<&str>> =
            json[name].as_array().and_then(|it| it.iter().map(Json::as_str).collect());
        rules.ok_or_else(|| format!("`{name}` is no list of paths"))
    };
    let (include, exclude) = (rules("include")?, rules("exclude")?);
    if include.is_empty() || include.len() + exclude.len() > MOST_ROUTES {
        return Err(format!("it has from 1 to {MOST_ROUTES} rules, and one of them is in `include`"));
    }
    if let Some(rule) =
        include.iter().chain(&exclude).find(|it| !it.starts_with('/') || it.len() > LONGEST_ROUTE)
    {
        return Err(format!("`{rule}` does not begin with a slash, or is longer than {LONGEST_ROUTE} bytes"));
    }
    Ok(json!({ "include": include, "exclude": exclude }))
}

/// `_headers` and `_redirects` of a folder, for the JavaScript half. A line that means nothing is passed over with a warning.
pub(super) fn read(folder: &Path) -> (Json, Json) {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    (headers(&text("_headers")), redirects(&text("_redirects")))
}

/// Lines of paths, each followed by indented lines: `Name: value`, or `! Name` to remove a header.
fn headers(text: &str) -> Json {
    let mut rules: Vec<(String, Vec<Json>, Vec<Json>)> = Vec::new();
    for line in text.lines().filter(|line| is_content(line)) {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        match (is_indented, rules.last_mut()) {
            (false, _) => rules.push((line.to_owned(), Vec::new(), Vec::new())),
            (true, Some((_, set, unset))) => {
                if let Some(name) = line.strip_prefix('!') {
                    unset.push(name.trim().into());
                } else if let Some((name, value)) = line.split_once(':') {
                    set.push(json!([name.trim(), value.trim()]));
                } else {
                    tracing::warn!("_headers: `{line}` is no header");
                }
            }
            (true, None) => tracing::warn!("_headers: `{line}` stands before any path"),
        }
    }
    rules.truncate(MOST_HEADERS);
    let rule = |(path, set, unset)| json!({ "path": path, "set": set, "unset": unset });
    rules.into_iter().map(rule).collect()
}

/// Lines of `FROM TO [STATUS]`.
fn redirects(text: &str) -> Json {
    let mut rules = Vec::new();
    for line in text.lines().filter(|line| is_content(line)) {
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        let status = words.get(2).map_or(Some(302), |status| status.parse::<u16>().ok());
        match (words.as_slice(), status) {
            ([from, to] | [from, to, _], Some(status @ (200 | 301 | 302 | 303 | 307 | 308))) => {
                rules.push(json!({ "from": from, "to": to, "status": status }));
            }
            _ => tracing::warn!("_redirects: `{}` is no redirect", line.trim()),
        }
    }
    rules.truncate(MOST_REDIRECTS);
    Json::Array(rules)
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_lines() {
        let text = "# all\n/*\n  X-A: 1\n  ! Server\n/docs/*\n\tCache-Control: public, max-age=60\n";
        let expected = json!([
            { "path": "/*", "set": [["X-A", "1"]], "unset": ["Server"] },
            { "path": "/docs/*", "set": [["Cache-Control", "public, max-age=60"]], "unset": [] },
        ]);
        assert_eq!(headers(text), expected);
        let text = "/old /new\n\n/a/* /b/:splat 301 # moved\n/odd\n/x /y 999\n";
        let expected = json!([
            { "from": "/old", "to": "/new", "status": 302 },
            { "from": "/a/*", "to": "/b/:splat", "status": 301 },
        ]);
        assert_eq!(redirects(text), expected);
    }
}
