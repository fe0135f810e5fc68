//! Pages as OOHTML and Webflo have them: expressions in comments, templates and imports, layouts in `public/`. What
//! they mean is held against OOHTML itself in `tests/browser/oohtml.test.mjs`.

use crate::support::{Answer, Host, Site};

/// What a browser gets.
#[track_caller]
fn browse(host: &Host, path: &str) -> Answer {
    host.request("GET", path).header("accept", "text/html").send()
}

/// The body of a page as it was sent, without the state.
#[track_caller]
fn body(answer: &Answer) -> &str {
    let (_, rest) = answer.text().split_once("<body").unwrap_or_else(|| panic!("no body: {answer:?}"));
    let (_, rest) = rest.split_once('>').expect("the body's tag ends");
    rest.split("<script rel=\"hydration\"").next().expect("what is before it")
}

/// What a page with this body shows of this state.
fn shown(html: &str, state: &str) -> String {
    let host = Site::new()
        .file("page.html", html)
        .file("handler.js", format!("export default () => ({state});"))
        .serve();
    body(&browse(&host, "/")).to_owned()
}

/// A project as Webflo's `init` makes it.
fn webflo() -> Site {
    Site::new()
        .file("package.json", r#"{ "type": "module", "dependencies": { "@webqit/webflo": "*" } }"#)
        .file(
            "app/handler.server.js",
            "export default async function (event, next) {
                if (next.stepname) return await next();
                return { title: 'Webflo', greeting: 'Hello', menu: [{ title: 'Home', href: '/' }] };
            }",
        )
        .file(
            "app/page.html",
            r#"<ul render="\#items: (item) of data?.menu / 'menu'">
                <template def="menu" scoped=""><li><a render="~href: item?.href; \#text: item?.title;"></a></li></template>
            </ul>"#
                .replace("\\#", "#"),
        )
        .file(
            "public/index.html",
            r##"<!DOCTYPE html><html lang="en-US"><head>
                <title render="#text: data?.titleBar || data?.title">APP</title>
                <script crossorigin ssr src="https://unpkg.com/@webqit/oohtml@latest/dist/main.lite.js"></script>
                <template def="app" ssr src="/assets/app.html" by="oohtml-cli"></template>
                <script type="module" src="/assets/app.js" by="webflo"></script>
                <link rel="stylesheet" href="/assets/app.css">
            </head><body importscontext="/app">
                <h1><span><?{ data.title }?></span><br><span><?{ data.greeting }?></span></h1>
                <import ref="#page.html">Import will show here...</import>
            </body></html>"##,
        )
}

#[test]
fn an_expression_in_a_comment_is_shown_behind_it() {
    for (html, state, expected) in [
        ("<p><?{ data.a }?>", "{ a: 1 }", "<p><!--?{ data.a ; [=1] }?-->1</p>"),
        ("<p><!--?{ data.a }?-->", "{ a: 'x' }", "<p><!--?{ data.a ; [=1] }?-->x</p>"),
        ("<p><!--{ data.a }-->", "{ a: 'x' }", "<p><!--?{ data.a ; [=1] }?-->x</p>"),
        ("<p><?{ data.a }?>y", "{ a: '<&>' }", "<p><!--?{ data.a ; [=3] }?-->&lt;&amp;&gt;y</p>"),
        ("<p><?{ data.a }?>", "{ a: null }", "<p><!--?{ data.a ; [=0] }?--></p>"),
        ("<p><?{ data.a.b }?>", "{}", "<p><!--?{ data.a.b ; [=0] }?--></p>"),
        ("<p><?{ data.a }?>", "{ a: '\\r\\n\\0' }", "<p><!--?{ data.a ; [=2] }?-->&#13;\n</p>"),
        ("<p><?{ data.a }?>", "{ a: '\\u{1f375}' }", "<p><!--?{ data.a ; [=2] }?-->\u{1f375}</p>"),
        (
            "<p><?{ data.a }?><?{ data.b }?>",
            "{ a: 1, b: 2 }",
            "<p><!--?{ data.a ; [=1] }?-->1<!--?{ data.b ; [=1] }?-->2</p>",
        ),
        (
            "<p><!--?{ data.a > 1 ? '>' : '<' }?-->",
            "{ a: 2 }",
            "<p><!--?{ data.a > 1 ? '>' : '<' ; [=1] }?-->&gt;</p>",
        ),
        // What a page was saved with is not taken for more.
        ("<p><!--?{ data.a; [=3] }?-->old", "{ a: 1 }", "<p><!--?{ data.a; [=1] }?-->1old</p>"),
    ] {
        assert_eq!(shown(html, state), expected, "{html}");
    }
}

