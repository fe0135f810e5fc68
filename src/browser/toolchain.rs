//! What this module needs of a JavaScript compiler and resolver. Text in, text out.

use std::path::{Path, PathBuf};

use liveline_compiler::Diagnostic;
use liveline_compiler::transpile::Import;

/// The host's JavaScript tools.
pub(crate) trait Toolchain: Send + Sync {
    /// Fails where a handler's file is no code of the project.
    fn check(&self, handler: &Path) -> Result<(), Diagnostic>;

    /// A module as JavaScript, and what it imports.
    fn compile(&self, file: &Path, source: String) -> Result<Compiled, Diagnostic>;

    /// What a specifier in a module means.
    fn resolve(&self, specifier: &str, from: &Path) -> Result<Target, Diagnostic>;
}

/// A module that browsers can read, once its imports lead somewhere.
pub(crate) struct Compiled {
    pub code: String,
    /// In the order of the code.
    pub imports: Vec<Import>,
    /// What leads back to the file, where the code is not its own text.
    pub source_map: Option<Vec<u8>>,
}

/// What a specifier leads to.
pub(crate) enum Target {
    File(PathBuf),
    /// A module of the host: its name and its source.
    Own(&'static str, &'static str),
    /// What browsers load as it is written.
    Kept,
}
