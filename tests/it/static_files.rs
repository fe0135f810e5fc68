//! The files below `public/`: what stands behind the last handler.

use crate::support::{Host, Site};

const DIGITS: &str = "0123456789";

/// A project with a handler and some files.
fn project() -> Host {
    Site::new()
        .file("app/page/handler.js", r#"export default () => "handler""#)
        .file("public/digits.txt", DIGITS)
        .file("public/index.html", "<p>root</p>")
        .file("public/docs/index.html", "<p>docs</p>")
        .file("public/app.mjs", "export {};")
        .file("public/app.js", "0")
        .file("public/style.css", "p {}")
        .file("public/data.json", "{}")
        .file("public/image.svg", "<svg/>")
        .file("public/a b.txt", "spaced")
        .file("public/page/index.html", "never seen")
        .file("secret.txt", "secret")
        .serve()
}

#[test]
fn files_have_their_types() {
    let host = project();

    for (path, kind) in [
        ("/digits.txt", "text/plain"),
        ("/app.mjs", "text/javascript"),
        ("/app.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/data.json", "application/json"),
        ("/image.svg", "image/svg+xml"),
        ("/index.html", "text/html"),
    ] {
        let answer = host.get(path);
        let found = answer.header("content-type").unwrap_or_default();
        // JavaScript has an old name too, and browsers take both for modules.
        let found = found.split(';').next().unwrap_or_default().replace("application/java", "text/java");
        assert_eq!((answer.status, found.as_str()), (200, kind), "{path}");
    }
    assert_eq!(host.get("/digits.txt").text(), DIGITS);
    assert_eq!(host.get("/a%20b.txt").text(), "spaced");
}

#[test]
fn a_folder_answers_with_its_index() {
    let host = project();

    assert_eq!(host.get("/").text(), "<p>root</p>");
    assert_eq!(host.get("/docs/").text(), "<p>docs</p>");
    // Without the slash either the index itself or the way to it.
    let bare = host.get("/docs");
    assert!(
        bare.text() == "<p>docs</p>" || bare.header("location").is_some_and(|to| to.ends_with("/docs/")),
        "{bare:?}"
    );
}

#[test]
fn a_handler_comes_before_a_file() {
    assert_eq!(project().get("/page").text(), "handler");
}

#[test]
fn a_handler_may_delegate_to_a_file_and_change_it() {
    let site = Site::new()
        .file(
            "app/handler.js",
            r#"
            export default async function (event, next) {
              const file = await next();
              return new Response(`<${await file.text()}>`, { status: file.status });
            }"#,
        )
        .file("public/digits.txt", DIGITS);
    let host = site.serve();

    assert_eq!(host.get("/digits.txt").text(), "<0123456789>");
    assert_eq!(host.get("/missing.txt").status, 404);
}

#[test]
fn a_missing_file_is_a_404() {
    let answer = project().get("/missing.txt");

    assert_eq!((answer.status, answer.text()), (404, ""));
}

#[test]
fn a_known_file_is_not_sent_again() {
    let host = project();

    let first = host.get("/digits.txt");
    let tag = first.header("etag").expect("an ETag").to_owned();
    let date = first.header("last-modified").expect("a date").to_owned();
    let by_tag = host.request("GET", "/digits.txt").header("if-none-match", &tag).send();
    let by_date = host.request("GET", "/digits.txt").header("if-modified-since", &date).send();
    let other = host.request("GET", "/digits.txt").header("if-none-match", "\"other\"").send();

    assert_eq!((by_tag.status, by_tag.text()), (304, ""));
    assert_eq!(by_tag.header("etag"), Some(tag.as_str()));
    assert_eq!(by_date.status, 304);
    assert_eq!((other.status, other.text()), (200, DIGITS));
}

#[test]
fn a_changed_file_is_sent_again() {
    let host = project();
    let tag = host.get("/digits.txt").header("etag").expect("an ETag").to_owned();

    host.site.write("public/digits.txt", "other than ten digits");
    let answer = host.request("GET", "/digits.txt").header("if-none-match", &tag).send();

    assert_eq!((answer.status, answer.text()), (200, "other than ten digits"));
}

#[test]
fn ranges_are_parts_of_a_file() {
    let host = project();
    let range = |range| host.request("GET", "/digits.txt").header("range", range).send();

    for (asked, part, extent) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let answer = range(asked);
        assert_eq!((answer.status, answer.text()), (206, part), "{asked}");
        assert_eq!(answer.header("content-range"), Some(extent), "{asked}");
    }
    let beyond = range("bytes=10-");
    assert_eq!((beyond.status, beyond.text()), (416, ""));
}