#[test]
fn a_comment_that_is_none_stays() {
    for comment in
        ["<!-- { a } -->", "<!--{{ a }}-->", "<!--?{ a -->", "<!--{a-->", "<!---->", "<?php { } ?>"]
    {
        let html = shown(&format!("<p>{comment}"), "{}");
        assert!(!html.contains("[="), "{comment}: {html}");
    }
    assert_eq!(shown("<p><?{}?>", "{}"), "<p><!--?{; [=0] }?--></p>");
}

#[test]
fn imports_are_copies_of_fragments_with_their_place_behind_them() {
    let html = r##"<template def="parts"><b def="one"><?{ data.a }?></b><template def="deep"><i>deep</i></template></template>
<import ref="parts#one">default</import>|<import ref="parts/deep"></import>|<import ref="none"><u><?{ data.a }?></u></import>"##;

    let body = shown(html, "{ a: '&' }");

    let imported = "<b def=\"one\"><!--?{ data.a ; [=1] }?-->&amp;</b>\
        <!--&lt;import ref=\"parts#one\" data-nodecount=\"1\"&gt;default&lt;/import&gt;-->";
    assert!(body.contains(imported), "{body}");
    assert!(body.contains("|<i def=\"\">deep</i><!--&lt;import ref=\"parts/deep\""), "{body}");
    assert!(body.contains("<import ref=\"none\"><u><!--?{ data.a ; [=1] }?-->&amp;</u></import>"), "{body}");
}

#[test]
fn an_import_of_itself_is_an_error_and_ends() {
    let host = Site::new()
        .file(
            "page.html",
            r#"<template def="a"><p>a<import ref="b"></import></p></template>
            <template def="b"><p>b<import ref="a"></import></p></template><import ref="a"></import>"#,
        )
        .file("handler.js", "export default () => ({});")
        .serve();

    let answer = browse(&host, "/");

    assert_eq!(body(&answer).matches("<p def=\"\">a").count(), 1, "{answer:?}");
    host.log.next("imports itself");
}

