//! The host's scripts use only the built-ins that `runtime-js/primordials.js` has captured before any handler ran,
//! because a handler may replace a built-in.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use deno_ast::swc::ast::{
    ArrayPat, CallExpr, Callee, Expr, ExprOrSpread, ForOfStmt, Ident, Lit, MemberExpr, MemberProp, Program,
    SuperPropExpr,
};
use deno_ast::swc::common::{BytePos, Mark, Spanned as _, SyntaxContext};
use deno_ast::swc::ecma_visit::{Visit, VisitMutWith as _, VisitWith};
use deno_ast::swc::transforms::resolver;
use deno_ast::{MediaType, ModuleSpecifier, ParseParams, ParsedSource};

/// Every word of the file, which holds all names that it exports.
static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let captured = include_str!("../../../runtime-js/primordials.js");
    captured.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
});

/// Objects whose functions are captured.
const NAMESPACES: [&str; 13] = [
    "ArrayBuffer",
    "Array",
    "Date",
    "JSON",
    "Math",
    "Number",
    "Object",
    "Promise",
    "Reflect",
    "Response",
    "String",
    "Symbol",
    "URL",
];

/// Values that are no properties of the global object, or that cannot be replaced.
const CONSTANTS: [&str; 4] = ["Infinity", "NaN", "arguments", "undefined"];

/// Methods of built-ins. Maps, sets and weak ones are not here: those of this code have methods of their own.
const METHODS: &str = "addEventListener apply arrayBuffer at bind blob call catch charCodeAt codePointAt concat \
    copyWithin decode dispatchEvent encode endsWith every exec fill filter finally find findIndex findLast flat \
    flatMap forEach formData getReader getSetCookie getWriter includes indexOf join lastIndexOf localeCompare map match \
    matchAll normalize padEnd padStart pop preventDefault push reduce reduceRight releaseLock removeEventListener repeat \
    replace replaceAll respond reverse search shift slice some sort splice split startsWith stopPropagation \
    subarray substring test then throwIfAborted toFixed toISOString toLowerCase toPrecision toReversed toSorted \
    toSpliced toString toUTCString toUpperCase trim trimEnd trimStart unshift withResolvers";

/// Methods that classes of this code have too, by the names that this code has for the built-in objects.
const METHODS_OF: [(&str, &str); 5] = [
    ("controller", "close enqueue error"),
    ("headers", "append delete entries forEach get has keys set values"),
    ("reader", "cancel read releaseLock"),
    ("searchParams", "append delete entries forEach get getAll has keys set values"),
    ("writer", "abort close releaseLock write"),
];

/// Code that looks like the use of a built-in and is none, or that is the handler's own doing.
const ALLOWED: [(&str, &str); 8] = [
    // Classes of Deno that nobody but its code and this code reaches.
    ("request.js", "super."),
    // Methods of this code's own classes.
    ("port/client_port.js", "super.readyStateChange"),
    ("port/port.js", "this.addEventListener"),
    ("port/remote_port.js", "this.#follower?.replace"),
    ("port/remote_port.js", "event.stopPropagation"),
    ("live/live.js", "Observer.map"),
    ("live/live.js", "super.call"),
    // What a handler's live code runs through is what the handler gave.
    ("live/live.js", "of value"),
];

/// The folder of the host's scripts.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime-js")
}

/// Each violation as `file:line: what`.
fn violations(file: &Path) -> Vec<String> {
    let name = file.strip_prefix(folder()).unwrap_or(file).to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).expect("a readable script");
    let parsed = deno_ast::parse_module(ParseParams {
        specifier: ModuleSpecifier::from_file_path(file).expect("an absolute path"),
        text: text.into(),
        media_type: MediaType::JavaScript,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    });
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}"));
    let mut program = Program::clone(&parsed.program());
    parsed.globals().with(|marks| {
        program.visit_mut_with(&mut resolver(marks.unresolved, marks.top_level, false));
        let mut lint = Lint { name, parsed: &parsed, free: marks.unresolved, found: Vec::new() };
        program.visit_with(&mut lint);
        lint.found
    })
}

