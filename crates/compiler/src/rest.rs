//! Decides whether a handler uses the rest of the path.
//!
//! A handler that does not use it would answer every deeper path in the same way, which its author rarely means: files
//! of `public/` take precedence over it. The function's source decides, once, when it is loaded. A source that cannot
//! be parsed counts as one that uses the rest. So does, below the root, a function without parameters: it closes its
//! folder.

/// Whether the function with this source, which is that of `Function.prototype.toString`, refers to `next`, its second
/// parameter: calls it, reads its properties, or passes it on. A call with an address is a request for another path,
/// and does not count.
pub fn asks_for_rest(source: &str, is_root: bool) -> bool {
    reading::function(source).is_none_or(|function| function.asks() || (!is_root && function.takes_nothing()))
}

mod reading {
    use deno_ast::swc::ast::{
        ArrowExpr, BlockStmtOrExpr, CallExpr, Callee, Expr, Function, Ident, Lit, ObjectPatProp, Param, Pat,
        Program, Prop, PropName, PropOrSpread, Stmt,
    };
    use deno_ast::swc::ecma_visit::{Visit, VisitWith};
    use deno_ast::swc::transforms::resolver;
    use deno_ast::{MediaType, ModuleSpecifier, ParseParams};

    /// The parts of a function that matter here.
    pub(super) struct Read {
        parameters: Vec<Pat>,
        body: Body,
        /// Whether the function has its own `arguments`, as arrow functions have not.
        has_arguments: bool,
    }

    enum Body {
        Function(Box<Function>),
        Arrow(Box<ArrowExpr>),
    }

    /// Parses a function as an expression, else as a method of an object.
    pub(super) fn function(source: &str) -> Option<Read> {
        let texts = [format!("({source})"), format!("({{{source}}})")];
        texts.into_iter().find_map(|text| function_in(expression(text)?))
    }

    /// The expression that a module consists of, with every name resolved to its declaration.
    fn expression(text: String) -> Option<Expr> {
        let parse = ParseParams {
            specifier: ModuleSpecifier::parse("liveline:handler").ok()?,
            text: text.into(),
            media_type: MediaType::JavaScript,
            capture_tokens: false,
            scope_analysis: false,
            maybe_syntax: None,
        };
        let parsed = deno_ast::parse_module(parse).ok()?;
        let mut program = Program::clone(&parsed.program());
        parsed.globals().with(|marks| {
            program.mutate(resolver(marks.unresolved, marks.top_level, false));
        });
        let statement = match program {
            Program::Script(script) => script.body.into_iter().next()?,
            Program::Module(module) => module.body.into_iter().next()?.stmt()?,
        };
        match statement {
            Stmt::Expr(statement) => Some(*statement.expr),
            _ => None,
        }
    }

    fn function_in(expression: Expr) -> Option<Read> {
        match expression {
            Expr::Paren(paren) => function_in(*paren.expr),
            Expr::Fn(it) => Some(Read::function(it.function)),
            Expr::Arrow(arrow) => {
                let parameters = arrow.params.clone();
                Some(Read { parameters, body: Body::Arrow(Box::new(arrow)), has_arguments: false })
            }
            Expr::Object(object) => match object.props.into_iter().next()? {
                PropOrSpread::Prop(prop) => match *prop {
                    Prop::Method(method) => Some(Read::function(method.function)),
                    _ => None,
                },
                PropOrSpread::Spread(_) => None,
            },
            _ => None,
        }
    }

    impl Read {
        fn function(function: Box<Function>) -> Read {
            let parameters = function.params.iter().map(|Param { pat, .. }| pat.clone()).collect();
            Read { parameters, body: Body::Function(function), has_arguments: true }
        }

        pub(super) fn takes_nothing(&self) -> bool {
            self.parameters.is_empty()
        }

        pub(super) fn asks(&self) -> bool {
            if self.parameters.iter().take(2).any(|parameter| matches!(parameter, Pat::Rest(_))) {
                return true;
            }
            let next = match self.parameters.get(1) {
                None => None,
                Some(parameter) => match without_default(parameter) {
                    Pat::Ident(name) => Some(name.id.clone()),
                    // A pattern without properties reads nothing.
                    Pat::Object(pattern) if pattern.props.is_empty() => None,
                    Pat::Object(pattern) => {
                        if pattern.props.iter().any(looks_at_path) {
                            return true;
                        }
                        None
                    }
                    _ => return true,
                },
            };
            let mut uses = Uses { next, has_arguments: self.has_arguments, asks: false };
            match &self.body {
                Body::Function(function) => {
                    // Default values may refer to other parameters.
                    for parameter in &self.parameters {
                        uses.visit_defaults(parameter);
                    }
                    function.body.visit_with(&mut uses);
                }
                Body::Arrow(arrow) => {
                    for parameter in &self.parameters {
                        uses.visit_defaults(parameter);
                    }
                    match &*arrow.body {
                        BlockStmtOrExpr::BlockStmt(block) => block.visit_with(&mut uses),
                        BlockStmtOrExpr::Expr(expression) => expression.visit_with(&mut uses),
                    }
                }
            }
            uses.asks
        }
    }

    fn without_default(parameter: &Pat) -> &Pat {
        match parameter {
            Pat::Assign(assign) => without_default(&assign.left),
            other => other,
        }
    }

    /// Whether a property of a pattern is one of `next` that is about the path.
    fn looks_at_path(property: &ObjectPatProp) -> bool {
        let is_of_path = |name: &str| ["stepname", "pathname"].contains(&name);
        match property {
            ObjectPatProp::Assign(it) => is_of_path(&it.key.id.sym),
            ObjectPatProp::KeyValue(it) => match &it.key {
                PropName::Ident(name) => is_of_path(&name.sym),
                PropName::Str(name) => is_of_path(&name.value.to_string_lossy()),
                // The name is known only when the handler runs.
                PropName::Computed(_) => true,
                _ => false,
            },
            ObjectPatProp::Rest(_) => true,
        }
    }

