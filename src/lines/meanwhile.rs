//! What the watchdog's thread does for the raw sockets of an isolate whose thread, which reads them, runs JavaScript for
//! long: their clients' pings are answered, and what clients send counts as a sign of life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Hub;
use super::socket::Socket;
use liveline_proto::OwnerId;

/// How often each socket is read.
const READS: Duration = Duration::from_secs(1);

/// How long one look may read sockets. The watchdog has to stop code that does not yield, however much clients send.
const AT_MOST: Duration = Duration::from_millis(10);

/// See the module.
pub(crate) struct Meanwhile {
    hub: Hub,
    owner: OwnerId,
    /// The sockets that are left of the last pass, and when that began.
    left: Vec<Arc<Socket>>,
    began: Option<Instant>,
}

impl Meanwhile {
    /// For the sockets that the thread of `owner` reads.
    pub(crate) fn new(hub: Hub, owner: OwnerId) -> Meanwhile {
        Meanwhile { hub, owner, left: Vec::new(), began: None }
    }

    /// Writes the frames that wait, and reads sockets that are due. Call it repeatedly.
    pub(crate) fn look(&mut self) {
        self.hub.flush();
        let now = Instant::now();
        if self.left.is_empty() {
            if self.began.is_some_and(|began| now.duration_since(began) < READS) {
                return;
            }
            self.began = Some(now);
            self.left = self.hub.read_by(self.owner);
        }
        while let Some(socket) = self.left.pop() {
            socket.meanwhile();
            if now.elapsed() >= AT_MOST {
                return;
            }
        }
    }
}
