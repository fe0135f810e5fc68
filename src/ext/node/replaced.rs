//! Ops of deno_node that act on the whole process, or refuse what should have an answer. Handlers get the ops of this
//! file in their place.

use std::borrow::Cow;
use std::path::Path;

use deno_core::{OpDecl, OpState, op2};
use deno_error::JsErrorBox;
use deno_fs::FileSystemRc;
use deno_permissions::{OpenAccessKind, PermissionsContainer};

use super::Environment;

/// Puts the ops of this file in the place of deno_node's.
pub(crate) fn replace(ops: &mut [OpDecl]) {
    let own = [op_process_abort(), op_node_process_kill(), op_node_load_env_file(), op_node_fs_exists_sync()];
    for op in ops {
        if let Some(own) = own.iter().find(|own| own.name == op.name) {
            *op = op.with_implementation_from(own);
        }
    }
}

/// The error of a refused call, which JavaScript words.
fn refused(call: &str) -> JsErrorBox {
    let message = format!("Requires sys access to \"{call}\", run again with the --allow-sys flag");
    JsErrorBox::new("NotCapable", message)
}

#[op2(fast)]
fn op_process_abort() -> Result<(), JsErrorBox> {
    Err(refused("abort"))
}

/// Signal 0 is no signal: it asks whether the process is there.
#[op2(fast)]
fn op_node_process_kill(#[smi] process: i32, #[smi] signal: i32) -> Result<i32, JsErrorBox> {
    match signal {
        0 if i64::from(process) == i64::from(std::process::id()) => Ok(0),
        _ => Err(refused("kill")),
    }
}

/// Whether a handler finds a file. A file that it may not read is none: packages look for files of all kinds of systems.
#[op2(fast)]
fn op_node_fs_exists_sync(state: &mut OpState, #[string] path: &str) -> bool {
    let permissions = state.borrow::<PermissionsContainer>().clone();
    let path = permissions.check_open(Cow::Borrowed(Path::new(path)), OpenAccessKind::ReadNoFollow, None);
    path.is_ok_and(|path| state.borrow::<FileSystemRc>().exists_sync(&path))
}

/// Sets the variables of the isolate. deno_node's op sets those of the process.
#[op2(fast)]
#[undefined]
fn op_node_load_env_file(state: &mut OpState, #[string] path: &str) -> Result<(), JsErrorBox> {
    let permissions = state.borrow::<PermissionsContainer>().clone();
    let path = permissions
        .check_open(Cow::Borrowed(Path::new(path)), OpenAccessKind::Read, Some("process.loadEnvFile()"))
        .map_err(JsErrorBox::from_err)?;
    let text =
        state.borrow::<FileSystemRc>().read_text_file_lossy_sync(&path).map_err(JsErrorBox::from_err)?;
    state.borrow::<Environment>().load(&text);
    Ok(())
}
