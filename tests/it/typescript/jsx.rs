//! Which package makes JSX elements.

use serde_json::json;

use super::{WithPackage as _, assert_fine, complaint};
use crate::support::Site;

const HANDLER: &str = "export default (): unknown => <p id=\"x\">hi</p>;";

/// The package that made the element of the handler.
#[track_caller]
fn made_by(site: Site) -> String {
    let host = site.file("handler.tsx", HANDLER).serve();
    let element = host.get("/").json();
    assert_eq!((&element["id"], &element["children"]), (&json!("x"), &json!("hi")), "{element}");
    element["by"].as_str().expect("a name").to_owned()
}

#[test]
fn the_installed_package_makes_elements() {
    let installed = |names: &[(&str, &str)]| {
        let site = Site::new().file("package.json", "{}");
        names.iter().fold(site, |site, (name, path)| site.package_for_jsx(name, path))
    };
    let (react, preact) = (("react", "jsx-runtime"), ("preact", "jsx-runtime"));
    let hono = ("hono", "jsx/jsx-runtime");
    assert_eq!(made_by(installed(&[hono])), "hono");
    assert_eq!(made_by(installed(&[hono, preact])), "preact");
    assert_eq!(made_by(installed(&[hono, preact, react])), "react");
    // Pages get the part of hono that makes elements of the document.
    let pages = installed(&[("hono", "jsx/dom/jsx-runtime")]).file("handler.client.tsx", HANDLER);
    assert_fine(&pages);
}

#[test]
fn settings_name_the_package() {
    let site =
        || Site::new().package_for_jsx("react", "jsx-runtime").package_for_jsx("solid", "h/jsx-runtime");
    let options = r#"{ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "solid/h" } }"#;
    for (file, text) in [
        ("tsconfig.json", options),
        ("jsconfig.json", options),
        ("package.json", r#"{ "jsxImportSource": "solid/h" }"#),
    ] {
        assert_eq!(made_by(site().file(file, text)), "solid", "{file}");
    }
    assert_eq!(
        made_by(site().file("tsconfig.json", r#"{ "compilerOptions": { "jsx": "preserve" } }"#)),
        "react"
    );
}

#[test]
fn settings_and_pragmas_name_functions() {
    let classic = "const h = (tag: any, props: any, ...children: any[]) => [tag, props, ...children];\n\
                   const F = 'fragment';\nexport default () => <><p a=\"1\">hi</p></>;";
    let made = json!(["fragment", null, ["p", { "a": "1" }, "hi"]]);
    let config = r#"{ "compilerOptions": { "jsx": "react", "jsxFactory": "h", "jsxFragmentFactory": "F" } }"#;
    let of_config = Site::new().file("tsconfig.json", config).file("handler.tsx", classic);
    assert_eq!(of_config.serve().get("/").json(), made);
    let pragmas = format!("/** @jsx h\n * @jsxFrag F */\n{classic}");
    assert_eq!(Site::new().file("handler.tsx", pragmas).serve().get("/").json(), made);
}

#[test]
fn a_pragma_goes_before_settings() {
    let host = Site::new()
        .package_for_jsx("react", "jsx-runtime")
        .package_for_jsx("solid", "h/jsx-runtime")
        .file("package.json", r#"{ "jsxImportSource": "react" }"#)
        .file("handler.jsx", format!("/** @jsxImportSource solid/h */\n{}", HANDLER.replace(": unknown", "")))
        .serve();

    assert_eq!(host.get("/").json()["by"], "solid");
}

#[test]
fn jsx_without_a_package_is_an_error_that_names_what_to_do() {
    for file in ["handler.tsx", "handler.client.tsx"] {
        let site = Site::new().file("package.json", "{}").file(file, format!("const a = 1;\n{HANDLER}"));

        let printed = complaint(&site);

        for words in [&format!("{file}:2:31"), "<p id=", "install react, preact or hono", "jsxImportSource"] {
            assert!(printed.contains(words), "{words}: {printed}");
        }
    }
    assert_fine(&Site::new().file("handler.tsx", "export default <T,>(x: T) => 1;"));
}

#[test]
fn a_package_that_is_set_and_not_installed_is_an_error_at_the_first_element() {
    for file in ["handler.tsx", "handler.client.tsx"] {
        let site = Site::new().file("package.json", r#"{ "jsxImportSource": "solid" }"#).file(file, HANDLER);

        let printed = complaint(&site);

        assert!(
            printed.contains("\"solid/jsx-runtime\"") && printed.contains(&format!("{file}:1:31")),
            "{printed}"
        );
    }
}