#[test]
fn a_project_of_webflo_shows_what_webflo_shows() {
    let host = webflo().serve();

    let answer = browse(&host, "/");

    let html = answer.text();
    assert!(html.contains(">Webflo</title>"), "{html}");
    assert!(html.contains("-->Webflo</span>") && html.contains("-->Hello</span>"), "{html}");
    assert!(html.contains(r#" href="/">Home</a></li></ul><!--&lt;import"#), "{html}");
    assert!(html.contains(r#"<body importscontext="/app">"#), "{html}");
    // Webflo's own client would be a second app.
    assert!(html.contains(r#"src="/app.js" by="webflo""#) && html.matches("app.js").count() == 1, "{html}");
    assert_eq!(answer.header("x-live-page"), Some("/"));
    assert_eq!(host.get("/").json()["title"], "Webflo");
    assert!(host.get("/index.html").text().contains("Import will show here..."), "the file is as it is");
}

#[test]
fn views_of_a_folder_are_shown_in_the_layout() {
    let host = webflo()
        .file(
            "app/shop/handler.js",
            "export default (event, next) => next.stepname ? next() : { title: 'Shop' };",
        )
        .file("app/shop/page.html", "<h2>Shop of <?{ data.title }?></h2>")
        .file("app/shop/-/handler.js", "export default (event, next) => ({ title: event.url.pathname });")
        .file("app/shop/-/page.html", "<h3><?{ data.title }?></h3>")
        .file("app/whole/handler.js", "export default () => ({ title: 'own' });")
        .file("app/whole/page.html", "<!-- c --><!DOCTYPE html><p><?{ data.title }?></p>")
        .file("app/bare/handler.js", "export default () => ({ title: 'bare' });")
        .file("app/alone/page.html", "<p>no handler</p>")
        .serve();

    for (path, id, context, text) in [
        ("/shop", "/shop", "/app/shop", "-->Shop</h2>"),
        ("/shop/7", "/shop/-", "/app/shop/-", "-->/shop/7</h3>"),
        ("/bare", "/", "/app", "-->bare</span>"),
        ("/alone", "/alone", "/app/alone", "<p def=\"page.html\">no handler</p><!--"),
    ] {
        let answer = browse(&host, path);
        assert_eq!(answer.header("x-live-page"), Some(id), "{path}");
        let html = answer.text();
        assert!(
            html.contains(&format!("<body importscontext=\"{context}\">")) && html.contains(text),
            "{path}: {html}"
        );
    }
    let whole = browse(&host, "/whole");
    assert!(whole.text().starts_with("<!-- c --><!DOCTYPE html><html><head>"), "{whole:?}");
    assert!(body(&whole).starts_with("<p><!--?{ data.title ; [=3] }?-->own</p>"), "{whole:?}");
}

#[test]
fn index_html_of_public_is_the_page_of_its_folder() {
    let page = |name: &str| format!("<!DOCTYPE html><title>{name}</title><p><?{{ data.a }}?></p>");
    let host = Site::new()
        .file(
            "app/handler.js",
            "export default (event, next) => event.url.search ? next() : { a: event.url.pathname };",
        )
        .file("app/shop/handler.js", "export default (event) => ({ a: event.url.pathname });")
        .file("app/own/handler.js", "export default (event) => ({ a: event.url.pathname });")
        .file("app/own/page.html", "<title>own</title><p><?{ data.a }?></p>")
        .file("public/index.html", page("root"))
        .file("public/shop/index.html", page("shop"))
        .file("public/files/index.html", page("file"))
        .serve();

    for (path, title, id) in [
        ("/", "root", "/"),
        ("/shop", "shop", "/shop"),
        ("/shop/deep", "shop", "/shop"),
        ("/own", "own", "/own"),
    ] {
        let answer = browse(&host, path);
        let html = answer.text();
        assert!(html.contains(&format!("<title>{title}</title>")), "{path}: {html}");
        assert!(body(&answer).contains(&format!("-->{path}</p>")), "{path}: {html}");
        assert!(html.contains("<script src=\"/app.js\">"), "{path}: {html}");
        assert_eq!(answer.header("x-live-page"), Some(id), "{path}");
    }
    // Past the last step it is a file like any other.
    assert_eq!(browse(&host, "/?next").text(), page("root"));
    assert_eq!(host.get("/").json()["a"], "/");
}

#[test]
fn index_html_of_public_without_handlers_is_a_file() {
    let host = Site::new()
        .file("app/api/handler.js", "export default () => 1;")
        .file("public/index.html", "<p>plain")
        .serve();

    let answer = browse(&host, "/");

    assert_eq!(answer.text(), "<p>plain");
    assert!(answer.header("etag").is_some(), "{answer:?}");
}

#[test]
fn templates_come_from_files_of_public() {
    let host = Site::new()
        .file("app/handler.js", "export default () => ({ a: 1 });")
        .file(
            "app/page.html",
            r#"<template def="x" src="/parts/x.html?v=1"></template><import ref="x/y#p">no</import>"#,
        )
        .file("app/deep/handler.js", "export default () => ({ a: 2 });")
        .file(
            "app/deep/page.html",
            r#"<template def="x" src="parts/x.html"></template><import ref="x#q">no</import>"#,
        )
        .file(
            "public/parts/x.html",
            r#"<template def="y" src="/parts/y%20y.html"></template><tr def="q"><td>q</td></tr>"#,
        )
        .file("public/parts/y y.html", r#"<p def="p"><?{ data.a }?></p>"#)
        .serve();

    assert!(browse(&host, "/").text().contains("-->1</p><!--&lt;import"), "{:?}", browse(&host, "/"));
    let deep = browse(&host, "/deep");
    assert!(deep.text().contains(r#"<tr def="q"><td>q</td></tr><!--&lt;import"#), "{deep:?}");
}

#[cfg(unix)]
#[test]
fn templates_never_come_from_elsewhere() {
    let elsewhere = Site::new().file("secret.html", "<p>secret</p>");
    for source in [
        "../secret.html",
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/.hidden/secret.html",
        "/linked.html",
        "//127.0.0.1/secret.html",
        "http://127.0.0.1/secret.html",
        "file:///etc/passwd",
        "/\\127.0.0.1/secret.html",
        "data:text/html,secret",
        "/none.html",
        "/folder",
        "/a%00b.html",
    ] {
        let site = Site::new()
            .file("secret.html", "<p>secret</p>")
            .file("app/secret.html", "<p>secret</p>")
            .file("app/handler.js", "export default () => ({ a: 1 });")
            .file(
                "app/page.html",
                format!(r#"<template def="x" src="{source}"></template><import ref="x">default</import>"#),
            )
            .file("public/.hidden/secret.html", "<p>secret</p>")
            .file("public/folder/a.txt", "");
        std::os::unix::fs::symlink(elsewhere.path("secret.html"), site.path("public/linked.html"))
            .expect("a link");
        let host = site.serve();

        let answer = browse(&host, "/");

        let html = answer.text().replace(source, "");
        assert!(body(&answer).contains(">default</import>"), "{source}: {answer:?}");
        assert!(!html.contains("secret") && !html.contains("root:"), "{source}: {answer:?}");
        host.log.next("stays empty on the server");
    }
}

#[test]
fn files_that_include_each_other_end() {
    let host = Site::new()
        .file("app/handler.js", "export default () => ({});")
        .file("app/page.html", r#"<template def="a" src="/a.html"></template><p>here</p>"#)
        .file("public/a.html", r#"<template def="b" src="/b.html"></template>"#)
        .file("public/b.html", r#"<template def="a" src="/a.html"></template>"#)
        .serve();

    assert!(body(&browse(&host, "/")).contains("<p>here</p>"));
    host.log.next("it includes itself");
}

#[test]
fn only_a_layout_that_asks_for_views_gets_them() {
    let host = Site::new()
        .file("app/handler.js", "export default () => ({});")
        .file("app/mail/invoice.html", "<p>for mail only</p>")
        .file("app/page.html", "<p>page</p>")
        .file(
            "public/index.html",
            r##"<!DOCTYPE html><template def="app"></template><import ref="#page.html"></import>"##,
        )
        .serve();

    let answer = browse(&host, "/");

    assert!(!answer.text().contains("for mail only"), "{answer:?}");
}

#[test]
fn an_edited_view_is_shown() {
    let host = webflo().dev();
    let until = |wish: &str| {
        loop {
            host.log.next("reloaded");
            if browse(&host, "/").text().contains(wish) {
                return;
            }
        }
    };
    assert!(browse(&host, "/").text().contains("Home</a>"));

    host.site.write("app/page.html", "<p>first</p>");
    until("<p def=\"page.html\">first</p><!--");
    host.site.write("app/header.html", "<b>head</b>");
    host.site.write("app/page.html", r##"<p>second <import ref="/app#header.html"></import></p>"##);
    until("<b def=\"header.html\">head</b><!--");
    host.site.write("public/index.html", "<!DOCTYPE html><p>other <?{ data.title }?>");
    until("<p>second ");
}

#[test]
fn a_bundle_as_new_as_the_views_is_taken() {
    let host = webflo().file("public/assets/app.html", r#"<p def="page.html">from the bundle</p>"#).serve();

    assert!(body(&browse(&host, "/")).contains("<p def=\"page.html\">from the bundle</p><!--"));
}

#[test]
fn the_folders_of_webflo_s_layout_are_used() {
    let host = Site::new()
        .file(
            ".webqit/webflo/layout.json",
            r#"{ "PUBLIC_DIR": "./web", "SERVER_DIR": "./routes", "CLIENT_DIR": "routes/" }"#,
        )
        .file("routes/handler.js", "export default (event, next) => next.stepname ? next() : { a: 1 };")
        .file("web/index.html", "<!DOCTYPE html><p><?{ data.a }?>")
        .file("web/a.txt", "a file")
        .serve();

    assert!(body(&browse(&host, "/")).contains("-->1</p>"));
    assert_eq!(host.get("/a.txt").text(), "a file");
    for (layout, said) in [
        (r#"{ "SERVER_DIR": "./a", "CLIENT_DIR": "./b" }"#, "CLIENT_DIR"),
        (r#"{ "SERVER_DIR": "../a" }"#, "SERVER_DIR"),
        ("{", "layout.json"),
    ] {
        let checked =
            Site::new().file(".webqit/webflo/layout.json", layout).file("a/handler.js", "").run("check");
        assert!(checked.code != Some(0) && checked.stderr.contains(said), "{layout}: {}", checked.output());
    }
}
