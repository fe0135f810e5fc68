//! One debugger.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use super::target::Target;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The last message to a debugger whose target is gone.
const DETACHED: &str = r#"{"method":"Inspector.detached","params":{"reason":"target_closed"}}"#;

/// Attaches a debugger to a target, until one of the two ends.
pub(super) async fn run(mut socket: Socket, target: Arc<Target>) {
    let title = target.title();
    tracing::info!("a debugger attached to {title}: limits of time do not count there");
    let is_gone = attach(&mut socket, &target).await;
    tracing::info!("a debugger left {title}");
    if is_gone {
        let close = CloseFrame { code: CloseCode::Away, reason: "the isolate is gone".into() };
        let _ = socket.send(Message::text(DETACHED)).await;
        let _ = socket.close(Some(close)).await;
    }
}

/// Passes messages on. Returns whether the target ended, not the debugger.
async fn attach(socket: &mut Socket, target: &Target) -> bool {
    // It is dropped after the guard: the end of the debugger's time is recorded before paused code goes on.
    let (session, mut from_isolate) = target.open();
    let _attached = target.debug_time.attach();
    loop {
        tokio::select! {
            message = from_isolate.recv() => match message {
                Some(message) => {
                    if socket.send(Message::text(message)).await.is_err() {
                        return false;
                    }
                }
                None => return true,
            },
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => session.send(text.to_string()),
                None | Some(Err(_) | Ok(Message::Close(_))) => return false,
                Some(Ok(_)) => {}
            },
            () = target.retired() => return true,
        }
    }
}
