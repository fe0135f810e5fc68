//! Node's modules and globals in handlers.

mod builtins;
mod errors;
mod escape;
mod globals;
mod network;
mod process;
mod storage;
mod timers;
mod web_crypto;

use serde_json::Value;

use crate::support::{Host, serve};

/// What every suite here imports.
const IMPORTS: &str = r#"
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
/** What a call results in: its value, or the error's class, code and message. */
const attempt = async (call) => {
  try {
    return await call();
  } catch (error) {
    return { error: error.name, code: error.code, message: error.message };
  }
};
"#;

/// Serves a handler with these imports and this body.
fn serve_with(imports: &str, body: &str) -> Host {
    serve(&format!("{imports}\n{IMPORTS}\nexport default async function (event, next) {{ {body} }}"))
}

/// The answer of a handler with these imports and this body.
fn answer_of(imports: &str, body: &str) -> Value {
    let answer = serve_with(imports, body).get("/");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}
