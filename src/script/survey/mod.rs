//! Static checks of handlers: their files, the imports and exports of these, and every import that cannot work. V8
//! reports only the first error of a handler; this module reports all.
//!
//! | file | what it does |
//! |---|---|
//! | `graph` | the modules of a handler, and the imports that cannot be resolved |
//! | `markup` | the bound elements of a page, with their places |

mod graph;
mod markup;

pub(crate) use graph::Survey;
pub(crate) use markup::marks;
