//! Scripts for browsers, in fewer bytes.

use std::collections::{HashMap, HashSet};

use super::primordials::Plain;
use deno_ast::swc::ast::{
    AssignExpr, AssignOp, AssignPat, Class, ClassMember, Decl, Expr, ExprStmt, ForOfStmt, ForStmt, Id, Ident,
    IfStmt, Lit, MemberExpr, MemberProp, Number, Pass, Pat, PrivateName, Program, Prop, SimpleAssignTarget,
    Stmt, UnaryExpr, UnaryOp, VarDecl, VarDeclKind, VarDeclarator,
};
use deno_ast::swc::atoms::Atom;
use deno_ast::swc::codegen::text_writer::{JsWriter, omit_trailing_semi};
use deno_ast::swc::codegen::{Config, Emitter};
use deno_ast::swc::common::SourceMap;
use deno_ast::swc::common::sync::Lrc;
use deno_ast::swc::common::util::take::Take as _;
use deno_ast::swc::ecma_visit::{Visit, VisitMut, VisitMutWith, VisitWith};
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
        ValuesInPlace::of(&mut program);
        Unused::leave_out(&mut program);
        renamer(Default::default(), ShortNames).process(&mut program);
        program.visit_mut_with(&mut ShortPrivateNames::default());
        program.visit_mut_with(&mut OneDeclaration);
        program.visit_mut_with(&mut NoBlocks);
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

/// `const a = file[1]; f(a)` becomes `f(file[1])` where that is the only use: what a file imports is declared like this.
/// So do texts and numbers that have a name.
#[derive(Default)]
struct ValuesInPlace {
    uses: HashMap<Id, usize>,
    /// What stands for each name that is used once.
    values: HashMap<Id, Expr>,
}

impl ValuesInPlace {
    fn of(program: &mut Program) {
        let mut found = ValuesInPlace::default();
        program.visit_with(&mut found);
        let ValuesInPlace { uses, values } = &mut found;
        values.retain(|name, _| uses.get(name) == Some(&1));
        program.visit_mut_with(&mut found);
    }

    /// The name and the value of a declaration whose value may stand in its place.
    fn value(declarator: &VarDeclarator) -> Option<(Id, &Expr)> {
        let (Pat::Ident(name), Some(value)) = (&declarator.name, declarator.init.as_deref()) else {
            return None;
        };
        let is_value = match value {
            Expr::Member(MemberExpr { obj, prop: MemberProp::Computed(key), .. }) => {
                obj.is_ident() && matches!(&*key.expr, Expr::Lit(Lit::Num(_)))
            }
            Expr::Lit(literal) => matches!(literal, Lit::Str(_) | Lit::Num(_)),
            _ => false,
        };
        is_value.then(|| (name.to_id(), value))
    }
}

impl Visit for ValuesInPlace {
    fn visit_var_decl(&mut self, declaration: &VarDecl) {
        declaration.visit_children_with(self);
        if declaration.kind == VarDeclKind::Const {
            let values = declaration.decls.iter().filter_map(ValuesInPlace::value);
            self.values.extend(values.map(|(name, value)| (name, value.clone())));
        }
    }

    fn visit_expr(&mut self, expression: &Expr) {
        expression.visit_children_with(self);
        if let Expr::Ident(name) = expression {
            *self.uses.entry(name.to_id()).or_default() += 1;
        }
    }

    fn visit_prop(&mut self, property: &Prop) {
        property.visit_children_with(self);
        // `{ name }` has no place for another expression.
        if let Prop::Shorthand(name) = property {
            *self.uses.entry(name.to_id()).or_default() += 2;
        }
    }
}

impl VisitMut for ValuesInPlace {
    fn visit_mut_stmts(&mut self, statements: &mut Vec<Stmt>) {
        for statement in statements.iter_mut() {
            if let Stmt::Decl(Decl::Var(declaration)) = statement {
                let is_moved = |declarator: &VarDeclarator| {
                    ValuesInPlace::value(declarator).is_some_and(|(name, _)| self.values.contains_key(&name))
                };
                declaration.decls.retain(|declarator| !is_moved(declarator));
            }
        }
        statements.retain(|statement| !matches!(statement, Stmt::Decl(Decl::Var(it)) if it.decls.is_empty()));
        statements.visit_mut_children_with(self);
    }

    fn visit_mut_expr(&mut self, expression: &mut Expr) {
        expression.visit_mut_children_with(self);
        if let Expr::Ident(name) = expression
            && let Some(value) = self.values.get(&name.to_id())
        {
            *expression = value.clone();
        }
    }
}

/// Functions, and variables that hold one, that nothing reads.
#[derive(Default)]
struct Unused {
    read: HashSet<Id>,
    has_left_out: bool,
}

impl Unused {
    fn leave_out(program: &mut Program) {
        // What is left out may have been the only one to use something else.
        loop {
            let mut unused = Unused::default();
            program.visit_with(&mut unused);
            program.visit_mut_with(&mut unused);
            if !unused.has_left_out {
                return;
            }
        }
    }

