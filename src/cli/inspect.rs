//! `--inspect` and `--inspect-brk`: debuggers may attach.

use super::args::Server;
use super::{CliError, report};
use crate::ext::Mode;
use crate::script::{Inspector, InspectorSettings, need_node};

impl Server {
    /// Where debuggers attach, if they may. Logs who can, too.
    pub(super) async fn inspector(&self, mode: Mode) -> Result<Option<Inspector>, CliError> {
        let Some(address) = self.inspect_brk.or(self.inspect) else { return Ok(None) };
        let settings = InspectorSettings { address, waits: self.inspect_brk.is_some() };
        let inspector =
            Inspector::bind(settings).await.map_err(|source| CliError::Inspect { address, source })?;
        // An isolate that lacks Node's half is replaced while it loads, which would detach a debugger. Editors use
        // `process`.
        need_node();
        let address = inspector.address();
        report(&format!("debugger at {address}: open chrome://inspect, or attach your editor"));
        if !address.ip().is_loopback() {
            tracing::warn!(
                "other machines can reach the debugger at {address}: every client there can run code in this server"
            );
        } else if mode == Mode::Production {
            tracing::warn!(
                "every program on this machine can run code in this server through the debugger at {address}"
            );
        }
        Ok(Some(inspector))
    }
}
