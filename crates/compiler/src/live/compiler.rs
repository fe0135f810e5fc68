//! What the passes over the code of a module share: names, scopes with their cells, and calls of the runtime.

use std::collections::{HashMap, HashSet};

use deno_ast::swc::ast::{Expr, Id, Ident, Module, Stmt, VarDeclKind};
use deno_ast::swc::common::{BytePos, DUMMY_SP, Span};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};

use super::bindings::Bindings;
use super::build;
use super::error::LiveError;
use super::function_id::FunctionId;

/// The name of the runtime in the compiled code, unless the module has names that begin so.
const PREFIX: &str = "$live";

/// Rewrites one module.
pub(super) struct Compiler<'a> {
    functions: &'a HashSet<FunctionId>,
    bindings: &'a Bindings,
    /// The name of the runtime in code that is not live.
    pub(super) runtime: Ident,
    /// The name of the running effect in live code.
    pub(super) effect: Ident,
    prefix: String,
    /// Whether the visited code is live.
    pub(super) is_live: bool,
    scopes: Vec<Scope>,
    /// The cells of variables that were declared so far.
    cells: HashMap<Id, Ident>,
    /// How many names were made so far.
    made: usize,
    pub error: Option<LiveError>,
}

/// The names that the compiled code declares at the beginning of a list of statements.
#[derive(Default)]
struct Scope {
    cells: Vec<Ident>,
    temps: Vec<Ident>,
    is_function: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        module: &Module,
        functions: &'a HashSet<FunctionId>,
        bindings: &'a Bindings,
    ) -> Compiler<'a> {
        let mut prefix = PREFIX.to_owned();
        while Prefixed::is_used(module, &prefix) {
            prefix.push('_');
        }
        Compiler {
            functions,
            bindings,
            runtime: build::ident(prefix.as_str()),
            effect: build::ident(format!("{prefix}$")),
            prefix,
            is_live: false,
            scopes: Vec::new(),
            cells: HashMap::new(),
            made: 0,
            error: None,
        }
    }

    pub(super) fn fail(&mut self, message: &str, at: BytePos) {
        self.error.get_or_insert(LiveError { message: message.to_owned(), at });
    }

    // -- names ------------------------------------------------------------------------------------------------

    /// A new name, which the module does not have.
    pub(super) fn name(&mut self) -> Ident {
        self.made += 1;
        build::ident(format!("{}{}", self.prefix, self.made))
    }

    /// A new variable of the function that is being compiled, for a value that is needed twice.
    pub(super) fn temp(&mut self) -> Ident {
        let name = self.name();
        let scope = self.scopes.iter_mut().rfind(|scope| scope.is_function);
        scope.expect("a module is a scope").temps.push(name.clone());
        name
    }

    /// A new variable with a cell.
    pub(super) fn tracked_name(&mut self) -> Ident {
        let name = self.name();
        let cell = build::ident(format!("{}_{}", self.prefix, self.made));
        self.add_cell(name.to_id(), cell);
        name
    }

    fn add_cell(&mut self, id: Id, cell: Ident) {
        self.cells.insert(id, cell.clone());
        self.scopes.last_mut().expect("a module is a scope").cells.push(cell);
    }

    /// Makes the cell of a variable that the innermost scope declares, if it needs one.
    pub(super) fn declare(&mut self, id: &Id) {
        if !self.bindings.cells.contains(id) || self.cells.contains_key(id) {
            return;
        }
        self.made += 1;
        let cell = build::ident(format!("{}_{}{}", self.prefix, id.0, self.made));
        self.add_cell(id.clone(), cell);
    }

    /// The same for a `var`, which belongs to the function.
    pub(super) fn declare_in_function(&mut self, id: &Id) {
        let Some(index) = self.scopes.iter().rposition(|scope| scope.is_function) else { return };
        let inner = self.scopes.split_off(index + 1);
        self.declare(id);
        self.scopes.extend(inner);
    }

    pub(super) fn cell(&self, ident: &Ident) -> Option<Ident> {
        self.cells.get(&ident.to_id()).cloned()
    }

    /// Whether the module does not declare this name.
    pub(super) fn is_global(&self, ident: &Ident) -> bool {
        self.bindings.is_global(ident)
    }

    pub(super) fn is_live_function(&self, id: FunctionId) -> bool {
        self.functions.contains(&id)
    }

    pub(super) fn is_constant(&self, ident: &Ident) -> bool {
        self.bindings.constants.contains(&ident.to_id())
    }

    // -- scopes -----------------------------------------------------------------------------------------------

    pub(super) fn open(&mut self, is_function: bool) {
        self.scopes.push(Scope { is_function, ..Scope::default() });
    }

    /// Closes the innermost scope, and returns the declarations that it needs.
    pub(super) fn close(&mut self) -> Vec<Stmt> {
        let Scope { cells, temps, .. } = self.scopes.pop().expect("scopes close in order");
        let cell = |name| (name, Some(build::call(DUMMY_SP, &self.runtime, "cell", Vec::new())));
        let cells: Vec<_> = cells.into_iter().map(cell).collect();
        let constants = (!cells.is_empty()).then(|| build::declaration(VarDeclKind::Const, cells));
        constants.into_iter().chain(build::variables(temps)).collect()
    }

    /// Visits code that is live, or is not.
    pub(super) fn within(&mut self, is_live: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_live, is_live);
        visit(self);
        self.is_live = outer;
    }

    // -- calls of the runtime ---------------------------------------------------------------------------------

    /// The object whose methods the code calls: the running effect in live code, else the runtime.
    fn receiver(&self) -> Ident {
        if self.is_live { self.effect.clone() } else { self.runtime.clone() }
    }

    /// A call of the runtime.
    pub(super) fn call(&self, span: Span, method: &str, arguments: Vec<Expr>) -> Expr {
        build::call(span, &self.receiver(), method, arguments)
    }

    /// An assignment that notifies the variable's cell, if it has one.
    pub(super) fn wrote(&mut self, name: &Ident, assignment: Expr, span: Span) -> Expr {
        match self.cell(name) {
            Some(cell) => self.call(span, "wrote", vec![cell.into(), assignment]),
            None => assignment,
        }
    }
}

/// Whether a name that begins with the prefix occurs.
struct Prefixed<'p> {
    prefix: &'p str,
    found: bool,
}

impl Prefixed<'_> {
    fn is_used(module: &Module, prefix: &str) -> bool {
        let mut search = Prefixed { prefix, found: false };
        module.visit_with(&mut search);
        search.found
    }
}

impl Visit for Prefixed<'_> {
    fn visit_ident(&mut self, ident: &Ident) {
        self.found |= ident.sym.starts_with(self.prefix);
    }
}
