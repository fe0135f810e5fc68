//! The environment variables of handlers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2};

/// The variables that an isolate's code sees. What the code sets, only the same isolate sees.
#[derive(Clone, Default)]
pub(crate) struct Environment(Rc<RefCell<Arc<BTreeMap<String, String>>>>);

impl Environment {
    pub(crate) fn new(variables: Arc<BTreeMap<String, String>>) -> Environment {
        Environment(Rc::new(RefCell::new(variables)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).cloned()
    }
}

#[op2]
#[serde]
pub(super) fn op_environment(state: &mut OpState) -> BTreeMap<String, String> {
    state.borrow::<Environment>().0.borrow().as_ref().clone()
}

#[op2]
#[string]
pub(super) fn op_environment_get(state: &mut OpState, #[string] name: &str) -> Option<String> {
    state.borrow::<Environment>().get(name)
}

#[op2(fast)]
pub(super) fn op_environment_set(state: &mut OpState, #[string] name: &str, #[string] value: &str) {
    let mut variables = state.borrow::<Environment>().0.borrow_mut();
    Arc::make_mut(&mut variables).insert(name.to_owned(), value.to_owned());
}

#[op2(fast)]
pub(super) fn op_environment_delete(state: &mut OpState, #[string] name: &str) {
    let mut variables = state.borrow::<Environment>().0.borrow_mut();
    Arc::make_mut(&mut variables).remove(name);
}
