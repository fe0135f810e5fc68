//! What can be known of a folder's code without running it: which files it is made of, what they import and export,
//! and every place where that does not fit together. V8 reports the first error of a handler; this reports all.
//!
//! | file | what it does |
//! |---|---|
//! | `graph` | the modules that a handler is made of, and the imports that lead nowhere |
//! | `exports` | which exports of a handler can answer, and which look as if they were meant to |
//! | `spelling` | what a misspelt name was meant to be |
//! | `markup` | the bound elements of a page, with their places |
//! | `strays` | files whose names look like those of handlers and pages |

mod exports;
mod graph;
mod markup;
mod spelling;
mod strays;

pub(crate) use exports::{answering, misnamed};
pub(crate) use graph::Survey;
pub(crate) use markup::marks;
pub(crate) use strays::{doubles, nothing_to_serve, strays};

/// The candidate that a misspelt name was meant to be.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    spelling::nearest(name, candidates, spelling::steps_for(name))
}