struct Lint<'a> {
    name: String,
    parsed: &'a ParsedSource,
    free: Mark,
    found: Vec<String>,
}

impl Lint<'_> {
    fn complain(&mut self, at: BytePos, end: BytePos, why: &str) {
        let text = self.parsed.text_info_lazy();
        let start = deno_ast::SourcePos::unsafely_from_byte_pos(at);
        let range = deno_ast::SourceRange::new(start, deno_ast::SourcePos::unsafely_from_byte_pos(end));
        let code = text.range_text(&range);
        if !ALLOWED.iter().any(|(file, allowed)| self.name == *file && code.contains(allowed)) {
            let line = text.line_index(start) + 1;
            let code = code.lines().next().unwrap_or_default();
            self.found.push(format!("runtime-js/{}:{line}: {why}: `{code}`", self.name));
        }
    }

    fn check_items(&mut self, items: &Expr, all: (BytePos, BytePos)) {
        let is_safe = match items {
            Expr::New(new) => {
                matches!(&*new.callee, Expr::Ident(name) if name.sym == "SafeArrayIterator")
            }
            Expr::Call(CallExpr { callee: Callee::Expr(callee), .. }) => {
                let Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. }) = &**callee else {
                    return self.complain(all.0, all.1, "SafeArrayIterator goes through an array");
                };
                ["entries", "keys", "values"].contains(&&*name.sym)
            }
            _ => false,
        };
        if !is_safe {
            self.complain(
                all.0,
                all.1,
                "SafeArrayIterator goes through an array, values() through a SafeSet",
            );
        }
    }

    fn check_spread(&mut self, items: &[ExprOrSpread]) {
        for item in items.iter().filter(|item| item.spread.is_some()) {
            self.check_items(&item.expr, (item.span_lo(), item.span_hi()));
        }
    }
}

impl Visit for Lint<'_> {
    fn visit_ident(&mut self, name: &Ident) {
        let is_free = name.ctxt == SyntaxContext::empty().apply_mark(self.free);
        if is_free && !CONSTANTS.contains(&&*name.sym) {
            self.complain(name.span_lo(), name.span_hi(), "import it from primordials.js");
        }
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        call.visit_children_with(self);
        self.check_spread(&call.args);
        let Callee::Expr(callee) = &call.callee else { return };
        let member = match &**callee {
            Expr::Member(member) => Some(member),
            Expr::OptChain(chain) => chain.base.as_member(),
            Expr::Ident(name) if ["StringPrototypeReplace", "StringPrototypeSplit"].contains(&&*name.sym) => {
                if matches!(call.args.get(1).map(|argument| &*argument.expr), Some(Expr::Lit(Lit::Regex(_))))
                {
                    self.complain(call.span_lo(), call.span_hi(), "a SafeRegExp keeps its own methods");
                }
                None
            }
            _ => None,
        };
        if member.is_some_and(is_method) {
            self.complain(callee.span_lo(), callee.span_hi(), "use the function of primordials.js");
        }
    }

    fn visit_opt_call(&mut self, call: &deno_ast::swc::ast::OptCall) {
        call.visit_children_with(self);
        self.check_spread(&call.args);
        let member = match &*call.callee {
            Expr::Member(member) => Some(member),
            Expr::OptChain(chain) => chain.base.as_member(),
            _ => None,
        };
        if member.is_some_and(is_method) {
            self.complain(call.callee.span_lo(), call.callee.span_hi(), "use the function of primordials.js");
        }
    }

    fn visit_new_expr(&mut self, new: &deno_ast::swc::ast::NewExpr) {
        new.visit_children_with(self);
        self.check_spread(new.args.as_deref().unwrap_or_default());
    }

    fn visit_array_lit(&mut self, array: &deno_ast::swc::ast::ArrayLit) {
        array.visit_children_with(self);
        for item in array.elems.iter().flatten() {
            self.check_spread(std::slice::from_ref(item));
        }
    }

    fn visit_array_pat(&mut self, pattern: &ArrayPat) {
        pattern.visit_children_with(self);
        self.complain(pattern.span_lo(), pattern.span_hi(), "`{ 0: a, 1: b }` needs no iterator");
    }

    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        statement.visit_children_with(self);
        self.check_items(&statement.right, (statement.left.span_lo(), statement.right.span_hi()));
    }

    fn visit_super_prop_expr(&mut self, member: &SuperPropExpr) {
        member.visit_children_with(self);
        self.complain(member.span_lo(), member.span_hi(), "a method of another class may be replaced");
    }

    fn visit_member_expr(&mut self, member: &MemberExpr) {
        member.visit_children_with(self);
        let (Expr::Ident(object), MemberProp::Ident(name)) = (&*member.obj, &member.prop) else { return };
        let is_class =
            NAMESPACES.contains(&&*object.sym) || starts_a_word(&object.sym) && NAMES.contains(&*object.sym);
        if is_class && name.sym != "prototype" {
            self.complain(member.span_lo(), member.span_hi(), "use the function of primordials.js");
        }
    }
}