#[test]
fn head_has_the_length_alone() {
    let answer = project().request("HEAD", "/digits.txt").send();

    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(answer.header("content-length"), Some("10"));
    assert!(answer.header("etag").is_some());
}

#[test]
fn other_methods_are_refused() {
    let answer = project().request("DELETE", "/digits.txt").send();

    assert!(matches!(answer.status, 404 | 405), "{answer:?}");
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let host = project();

    for path in [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/%00secret.txt",
    ] {
        // As typed: a client library would tidy the path first.
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host.address());
        let answer = host.raw(request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "404"), "{path}: {answer}");
        assert!(!answer.ends_with("secret"), "{path}");
    }
}

/// Handlers see an escaped slash as part of a segment, so it must not end one for files.
#[test]
fn escaped_slashes_lead_past_no_guard() {
    let host = Site::new()
        .file("app/private/handler.js", r#"export default () => new Response("no", { status: 401 });"#)
        .file("public/private/secret.txt", "secret")
        .file("public/open/index.html", "open")
        .serve();
    let ask = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host.address());
        host.raw(head.as_bytes())
    };

    assert!(ask("/private/secret.txt").starts_with("HTTP/1.1 401 "));
    for path in [
        "/private%2fsecret.txt",
        "/private%2Fsecret.txt",
        "/%70rivate%2Fsecret.txt",
        "/private%2f/secret.txt",
        "/%2fprivate/secret.txt",
        "/%2f/private/secret.txt",
        "/.%2fprivate/secret.txt",
        "/open%2f..%2fprivate/secret.txt",
        "/open/%2e%2e%2fprivate/secret.txt",
        "/open%2findex.html",
        "/open/index.html%2f",
        "/open%2f",
        "/%2f",
    ] {
        let answer = ask(path);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    assert!(ask("/open/index.html").ends_with("open"));
}

#[test]
fn public_may_lie_elsewhere() {
    let elsewhere = Site::new().file("digits.txt", DIGITS);
    let site = Site::new().file("handler.js", "export default (event, next) => next()");
    let host = site.arg("--public").arg(elsewhere.path(".").to_str().expect("a readable path")).serve();

    assert_eq!(host.get("/digits.txt").text(), DIGITS);
}

#[test]
fn handlers_are_not_files() {
    let host = project();

    assert_eq!(host.get("/page/handler.js").text(), "handler");
    assert_eq!(host.get("/app/page/handler.js").status, 404);
}

/// A link may lead to another file of the folder, but not out of it.
#[cfg(unix)]
#[test]
fn links_that_leave_the_folder_are_not_served() {
    use std::os::unix::fs::symlink;
    let elsewhere = Site::new().file("file.txt", "elsewhere");
    let with_links = || {
        let site = Site::new()
            .file("app/handler.js", "export default (event, next) => next();")
            .file("app/page/handler.js", "export default () => 'handler';")
            .file("secret.txt", "secret")
            .file("public/digits.txt", DIGITS)
            .file("public/docs/index.html", "<p>docs</p>")
            .file("public/.hidden", "hidden");
        for (link, to) in [
            ("inside.txt", "digits.txt"),
            ("docs/up.txt", "../digits.txt"),
            ("around.txt", "../public/digits.txt"),
            ("folder", "docs"),
            (
                "absolute.txt",
                site.path("public/digits.txt").canonicalize().expect("a file").to_str().expect("a path"),
            ),
            ("outside.txt", "../secret.txt"),
            ("code.js", "../app/page/handler.js"),
            ("app", "../app"),
            ("twice.txt", "outside.txt"),
            ("docs.out", "../../"),
            ("passwd", "/etc/passwd"),
            ("elsewhere", elsewhere.path(".").canonicalize().expect("a folder").to_str().expect("a path")),
            ("shown", ".hidden"),
            ("dangling", "../none"),
        ] {
            symlink(to, site.path("public").join(link)).expect("a link");
        }
        site
    };
    let host = with_links().serve();

    for path in ["/inside.txt", "/docs/up.txt", "/around.txt", "/absolute.txt"] {
        assert_eq!(host.get(path).text(), DIGITS, "{path}");
    }
    assert_eq!(host.get("/folder/").text(), "<p>docs</p>");
    let leaving = [
        "/outside.txt",
        "/code.js",
        "/app/page/handler.js",
        "/twice.txt",
        "/passwd",
        "/elsewhere/file.txt",
        "/docs.out/",
        "/docs.out",
        "/elsewhere/",
        "/shown",
        "/dangling",
    ];
    for path in leaving {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.text()), (404, ""), "{path}");
    }

    let open = with_links().arg("--follow-links").serve();
    assert_eq!(open.get("/outside.txt").text(), "secret");
    assert_eq!(open.get("/elsewhere/file.txt").text(), "elsewhere");
    assert_eq!(open.get("/.hidden").status, 404);
    assert_eq!(open.get("/dangling").status, 404);
}

