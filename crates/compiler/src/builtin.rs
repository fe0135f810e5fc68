//! The scripts of Deno's crates, as the executable embeds them.

use deno_ast::{
    EmitOptions, ImportsNotUsedAsValues, MediaType, ModuleSpecifier, ParseParams, SourceMapOption,
    TranspileModuleOptions, TranspileOptions,
};

/// How a script that uses the object `Deno` receives it. Handlers have no such global.
const DENO: &str =
    "import { internals as denoInternals } from \"ext:core/mod.js\";\nconst Deno = denoInternals.deno;\n";

/// Compiles a script: types and comments are removed, and characters beyond ASCII are escaped, because the engine
/// shares the text with the executable.
///
/// A script that is one function expression becomes a function body that returns the value of its call; a module stays
/// a module. Both get the object `Deno` of the host's internals if they name it.
///
/// # Errors
///
/// The message of the parser, with the line and column of the syntax error, or the message of the compiler.
pub fn compile(name: &str, source: String) -> Result<String, String> {
    let parsed = deno_ast::parse_module(ParseParams {
        specifier: ModuleSpecifier::parse(&format!("ext:{name}")).map_err(|error| error.to_string())?,
        text: source.into(),
        media_type: MediaType::TypeScript,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .map_err(|error| error.to_string())?;
    let options = TranspileOptions {
        imports_not_used_as_values: ImportsNotUsedAsValues::Remove,
        ..TranspileOptions::default()
    };
    let emit =
        EmitOptions { source_map: SourceMapOption::None, remove_comments: true, ..EmitOptions::default() };
    let compiled = parsed
        .transpile(&options, &TranspileModuleOptions::default(), &emit)
        .map_err(|error| error.to_string())?;
    let text = escaped(&compiled.into_source().text);
    let text = text.trim();
    let uses_deno = text.contains("Deno.");
    let is_expression =
        ["(function", "(async function", "(()", "(async ()"].iter().any(|it| text.starts_with(it));
    Ok(match (is_expression, uses_deno) {
        (true, false) => body_of(text.trim_end_matches(';')),
        (true, true) => {
            body_of(&format!("((Deno) => {})(__bootstrap.internals.deno)", text.trim_end_matches(';')))
        }
        (false, false) => text.to_owned(),
        (false, true) => format!("{DENO}{text}"),
    })
}

const BODY: [&str; 2] = ["\"use strict\"; return (", ");"];

/// The body of a function that returns what an expression is, as `deno_core` runs scripts.
fn body_of(expression: &str) -> String {
    BODY.join(expression)
}

/// The expression of a script that was compiled to a function's body.
pub fn expression_in(body: &str) -> Option<&str> {
    body.strip_prefix(BODY[0])?.strip_suffix(BODY[1])
}

/// The text with escapes in place of characters beyond ASCII. They stand in strings, templates and patterns, because
/// comments are removed.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::compile;

    fn compiled(source: &str) -> String {
        compile("test/file.ts", source.to_owned()).expect("it compiles")
    }

    #[test]
    fn a_function_expression_becomes_a_function_body() {
        let text = compiled("// note\n(function () {\nconst a: number = 1;\nreturn { a };\n})();\n");
        assert!(text.starts_with("\"use strict\"; return ((function() {"), "{text}");
        assert!(text.ends_with("})());"), "{text}");
        assert!(!text.contains("number"), "{text}");
    }

    #[test]
    fn deno_comes_from_the_internals() {
        let script = compiled("(function () { return Deno.pid; })();");
        assert!(script.starts_with("\"use strict\"; return (((Deno) => "), "{script}");
        let module = compiled("export const pid = Deno.pid;");
        assert!(module.contains("const Deno = denoInternals.deno;\nexport const pid"), "{module}");
    }

    #[test]
    fn characters_beyond_ascii_are_escaped() {
        assert_eq!(
            compiled("export const a = \"\u{e9}\u{1f600}\";"),
            "export const a = \"\\u00e9\\ud83d\\ude00\";"
        );
    }
}