/// Whether a member has the name of a method of built-ins.
fn is_method(member: &MemberExpr) -> bool {
    let MemberProp::Ident(name) = &member.prop else { return false };
    let has = |methods: &str| methods.split_whitespace().any(|method| method == &*name.sym);
    let object = match &*member.obj {
        Expr::Ident(object) => &*object.sym,
        Expr::Member(MemberExpr { prop: MemberProp::Ident(object), .. }) => &*object.sym,
        _ => "",
    };
    has(METHODS) || METHODS_OF.iter().any(|(of, methods)| *of == object && has(methods))
}

fn starts_a_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn host_scripts_use_captured_built_ins() {
    let is_for_browsers = |path: &PathBuf| path.ends_with("client") || path.ends_with("dev");
    let is_script = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "js");
    let (files, folders): (Vec<_>, Vec<_>) = entries(&folder()).into_iter().partition(|path| path.is_file());
    let inner = folders.iter().filter(|folder| !is_for_browsers(folder)).flat_map(|folder| entries(folder));
    let mut scripts: Vec<_> = files.into_iter().chain(inner).filter(is_script).collect();
    scripts.retain(|file| !file.ends_with("primordials.js"));
    scripts.sort();
    assert!(scripts.len() > folders.len(), "there are scripts");

    let violations: Vec<_> = scripts.iter().flat_map(|file| violations(file)).collect();

    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn uses_of_what_handlers_can_replace_are_found() {
    let script = tempfile::Builder::new().suffix(".js").tempfile().expect("a temporary file");
    let lines = [
        "list.push(1);",
        "text?.trim();",
        "new Map();",
        "const [a] = b();",
        "for (const c of d()) c;",
        "f(...e());",
        "Promise.resolve();",
        "super_();",
        "StringPrototypeReplace(g(), /h/, 1);",
        "[...i()];",
        "list.searchParams.get('a');",
        "controller.close();",
        "text.reader?.read();",
    ];
    let text = format!(
        "import {{ Promise, StringPrototypeReplace }} from './x.js'; let list, text, controller, b, d, f, e, g, i, super_;\n{}",
        lines.join("\n")
    );
    std::fs::write(script.path(), text).expect("a written file");

    let violations = violations(script.path());

    let found = |line: usize| violations.iter().any(|violation| violation.contains(&format!(":{line}: ")));
    let missed: Vec<_> =
        lines.iter().enumerate().filter(|(i, _)| !found(i + 2)).map(|(_, line)| *line).collect();
    assert_eq!(missed, ["super_();"], "{violations:#?}");
}