    /// Finds references to `next`.
    struct Uses {
        next: Option<Ident>,
        has_arguments: bool,
        asks: bool,
    }

    impl Uses {
        fn is_next(&self, name: &Ident) -> bool {
            self.next.as_ref().is_some_and(|next| next.to_id() == name.to_id())
        }

        /// The default values in a parameter, and not the names that it declares.
        fn visit_defaults(&mut self, parameter: &Pat) {
            match parameter {
                Pat::Assign(assign) => {
                    assign.right.visit_with(self);
                    self.visit_defaults(&assign.left);
                }
                Pat::Array(array) => array.elems.iter().flatten().for_each(|pat| self.visit_defaults(pat)),
                Pat::Rest(rest) => self.visit_defaults(&rest.arg),
                Pat::Object(object) => {
                    for property in &object.props {
                        match property {
                            ObjectPatProp::Assign(it) => it.value.visit_with(self),
                            ObjectPatProp::KeyValue(it) => self.visit_defaults(&it.value),
                            ObjectPatProp::Rest(it) => self.visit_defaults(&it.arg),
                        }
                    }
                }
                _ => {}
            }
        }
    }

    impl Visit for Uses {
        fn visit_ident(&mut self, name: &Ident) {
            // `eval` can refer to every name.
            let sees_all = &*name.sym == "eval" || (self.has_arguments && &*name.sym == "arguments");
            self.asks |= sees_all || self.is_next(name);
        }

        fn visit_call_expr(&mut self, call: &CallExpr) {
            let is_next = matches!(&call.callee, Callee::Expr(callee)
                if matches!(without_parens(callee), Expr::Ident(name) if self.is_next(name)));
            let first = call.args.first().filter(|first| first.spread.is_none());
            if is_next && first.is_some_and(|first| is_address(&first.expr)) {
                return call.args.visit_with(self);
            }
            call.visit_children_with(self);
        }

        fn visit_function(&mut self, function: &Function) {
            let has_arguments = std::mem::replace(&mut self.has_arguments, false);
            function.visit_children_with(self);
            self.has_arguments = has_arguments;
        }
    }

    fn without_parens(expression: &Expr) -> &Expr {
        match expression {
            Expr::Paren(paren) => without_parens(&paren.expr),
            other => other,
        }
    }

    /// Whether an argument is an address in any case.
    fn is_address(value: &Expr) -> bool {
        match without_parens(value) {
            Expr::Lit(Lit::Str(_)) | Expr::Tpl(_) => true,
            Expr::New(new) => {
                matches!(without_parens(&new.callee), Expr::Ident(name) if ["URL", "Request"].contains(&&*name.sym))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::asks_for_rest;

    #[test]
    fn asks_who_refers_to_next() {
        for source in [
            "(event, next) => next()",
            "async (event, next) => { if (next.stepname) return await next(); return 1; }",
            "function GET(event, next) { return next?.(); }",
            "async GET(event, next) { return next.pathname; }",
            "async *[Symbol.iterator](event, next) { yield next; }",
            "function (event, next) { return inner(); function inner() { return next(); } }",
            "(event, { stepname }) => stepname",
            "(event, { 'stepname': name = 1 }) => name",
            "(event, { ...next }) => 1",
            "(event, { [key]: value }) => 1",
            "(event, next = null) => next && next()",
            "(event, next, fetch, value = next()) => value",
            "(...all) => handler(...all)",
            "(event, ...rest) => rest[0]()",
            "function () { return other.apply(this, arguments); }",
            "function () { return () => arguments[1](); }",
            "(event, next) => eval('next()')",
            "() => eval(text)",
            "(event, next) => guard(event, next)",
            "(event, next) => { const go = next; return go(); }",
            "(event, next) => next({ redirect: '/x' })",
            "(event, next) => next(where)",
            "(event, next) => next('/x', next.stepname)",
            "(event, n) => { const { stepname } = n; return stepname; }",
            "function () { [native code] }",
            "not a function at all (",
            "class { }",
        ] {
            assert!(asks_for_rest(source, true), "{source}");
        }
    }

    #[test]
    fn does_not_ask_who_only_takes_the_event() {
        for source in [
            "() => 1",
            "(event) => ({ next: event.next })",
            "event => event.next.stepname",
            "async function GET(event) { return 'next.stepname'; } ",
            "async function* (event) { /* next() */ yield `next`; // next.stepname\n }",
            "GET(event) { return { next: 1 }.next; }",
            "async GET() { return await 1; }",
            "(event, next) => 1",
            "function (event, next) { return list.map((next) => next.name); }",
            "(event, next) => { { const next = 1; use(next); } return /next/.test('next'); }",
            "(event, next) => { const result = next('/api/list'); return result; }",
            "(event, next) => next(new URL('/x', event.url))",
            "(event, next) => next(`/x/${event.id}`)",
            "(event, {}) => 1",
            "(event, { name }) => name",
            "(event, _, fetch) => fetch('/x')",
            "(event) => { function inner() { return arguments[0]; } return inner(1); }",
            "(event) => { label: for (;;) break label; }",
            "(event) => arguments",
        ] {
            assert!(!asks_for_rest(source, true), "{source}");
        }
    }

    #[test]
    fn below_the_root_who_takes_nothing_closes_the_folder() {
        assert!(asks_for_rest("() => new Response('no', { status: 401 })", false));
        assert!(!asks_for_rest("(event) => new Response('no', { status: 401 })", false));
    }
}
