//! What can be known of a folder's code without running it: which files it is made of, what they import and export,
//! and every place where that does not fit together. V8 reports the first error of a handler; this reports all.
//!
//! | file | what it does |
//! |---|---|
//! | `graph` | the modules that a handler is made of, and the imports that lead nowhere |
//! | `markup` | the bound elements of a page, with their places |

mod graph;
mod markup;

pub(crate) use graph::Survey;
pub(crate) use markup::marks;
