//! Modules whose top-level await does not end: how long that goes untold, and which file waits.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When modules wait, what they are made of is worth watching after this time, and worth a line after the next.
const FIRST: Duration = Duration::from_millis(100);
/// Each time is so many times the one before.
const GROWTH: u32 = 10;

/// When to look at a handler's modules that still wait: after 100 ms, 1 s, 10 s and so on, and after `limit` at last.
pub struct Schedule {
    passed: Duration,
    next: Duration,
    limit: Duration,
}

impl Schedule {
    pub fn until(limit: Duration) -> Schedule {
        Schedule { passed: Duration::ZERO, next: FIRST, limit }
    }

    /// How long to wait now; None once the limit has passed.
    pub fn wait(&self) -> Option<Duration> {
        let wait = self.next.min(self.limit).saturating_sub(self.passed);
        (!wait.is_zero()).then_some(wait)
    }

    /// The wait is over, and nothing has happened. Returns how long it was in all, if that is less than the limit.
    pub fn has_waited(&mut self) -> Option<Duration> {
        self.passed = self.next.min(self.limit);
        if self.passed == self.limit {
            return None;
        }
        self.next = self.next.saturating_mul(GROWTH);
        Some(self.passed)
    }
}

/// A handler that cannot be loaded yet.
pub struct Stall {
    pub handler: PathBuf,
    /// The files with a top-level await that it is made of, with the line of the first one in each. What is imported
    /// stands before what imports it.
    pub awaits: Vec<(PathBuf, usize)>,
    pub since: Duration,
}

impl Stall {
    /// Whether it has lasted long enough for a line in the log.
    pub fn is_worth_a_line(&self) -> bool {
        self.since > FIRST
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stall { handler, awaits, since } = self;
        let handler = handler.display();
        let place = |(file, line): &(PathBuf, usize)| format!("{}:{line}", file.display());
        match awaits.as_slice() {
            [] => write!(f, "{handler}: a top-level await has not ended after {since:?}"),
            [only] => write!(f, "{}: this top-level await has not ended after {since:?}", place(only)),
            several => {
                let places: Vec<_> = several.iter().map(place).collect();
                write!(
                    f,
                    "one of these top-level awaits has not ended after {since:?}: {}",
                    places.join(", ")
                )
            }
        }?;
        if awaits.iter().all(|(file, _)| *file != self.handler) && !awaits.is_empty() {
            write!(f, "; {handler} waits for it")?;
        }
        Ok(())
    }
}

/// The line of a module's first top-level await, if it has one.
#[cfg(feature = "ts")]
pub fn first_await(path: &Path) -> Option<usize> {
    use deno_ast::swc::ast::{ArrowExpr, AwaitExpr, ClassMember, ForOfStmt, Function};
    use deno_ast::swc::common::{BytePos, Spanned as _};
    use deno_ast::swc::ecma_visit::{Visit, VisitWith};

    #[derive(Default)]
    struct Awaits(Option<BytePos>);

    impl Awaits {
        fn found(&mut self, at: BytePos) {
            self.0 = Some(self.0.map_or(at, |before| before.min(at)));
        }
    }

    impl Visit for Awaits {
        fn visit_await_expr(&mut self, expression: &AwaitExpr) {
            self.found(expression.span_lo());
            expression.visit_children_with(self);
        }

        fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
            if statement.is_await {
                self.found(statement.span_lo());
            }
            statement.visit_children_with(self);
        }

        // What stands in functions is not the module's own.
        fn visit_function(&mut self, _: &Function) {}
        fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
        fn visit_class_member(&mut self, _: &ClassMember) {}
    }

    let source = std::fs::read_to_string(path).ok()?;
    if !source.contains("await") {
        return None;
    }
    let parsed = super::transpile::parsed(path, source)?;
    let mut awaits = Awaits::default();
    parsed.program().visit_with(&mut awaits);
    let at = awaits.0?;
    Some(parsed.text_info_lazy().line_index(deno_ast::SourcePos::unsafely_from_byte_pos(at)) + 1)
}

#[cfg(not(feature = "ts"))]
pub fn first_await(_: &Path) -> Option<usize> {
    None
}
