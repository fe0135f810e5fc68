//! What TypeScript writes in ways that swc does not compile as deno_ast uses it: imports and exports of CommonJS, and
//! fields without a value.

use std::mem;

use deno_ast::swc::ast::{
    ClassProp, Decl, ExportNamedSpecifier, ExportSpecifier, ImportDecl, ImportDefaultSpecifier, ImportPhase,
    ImportSpecifier, Module, ModuleDecl, ModuleExportName, ModuleItem, NamedExport, TsImportEqualsDecl,
    TsModuleRef,
};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

/// Whether a module is CommonJS: it has `import a = require("a")` or `export =`, and no import or export of ES modules
/// other than those of types.
pub(crate) fn is_common_js(module: &Module) -> bool {
    let decls = || module.body.iter().filter_map(ModuleItem::as_module_decl);
    decls().any(is_of_common_js) && decls().all(|decl| is_of_common_js(decl) || is_of_types(decl))
}

/// Makes a module one that swc compiles. A CommonJS module loses its imports and exports of types. In an ES module
/// `import a = require("a")` becomes the import of the default export, which is `module.exports` of a CommonJS module.
pub(crate) fn adapt(module: &mut Module, defines_fields: bool) {
    if is_common_js(module) {
        module.body.retain(|item| !item.as_module_decl().is_some_and(is_of_types));
    } else if module.body.iter().filter_map(ModuleItem::as_module_decl).any(is_of_common_js) {
        module.body = mem::take(&mut module.body).into_iter().flat_map(as_es_module).collect();
    }
    if !defines_fields {
        module.visit_mut_with(&mut Undefined);
    }
}

fn is_of_common_js(decl: &ModuleDecl) -> bool {
    matches!(decl, ModuleDecl::TsExportAssignment(_))
        || decl.as_ts_import_equals().is_some_and(|import| is_required(import))
}

fn is_required(import: &TsImportEqualsDecl) -> bool {
    matches!(import.module_ref, TsModuleRef::TsExternalModuleRef(_))
}

/// Whether nothing of an import or export is left at run time. `import a = A.b` stands for its own statement.
fn is_of_types(decl: &ModuleDecl) -> bool {
    match decl {
        ModuleDecl::Import(import) => import.type_only,
        ModuleDecl::ExportNamed(export) => export.type_only,
        ModuleDecl::ExportAll(export) => export.type_only,
        ModuleDecl::ExportDecl(export) => matches!(export.decl, Decl::TsInterface(_) | Decl::TsTypeAlias(_)),
        ModuleDecl::TsNamespaceExport(_) => true,
        _ => false,
    }
}

fn as_es_module(item: ModuleItem) -> Vec<ModuleItem> {
    let ModuleItem::ModuleDecl(ModuleDecl::TsImportEquals(import)) = item else { return vec![item] };
    let TsImportEqualsDecl { span, is_export, is_type_only, id, module_ref } = *import;
    let required = match module_ref {
        TsModuleRef::TsExternalModuleRef(required) => required,
        module_ref => {
            let import = TsImportEqualsDecl { span, is_export, is_type_only, id, module_ref };
            return vec![ModuleItem::ModuleDecl(ModuleDecl::TsImportEquals(Box::new(import)))];
        }
    };
    let import = ModuleDecl::Import(ImportDecl {
        span,
        specifiers: vec![ImportSpecifier::Default(ImportDefaultSpecifier { span, local: id.clone() })],
        src: Box::new(required.expr),
        type_only: is_type_only,
        with: None,
        phase: ImportPhase::Evaluation,
    });
    let export = is_export.then(|| {
        let name = ExportNamedSpecifier {
            span,
            orig: ModuleExportName::Ident(id),
            exported: None,
            is_type_only: false,
        };
        let specifiers = vec![ExportSpecifier::Named(name)];
        ModuleDecl::ExportNamed(NamedExport {
            span,
            specifiers,
            src: None,
            type_only: is_type_only,
            with: None,
        })
    });
    [Some(import), export].into_iter().flatten().map(ModuleItem::ModuleDecl).collect()
}

/// Makes a field without a value a declaration of its type, as with `"useDefineForClassFields": false`.
struct Undefined;

impl VisitMut for Undefined {
    fn visit_mut_class_prop(&mut self, field: &mut ClassProp) {
        field.declare |= field.value.is_none();
        field.visit_mut_children_with(self);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::transpile::{Decorators, Options, script};

    fn compiled(file: &str, source: &str, options: Options) -> String {
        let script = script(Path::new(file), source.to_owned(), || Ok(options)).expect("it compiles");
        script.code
    }

    #[track_caller]
    fn assert_compiles(file: &str, source: &str, parts: &[&str]) {
        let code = compiled(file, source, Options::default());
        for part in parts {
            assert!(code.contains(part), "{part}\nis not in\n{code}");
        }
    }

    #[test]
    fn imports_and_exports_of_common_js_are_compiled() {
        let source = "import type { A } from './a';\nimport fs = require('fs');\nexport = { fs } as A;";
        for file in ["/a.cts", "/a.ts"] {
            assert_compiles(file, source, &["const fs = require(\"fs\")", "module.exports = {"]);
        }
        let mixed = "import fs = require('fs');\nexport import os = require('os');\nexport const x = fs;";
        assert_compiles("/a.ts", mixed, &["import fs from 'fs'", "import os from 'os'", "export { os }"]);
    }

    #[test]
    fn an_alias_of_a_namespace_is_no_common_js() {
        let source = "namespace N { export const b = 1; }\nimport b = N.b;\nexport default b;";
        assert_compiles("/a.ts", source, &["export default b", "N.b"]);
    }

    #[test]
    fn fields_without_a_value_may_be_left_out() {
        let source = "class A { a: number; b = 1; @d c: string; }";
        let decorators = Decorators::Legacy { metadata: true };
        let options = Options { defines_fields: false, decorators, ..Options::default() };
        let code = compiled("/a.ts", source, options);
        assert!(!code.contains(" a;") && code.contains("b = 1") && !code.contains(" c;"), "{code}");
        assert!(code.contains("_ts_decorate([") && code.contains("\"design:type\", String"), "{code}");
        assert!(compiled("/a.ts", source, Options::default()).contains(" a;"));
    }
}
