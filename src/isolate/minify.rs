//! Scripts for browsers, in fewer bytes.

use super::primordials::Plain;
use deno_ast::swc::ast::{
    AssignPat, Class, ClassMember, Decl, Expr, Id, Lit, Number, Pass, Pat, PrivateName, Program, Stmt,
    UnaryExpr, UnaryOp, VarDecl, VarDeclKind,
};
use deno_ast::swc::atoms::Atom;
use deno_ast::swc::codegen::text_writer::{JsWriter, omit_trailing_semi};
use deno_ast::swc::codegen::{Config, Emitter};
use deno_ast::swc::common::SourceMap;
use deno_ast::swc::common::sync::Lrc;
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};
use deno_ast::{MediaType, ModuleSpecifier, ParseParams};
use swc_ecma_transforms_base::rename::{Renamer, renamer};
use swc_ecma_transforms_base::resolver;

/// The same script with plain built-ins and short names, and without comments and space.
///
/// # Panics
/// When it is no script. Ours are, and tests say so.
pub fn minify(script: String) -> String {
    let parse = ParseParams {
        specifier: ModuleSpecifier::parse("liveline:app.js").expect("a valid URL"),
        text: script.into(),
        media_type: MediaType::JavaScript,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    };
    let parsed =
        deno_ast::parse_script(parse).unwrap_or_else(|error| panic!("a bundle does not parse: {error}"));
    let mut program = Program::clone(&parsed.program());
    program.visit_mut_with(&mut Plain);
    parsed.globals().with(|marks| {
        resolver(marks.unresolved, marks.top_level, false).process(&mut program);
        renamer(Default::default(), ShortNames).process(&mut program);
        program.visit_mut_with(&mut ShortPrivateNames::default());
        program.visit_mut_with(&mut OneDeclaration);
        program.visit_mut_with(&mut ShortValues);
    });
    let mut output = Vec::new();
    let map: Lrc<SourceMap> = Lrc::default();
    {
        let mut emitter = Emitter {
            cfg: Config::default().with_minify(true).with_ascii_only(true),
            comments: None,
            cm: map.clone(),
            wr: omit_trailing_semi(JsWriter::new(map, "\n", &mut output, None)),
        };
        emitter.emit_program(&program).expect("memory can be written to");
    }
    String::from_utf8(output)
        .expect("the emitter was told to write ASCII")
        .trim_end()
        .trim_end_matches(';')
        .to_owned()
}

/// Names of one letter, of two, and so on. The letters that scripts have most come first, which compresses best.
fn short(mut number: usize) -> Atom {
    const LETTERS: &[u8; 52] = b"etnrisoacldupfmhgvybxwkqjzETNRISOACLDUPFMHGVYBXWKQJZ";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return name.into();
        }
        number -= 1;
    }
}

/// Renames variables, each scope by itself.
struct ShortNames;

impl Renamer for ShortNames {
    type Target = Atom;
    const RESET_N: bool = false;
    const MANGLE: bool = true;

    fn new_name_for(&self, _: &Id, number: &mut usize) -> Atom {
        let name = short(*number);
        *number += 1;
        name
    }
}

/// Renames private members, those of each class by themselves.
#[derive(Default)]
struct ShortPrivateNames {
    /// The members of the classes around, the outermost first.
    classes: Vec<Vec<Atom>>,
}

impl VisitMut for ShortPrivateNames {
    fn visit_mut_class(&mut self, class: &mut Class) {
        let mut names = Vec::new();
        for member in &class.body {
            let name = match member {
                ClassMember::PrivateMethod(method) => &method.key.name,
                ClassMember::PrivateProp(property) => &property.key.name,
                _ => continue,
            };
            // A getter and a setter share one.
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        self.classes.push(names);
        class.visit_mut_children_with(self);
        self.classes.pop();
    }

    fn visit_mut_private_name(&mut self, name: &mut PrivateName) {
        // What stands in a class may use members of those around it.
        let mut outer = self.classes.iter().map(Vec::len).sum::<usize>();
        for names in self.classes.iter().rev() {
            outer -= names.len();
            if let Some(number) = names.iter().position(|known| *known == name.name) {
                name.name = short(outer + number);
                return;
            }
        }
    }
}

/// `const a = 1; let b;` becomes `let a=1,b`.
struct OneDeclaration;

impl VisitMut for OneDeclaration {
    fn visit_mut_var_decl(&mut self, declaration: &mut VarDecl) {
        // Nothing is assigned to a constant, or the script would not have run.
        declaration.kind = VarDeclKind::Let;
        declaration.visit_mut_children_with(self);
    }

