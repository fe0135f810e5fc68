//! Handlers that most suites share, around the few lines a test is about.

const IMPORTS: &str = r#"
    import { LiveResponse } from "@webqit/webflo";
    import Observer from "@webqit/observer";
"#;

/// A handler with this body, with the host's own modules at hand.
pub fn handler(body: &str) -> String {
    format!("{IMPORTS}\nexport default async function (event, next) {{ {body} }}")
}

/// A handler with this body, in which `go` is a promise: the client's `go` message. So a test decides when the
/// handler goes on, and nothing depends on time.
pub fn on_go(body: &str) -> String {
    handler(&format!(
        r#"const go = new Promise((r) => event.client.addEventListener("go", r, {{ once: true }}));
        {body}"#
    ))
}

/// A handler as of [`on_go`] that returns at `/seen` what `seen` holds: what its body puts there, and `"aborted"`
/// when its signal aborts.
pub fn observed(body: &str) -> String {
    format!(
        r#"{IMPORTS}
        const seen = [];
        export default async function (event, next) {{
          if (next.stepname === "seen") return {{ seen }};
          const go = new Promise((r) => event.client.addEventListener("go", r, {{ once: true }}));
          event.signal.addEventListener("abort", () => seen.push("aborted"));
          {body}
        }}"#
    )
}
