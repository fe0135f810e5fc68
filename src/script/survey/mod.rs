//! Static checks of handlers: which files they consist of, what these import and export, and every import that does not
//! fit. V8 reports the first error of a handler; this reports all.
//!
//! | file | what it does |
//! |---|---|
//! | `graph` | the modules of a handler, and the imports that cannot be resolved |
//! | `markup` | the bound elements of a page, with their places |

mod graph;
mod markup;

pub(crate) use graph::Survey;
pub(crate) use markup::marks;