    fn is_unused(&self, name: &Ident) -> bool {
        !self.read.contains(&name.to_id())
    }

    /// Whether a variable may go: nobody reads it, and to make its value does nothing.
    fn may_go(&self, declarator: &VarDeclarator) -> bool {
        let Pat::Ident(name) = &declarator.name else { return false };
        self.is_unused(name) && declarator.init.as_deref().is_none_or(is_function)
    }
}

fn is_function(value: &Expr) -> bool {
    matches!(value, Expr::Arrow(_) | Expr::Fn(_))
}

/// `a = value;`
fn plain_assignment(statement: &Stmt) -> Option<(&Ident, &Expr)> {
    let Stmt::Expr(ExprStmt { expr, .. }) = statement else { return None };
    let Expr::Assign(AssignExpr { op: AssignOp::Assign, left, right, .. }) = &**expr else { return None };
    Some((left.as_simple()?.as_ident()?, right))
}

impl Visit for Unused {
    fn visit_stmt(&mut self, statement: &Stmt) {
        match plain_assignment(statement) {
            Some((_, value)) => value.visit_with(self),
            None => statement.visit_children_with(self),
        }
    }

    fn visit_expr(&mut self, expression: &Expr) {
        expression.visit_children_with(self);
        if let Expr::Ident(name) = expression {
            self.read.insert(name.to_id());
        }
    }

    fn visit_prop(&mut self, property: &Prop) {
        property.visit_children_with(self);
        if let Prop::Shorthand(name) = property {
            self.read.insert(name.to_id());
        }
    }

    fn visit_simple_assign_target(&mut self, target: &SimpleAssignTarget) {
        target.visit_children_with(self);
        if let Some(name) = target.as_ident() {
            self.read.insert(name.to_id());
        }
    }
}

impl VisitMut for Unused {
    fn visit_mut_stmts(&mut self, statements: &mut Vec<Stmt>) {
        let before = statements.len();
        for statement in statements.iter_mut() {
            if let Stmt::Decl(Decl::Var(declaration)) = statement {
                let count = declaration.decls.len();
                declaration.decls.retain(|declarator| !self.may_go(declarator));
                self.has_left_out |= declaration.decls.len() < count;
            }
        }
        statements.retain(|statement| match statement {
            Stmt::Decl(Decl::Var(declaration)) => !declaration.decls.is_empty(),
            Stmt::Decl(Decl::Fn(function)) => !self.is_unused(&function.ident),
            statement => !plain_assignment(statement)
                .is_some_and(|(name, value)| self.is_unused(name) && is_function(value)),
        });
        self.has_left_out |= statements.len() < before;
        statements.visit_mut_children_with(self);
    }
}

/// `if (a) { b(); }` becomes `if(a)b()`.
struct NoBlocks;

impl VisitMut for NoBlocks {
    fn visit_mut_if_stmt(&mut self, statement: &mut IfStmt) {
        statement.visit_mut_children_with(self);
        without_block(&mut statement.cons);
        if let Some(alternative) = &mut statement.alt {
            without_block(alternative);
        }
    }

    fn visit_mut_for_of_stmt(&mut self, statement: &mut ForOfStmt) {
        statement.visit_mut_children_with(self);
        without_block(&mut statement.body);
    }

    fn visit_mut_for_stmt(&mut self, statement: &mut ForStmt) {
        statement.visit_mut_children_with(self);
        without_block(&mut statement.body);
    }
}

/// Only statements that no `else` could be taken for a part of.
fn without_block(body: &mut Box<Stmt>) {
    if let Stmt::Block(block) = &mut **body
        && let [only] = block.stmts.as_mut_slice()
        && matches!(
            only,
            Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) | Stmt::Break(_) | Stmt::Continue(_)
        )
    {
        **body = only.take();
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
        let script = "(() => { class Counter { #count = 0; next() { const step = f(); return [step, this.#count += step]; } } return Counter; })()";
        assert_eq!(
            minify(script.into()),
            "(()=>{class e{#e=0;next(){let e=f();return[e,this.#e+=e]}}return e})()"
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
    fn minify_imports_stand_where_they_are_used() {
        let script = "(() => { const [file] = f(); const once = file[0]; const twice = file[1]; const short = file[2]; return [() => once(1), twice, twice, { short }]; })()";
        assert_eq!(
            minify(script.into()),
            "(()=>{let[e]=f(),t=e[1],n=e[2];return[()=>e[0](1),t,t,{short:n}]})()"
        );
    }

    #[test]
    fn minify_what_nothing_uses_is_left_out() {
        let script = "(() => { function a() { return b(); } function b() {} let c; class D { static { c = () => b(); } } let e = () => 1; let f = g(); return D; })()";
        assert_eq!(minify(script.into()), "(()=>{class e{static{}}let t=g();return e})()");
    }

    #[test]
    fn minify_blocks_of_one_statement_are_left_out() {
        let script = "for (const a of f()) { if (a) { g(a); } else { if (b) c(); } }";
        assert_eq!(minify(script.into()), "for(let e of f()){if(e)g(e);else{if(b)c()}}");
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
