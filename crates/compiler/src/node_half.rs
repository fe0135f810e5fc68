//! Whether a module uses Node's half of the host: `node:` modules, Node's globals, Web Crypto's `subtle`, and what is made of
//! these.
//!
//! An isolate without that half starts faster and is smaller. So the question is answered before the module runs, from
//! its text, and every doubt counts as a use.

use std::path::Path;

use deno_ast::swc::ast::{CallExpr, Callee, Expr, Ident, ImportDecl, Lit, MemberExpr, MemberProp, Str};
use deno_ast::swc::ast::{ExportAll, NamedExport, ObjectPatProp, PropName};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};
use memchr::memmem;

use crate::transpile;

/// Names of globals that Node's half defines, and the export of applications that it mounts.
const GLOBALS: [&str; 12] = [
    "Buffer",
    "Crypto",
    "CryptoKey",
    "SubtleCrypto",
    "clearImmediate",
    "global",
    "navigator",
    "nodeHandler",
    "process",
    "require",
    "setImmediate",
    "subtle",
];

/// A module of the host whose connections are those of `node:net`.
const SOCKETS: &str = "cloudflare:sockets";

/// Names by which code reaches the global object.
const GLOBAL_OBJECTS: [&str; 3] = ["global", "globalThis", "self"];

/// What a module uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Whether the module itself uses Node's half.
    pub node: bool,
    /// Relative specifiers of modules that it may import while it runs.
    pub later: Vec<String>,
}

/// What a module of this text uses. Most texts have none of the words and are not parsed.
pub fn uses(path: &Path, source: &str) -> Uses {
    if !mentions(source) {
        return Uses::default();
    }
    let Some(parsed) = transpile::parsed(path, source.to_owned()) else {
        // A text with keywords of live functions does not parse before it is compiled.
        let script = transpile::script(path, source.to_owned(), transpile::Options::to_read).ok();
        return match script.and_then(|script| transpile::parsed(Path::new("/script.js"), script.code)) {
            Some(parsed) => found_in(&parsed),
            None => Uses::default(),
        };
    };
    found_in(&parsed)
}

fn found_in(parsed: &deno_ast::ParsedSource) -> Uses {
    let mut finder = Finder::default();
    parsed.program().visit_with(&mut finder);
    finder.0
}

/// Whether a word that could mean a use stands in the text, in code or elsewhere.
fn mentions(source: &str) -> bool {
    let text = source.as_bytes();
    let is_part =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte));
    let has_word = |word: &str| {
        memmem::find_iter(text, word).any(|at| {
            !is_part(at.checked_sub(1).and_then(|before| text.get(before)))
                && !is_part(text.get(at + word.len()))
        })
    };
    let has = |part: &[u8]| memmem::find(text, part).is_some();
    has(b"node:")
        || has(SOCKETS.as_bytes())
        || has(b"globalThis[")
        || has(b"self[")
        || has_dynamic(text)
        || GLOBALS.iter().any(|it| has_word(it))
}

/// Whether `import` stands before a parenthesis.
fn has_dynamic(text: &[u8]) -> bool {
    memmem::find_iter(text, b"import").any(|at| text[at + 6..].trim_ascii_start().starts_with(b"("))
}

#[derive(Default)]
struct Finder(Uses);

impl Finder {
    fn imports(&mut self, specifier: &Str) {
        let specifier = specifier.value.to_string_lossy();
        self.0.node |= specifier.starts_with("node:") || specifier == SOCKETS;
    }

    fn name(&mut self, name: &str) {
        self.0.node |= GLOBALS.contains(&name);
    }
}

impl Visit for Finder {
    fn visit_ident(&mut self, name: &Ident) {
        self.name(&name.sym);
    }

    fn visit_member_expr(&mut self, member: &MemberExpr) {
        let is_global = matches!(&*member.obj, Expr::Ident(name) if GLOBAL_OBJECTS.contains(&&*name.sym));
        match &member.prop {
            MemberProp::Ident(name) if is_global || name.sym == "subtle" => self.name(&name.sym),
            // A computed name of the global object may be any.
            MemberProp::Computed(_) if is_global => self.0.node = true,
            _ => {}
        }
        member.visit_children_with(self);
    }

    fn visit_object_pat_prop(&mut self, property: &ObjectPatProp) {
        if let ObjectPatProp::KeyValue(property) = property
            && let PropName::Ident(name) = &property.key
        {
            self.name(&name.sym);
        }
        property.visit_children_with(self);
    }

    fn visit_import_decl(&mut self, import: &ImportDecl) {
        self.imports(&import.src);
        import.visit_children_with(self);
    }

    fn visit_export_all(&mut self, export: &ExportAll) {
        self.imports(&export.src);
    }

    fn visit_named_export(&mut self, export: &NamedExport) {
        export.src.iter().for_each(|source| self.imports(source));
        export.visit_children_with(self);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        if matches!(call.callee, Callee::Import(_)) {
            match call.args.first().map(|argument| &*argument.expr) {
                Some(Expr::Lit(Lit::Str(literal))) => {
                    let specifier = literal.value.to_string_lossy().into_owned();
                    match specifier.starts_with(['.', '/']) {
                        true => self.0.later.push(specifier),
                        false => self.0.node |= !specifier.starts_with("liveline:"),
                    }
                }
                _ => self.0.node = true,
            }
        }
        call.visit_children_with(self);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::uses;

    fn node(source: &str) -> bool {
        uses(Path::new("/handler.server.js"), source).node
    }

    #[test]
    fn names_in_code_are_uses() {
        for source in [
            "import fs from 'node:fs'",
            "export * from 'node:path'",
            "export default () => process.env.A",
            "export default () => globalThis.Buffer",
            "const { process: p } = globalThis",
            "crypto.subtle.digest('SHA-256', data)",
            "import { connect } from 'cloudflare:sockets'",
            "const name = 'x'; globalThis[name]",
            "await import(name)",
            "await import('some-package')",
            "typeof require",
            "export const nodeHandler = app",
            "export { app as nodeHandler }",
        ] {
            assert!(node(source), "{source}");
        }
    }

    #[test]
    fn names_elsewhere_are_none() {
        for source in [
            "// how we process the buffer",
            "export default () => 'node: process'",
            "queue.process(1)",
            "import { a } from './process.js'",
            "export default () => crypto.randomUUID()",
            "await import('liveline:sql')",
            "export const processed = 1",
        ] {
            assert!(!node(source), "{source}");
        }
    }

    #[test]
    fn relative_modules_of_later_are_named() {
        assert_eq!(uses(Path::new("/a.js"), "export default () => import ('./b.js')").later, ["./b.js"]);
    }
}
