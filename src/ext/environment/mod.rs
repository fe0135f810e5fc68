//! The environment variables of handlers. Half of `runtime-js/environment.js`; Node's half reads them with the same ops.

mod files;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2};

pub(crate) use files::EnvironmentFiles;

/// Variables by name. All isolates of a generation share them until one sets a variable.
pub(crate) type Variables = Arc<BTreeMap<String, String>>;

/// The variables that an isolate's code sees. What the code sets, only the same isolate sees.
#[derive(Clone, Default)]
pub(crate) struct Environment(Rc<RefCell<Variables>>);

impl Environment {
    /// Sets the variables of the generation whose code the isolate is about to load.
    pub(crate) fn replace(&self, variables: Variables) {
        *self.0.borrow_mut() = variables;
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).cloned()
    }

    /// Sets the variables of a file's text that are not set.
    #[cfg(feature = "node")]
    pub(super) fn load(&self, text: &str) {
        self.change(|variables| {
            deno_dotenv::parse_env_content_hook(text, &mut |name, value| {
                if !name.is_empty() {
                    variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
                }
            });
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        change(Arc::make_mut(&mut self.0.borrow_mut()));
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
    state.borrow::<Environment>().change(|variables| {
        variables.insert(name.to_owned(), value.to_owned());
    });
}

#[op2(fast)]
pub(super) fn op_environment_delete(state: &mut OpState, #[string] name: &str) {
    state.borrow::<Environment>().change(|variables| {
        variables.remove(name);
    });
}
