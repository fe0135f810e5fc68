//! A topic on the line of an exchange: each message becomes a state of the response, without JavaScript.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, Resource, ResourceId, op2};
use tokio::sync::watch;

use super::{SubscribeOptions, hub};
use crate::ext::OpError;
use crate::ext::exchange::ExchangeState;
use crate::lines::Hub;
use crate::topics::Subscriber;
use liveline_proto::topic::{Delivery, Taken};
use liveline_proto::{LineId, Priority, QueuedFrame};

/// Bytes of messages that are taken at a time.
const BATCH_BYTES: usize = 64 * 1024;

/// A topic that a line follows, until this is closed.
struct Forwarding {
    stopped: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

impl Resource for Forwarding {
    fn name(&self) -> Cow<'_, str> {
        "topicForwarding".into()
    }

    fn close(self: Rc<Self>) {
        self.stopped.send_replace(true);
    }
}

/// Sends the messages of a topic as states on the line of an exchange, from when the line opens.
#[op2]
#[smi]
pub(crate) fn op_topic_forward(
    state: &mut OpState,
    id: f64,
    #[serde] options: SubscribeOptions,
) -> Result<ResourceId, OpError> {
    let subscriber = hub(state).subscribe(options.subscribe(None)?)?;
    let (stopped, stop) = watch::channel(false);
    let (end, ended) = watch::channel(false);
    state.exchange(id).on_line(move |lines, line| {
        let lines = lines.clone();
        subscriber.hub().runtime().clone().spawn(async move {
            forward(subscriber, &lines, line, stop).await;
            end.send_replace(true);
        });
    });
    Ok(state.resource_table.add(Forwarding { stopped, ended }))
}

async fn forward(subscriber: Subscriber, lines: &Hub, line: LineId, mut stop: watch::Receiver<bool>) {
    let mut deliveries = Vec::new();
    loop {
        let taken = subscriber.take(BATCH_BYTES, &mut deliveries);
        for delivery in deliveries.drain(..) {
            // A state replaces the one before, so that a client misses nothing by a gap.
            if let Delivery::Message(message) = delivery {
                lines.send(line, QueuedFrame::new(Priority::State, message.state_frame().clone()));
            }
        }
        lines.flush();
        match taken {
            Taken::Some => {}
            Taken::Ended(_) => return,
            Taken::All => tokio::select! {
                () = subscriber.changed() => {}
                // Also where JavaScript has dropped it.
                _ = stop.wait_for(|stop| *stop) => return,
            },
        }
    }
}

/// Resolves when the topic has ended or the forwarding was stopped, as JavaScript does at the end of the exchange.
#[op2]
pub(crate) async fn op_topic_ended(state: Rc<RefCell<OpState>>, #[smi] id: ResourceId) {
    let Ok(forwarding) = state.borrow().resource_table.get::<Forwarding>(id) else { return };
    let mut ended = forwarding.ended.clone();
    let mut stopped = forwarding.stopped.subscribe();
    drop(forwarding);
    tokio::select! {
        _ = ended.wait_for(|ended| *ended) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Ends a forwarding. Nothing happens if it has ended.
#[op2(fast)]
pub(crate) fn op_topic_forward_stop(state: &mut OpState, #[smi] id: ResourceId) {
    if let Ok(forwarding) = state.resource_table.take::<Forwarding>(id) {
        forwarding.close();
    }
}