    fn visit_mut_stmts(&mut self, statements: &mut Vec<Stmt>) {
        statements.visit_mut_children_with(self);
        statements.dedup_by(|next, before| match (next, before) {
            (Stmt::Decl(Decl::Var(next)), Stmt::Decl(Decl::Var(before))) => {
                before.decls.append(&mut next.decls);
                true
            }
            _ => false,
        });
    }
}

/// `true` becomes `!0`, `false` `!1`, and `undefined` `void 0`. A parameter that is `undefined` by default is so anyway.
struct ShortValues;

impl VisitMut for ShortValues {
    fn visit_mut_pat(&mut self, pattern: &mut Pat) {
        if let Pat::Assign(AssignPat { left, right, .. }) = pattern
            && right.as_ident().is_some_and(|name| name.sym == "undefined")
        {
            *pattern = (**left).clone();
        }
        pattern.visit_mut_children_with(self);
    }

    fn visit_mut_expr(&mut self, expression: &mut Expr) {
        expression.visit_mut_children_with(self);
        let (span, op, value) = match expression {
            Expr::Lit(Lit::Bool(flag)) => (flag.span, UnaryOp::Bang, if flag.value { 0.0 } else { 1.0 }),
            // Variables have other names by now.
            Expr::Ident(name) if name.sym == "undefined" => (name.span, UnaryOp::Void, 0.0),
            _ => return,
        };
        let arg = Box::new(Expr::Lit(Lit::Num(Number { span, value, raw: None })));
        *expression = Expr::Unary(UnaryExpr { span, op, arg });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minify_variables_and_private_members_are_short() {
        let script = "(() => { class Counter { #count = 0; next() { const step = 1; return this.#count += step; } } return Counter; })()";
        assert_eq!(
            minify(script.into()),
            "(()=>{class e{#e=0;next(){let e=1;return this.#e+=e}}return e})()"
        );
        let nested = "(() => { class A { #x; #y; f() { return class { #z; g(a) { return a.#x + a.#y + this.#z; } }; } } return class { #own; }; })()";
        assert_eq!(
            minify(nested.into()),
            "(()=>{class e{#e;#t;f(){return class{#n;g(e){return e.#e+e.#t+this.#n}}}}return class{#e}})()"
        );
    }

    #[test]
    fn minify_values_are_short() {
        let script = "f(true, { a: false, true: undefined, undefined: 1 }, x.undefined)";
        assert_eq!(minify(script.into()), "f(!0,{a:!1,true:void 0,undefined:1},x.undefined)");
        assert_eq!(minify("((a, b = undefined) => a)(1)".into()), "((e,t)=>e)(1)");
    }

    #[test]
    fn minify_built_ins_are_plain() {
        let script = "(() => { const { 0: a, 1: b } = f(); for (const c of new SafeArrayIterator(a)) { ArrayPrototypePush(b ?? [], StringPrototypeTrim(c)); } return [new SafeMap(), ObjectKeys(a), SymbolIterator, ResponsePrototypeGetStatus(b), new SafeRegExp(/a/g)]; })()";
        let plain = "(() => { const [a, b] = f(); for (const c of a) { (b ?? []).push(c.trim()); } return [new Map(), Object.keys(a), Symbol.iterator, b.status, /a/g]; })()";
        assert_eq!(minify(script.into()), minify(plain.into()));
    }

    #[test]
    fn minify_names_do_not_hide_globals() {
        assert_eq!(minify("((first) => e + first)(1)".into()), "(t=>e+t)(1)");
    }
}
