//! Files that pages import and that are no modules of JavaScript: each is served as a script that exports it.

use std::collections::BTreeMap;
use std::path::Path;

use liveline_compiler::transpile::Import;
use serde_json::json;
use wasm_dep_analyzer::{ParseOptions, WasmDeps};

/// What an import of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Text,
    Bytes,
    /// The exports of an instance of a module of WebAssembly.
    Instance,
    /// A module of WebAssembly that does not run.
    Module,
}

impl Data {
    /// What an import of a file is; `None` for one that browsers import as it is.
    pub(super) fn of(import: &Import, file: &Path) -> Option<Data> {
        let is_wasm = file.extension().is_some_and(|extension| extension == "wasm");
        match &import.typed {
            Some((kind, _)) if kind == "text" => Some(Data::Text),
            Some((kind, _)) if kind == "bytes" => Some(Data::Bytes),
            None if is_wasm && import.source_phase.is_some() => Some(Data::Module),
            None if is_wasm => Some(Data::Instance),
            _ => None,
        }
    }

    /// The place of the script for a file at a place.
    pub(super) fn place(self, file: &str) -> String {
        let name = match self {
            Data::Text => "text",
            Data::Bytes => "bytes",
            Data::Instance => "instance",
            Data::Module => "module",
        };
        format!("{file}.{name}.js")
    }
}

/// The script that exports a text.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("export default {};\n", json!(text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

/// The script that exports bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    format!("export default new Uint8Array({});\n", json!(bytes))
}

/// The script that exports the module of WebAssembly at a URL.
pub(super) fn module(url: &str) -> String {
    format!("export default await WebAssembly.compileStreaming(fetch({}));\n", json!(url))
}

/// The script that exports what an instance of the module at a URL exports. `resolve` returns the URL of an import.
pub(super) fn instance<E>(
    bytes: &[u8],
    url: &str,
    mut resolve: impl FnMut(&str) -> Result<String, E>,
) -> Result<Option<String>, E> {
    let Ok(found) = WasmDeps::parse(bytes, ParseOptions { skip_types: true }) else { return Ok(None) };
    let mut imports = BTreeMap::new();
    for import in &found.imports {
        if !imports.contains_key(import.module) {
            imports.insert(import.module, resolve(import.module)?);
        }
    }
    let mut script = String::new();
    for (number, url) in imports.values().enumerate() {
        script.push_str(&format!("import * as i{number} from {};\n", json!(url)));
    }
    let modules: Vec<_> =
        imports.keys().enumerate().map(|(number, name)| format!("{}: i{number}", json!(name))).collect();
    script.push_str(&format!(
        "const {{ instance: {{ exports }} }} = await WebAssembly.instantiateStreaming(fetch({}), {{ {} }});\n\
         const valueOf = (it) => it instanceof WebAssembly.Global ? it.value : it;\n",
        json!(url),
        modules.join(", ")
    ));
    for (number, export) in found.exports.iter().enumerate() {
        let name = json!(export.name);
        script.push_str(&format!(
            "const e{number} = valueOf(exports[{name}]);\nexport {{ e{number} as {name} }};\n"
        ));
    }
    Ok(Some(script))
}

#[cfg(test)]
mod tests {
    use super::{bytes, text};

    #[test]
    fn text_and_bytes_become_literals() {
        assert_eq!(text("\u{feff}a\"\n".as_bytes()), "export default \"a\\\"\\n\";\n");
        assert_eq!(bytes(&[0, 255]), "export default new Uint8Array([0,255]);\n");
    }
}