/// Files of editors, version control and other tools, which are not meant to be published.
#[test]
fn hidden_files_are_not_served_but_for_well_known_ones() {
    let host = Site::new()
        .file("app/handler.js", "export default (event, next) => next();")
        .file("public/.env", "secret")
        .file("public/.git/config", "secret")
        .file("public/docs/.htpasswd", "secret")
        .file("public/.well-known/security.txt", "Contact: x")
        .file("public/.well-known/.secret", "secret")
        .file("public/a.b/c.txt", "dots inside")
        .serve();

    for path in ["/.env", "/%2eenv", "/.git/config", "/.git/", "/docs/.htpasswd", "/.well-known/.secret"] {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.text()), (404, ""), "{path}");
    }
    assert_eq!(host.get("/.well-known/security.txt").text(), "Contact: x");
    assert_eq!(host.get("/a.b/c.txt").text(), "dots inside");
}

/// What is no file cannot be read, and to open it could take for ever.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_file() {
    let site = Site::new()
        .file("public/a.txt", DIGITS)
        .file("app/handler.js", "export default (e, next) => next();");
    let made = std::process::Command::new("mkfifo").arg(site.path("public/pipe")).status().expect("mkfifo");
    assert!(made.success());
    let host = site.serve();

    assert_eq!(host.get("/pipe").status, 404);
    assert_eq!(host.get("/a.txt").text(), DIGITS);
}

/// A path may become a link between the check of it and the opening of it.
#[cfg(unix)]
#[test]
fn a_link_that_is_swapped_meanwhile_shows_nothing() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    let site = Site::new()
        .file("app/page/handler.js", "export default () => 1;")
        .file("secret/file.txt", "secret")
        .file("public/real/file.txt", "public");
    let path = |name: &str| site.path(name);
    symlink("real", path("public/inside")).expect("a link");
    symlink("../secret", path("public/outside")).expect("a link");
    symlink("real", path("public/swapped")).expect("a link");
    let (inside, outside, swapped) = (path("public/inside"), path("public/outside"), path("public/swapped"));
    let host = site.serve();
    let is_over = AtomicBool::new(false);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            let fresh = swapped.with_extension("new");
            for target in [&outside, &inside].into_iter().cycle().take(1_000_000) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A name is replaced in one step, so that there is always a link.
                symlink(target, &fresh).expect("a link");
                std::fs::rename(&fresh, &swapped).expect("a link");
            }
        });
        let answers: Vec<_> = (0..400).map(|_| host.get("/swapped/file.txt").text().to_owned()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(answers.iter().all(|text| text == "public" || text.is_empty()));
        assert!(answers.iter().any(|text| text == "public"));
    });
}

#[test]
fn a_post_can_be_rerouted_to_a_file() {
    let host = Site::new()
        .file(
            "app/a/handler.js",
            r#"export const POST = (event, next) => next("/file.txt", { method: "GET" })"#,
        )
        .file("public/file.txt", "static")
        .serve();

    let answer = host.request("POST", "/a").body("text").send();

    assert_eq!((answer.status, answer.text()), (200, "static"));
}

#[test]
fn every_answer_about_a_file_has_its_type_or_range() {
    let host = Site::new().file("app/a/handler.js", "").file("public/digits.txt", "0123456789").serve();

    let head = host.request("HEAD", "/digits.txt").send();
    let part = host.request("GET", "/digits.txt").header("range", "bytes=2-4").send();
    let beyond = host.request("GET", "/digits.txt").header("range", "bytes=10-").send();

    for (answer, status) in [(head, 200), (part, 206)] {
        assert_eq!(answer.status, status);
        assert!(
            answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
            "{answer:?}"
        );
    }
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
}

#[test]
fn overlapping_ranges_make_no_answer_longer_than_the_file() {
    let host = Site::new().file("public/a.txt", "0123456789").serve();
    let many = format!("bytes={}", ["0-"; 1000].join(","));

    for range in ["bytes=0-,0-", &many] {
        let answer = host.request("GET", "/a.txt").header("range", range).send();
        assert_eq!((answer.status, answer.text()), (200, "0123456789"), "{range}");
    }
}
