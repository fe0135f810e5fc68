//! Sockets that are kept while their actor has no instance.

use std::sync::Arc;

use bytes::Bytes;

use super::engine::{State, rejected};
use super::instance::Kind;
use super::socket::Socket;
use super::{ActorId, Actors, AutoResponse, Effect, Instance, Refused, Rejected, SocketError, SocketId};

impl<E, O, R: Clone> Actors<E, O, R> {
    /// The instance accepts a socket, which is kept while the actor hibernates.
    ///
    /// # Errors
    ///
    /// - [`SocketError::Gone`]: the instance has ended.
    /// - [`SocketError::Accepted`]: an actor keeps the socket already.
    /// - [`SocketError::Sockets`]: the actor keeps [`ActorLimits::sockets`](super::ActorLimits::sockets) sockets.
    /// - [`SocketError::Tags`]: there are more tags than [`ActorLimits::tags`](super::ActorLimits::tags).
    /// - [`SocketError::Tag`]: a tag has more UTF-16 units than
    ///   [`ActorLimits::tag_length`](super::ActorLimits::tag_length).
    pub fn accept_socket(
        &mut self,
        instance: Instance,
        socket: SocketId,
        tags: &[String],
    ) -> Result<(), SocketError> {
        self.live(instance).ok_or(SocketError::Gone)?;
        if self.sockets.contains_key(&socket) {
            return Err(SocketError::Accepted);
        }
        let index = instance.index();
        if self.actors[index].sockets.len() >= self.limits.sockets {
            return Err(SocketError::Sockets(self.limits.sockets));
        }
        let kept = Socket::new(index, self.next_place, tags, &self.limits)?;
        self.next_place += 1;
        self.actors[index].sockets.insert(socket, &kept);
        self.sockets.insert(socket, kept);
        self.advance(index);
        Ok(())
    }

    /// The sockets that the actor keeps, in the order in which it accepted them; with a tag only those that have it.
    pub fn sockets(&self, instance: Instance, tag: Option<&str>) -> Vec<SocketId> {
        let actor = self.actors.get(instance.index());
        let actor = actor.filter(|actor| actor.state.live().is_some_and(|live| live.id == instance));
        actor.map_or_else(Vec::new, |actor| actor.sockets.list(tag))
    }

    /// How many sockets an actor keeps.
    pub fn socket_count(&self, id: &ActorId) -> usize {
        self.by_id.get(id).map_or(0, |index| self.actors[*index].sockets.len())
    }

    /// The tags of a socket, in the order in which they were given.
    pub fn tags(&self, socket: SocketId) -> Option<&[Arc<str>]> {
        Some(&self.sockets.get(&socket)?.tags)
    }

    /// Stores serialized bytes with a socket.
    pub fn attach(&mut self, socket: SocketId, attachment: Bytes) {
        if let Some(kept) = self.sockets.get_mut(&socket) {
            kept.attachment = Some(attachment);
        }
    }

    /// The bytes that were stored with a socket.
    pub fn attachment(&self, socket: SocketId) -> Option<&Bytes> {
        self.sockets.get(&socket)?.attachment.as_ref()
    }

    /// Sets or removes the message that is answered without JavaScript.
    pub fn set_auto_response(&mut self, instance: Instance, pair: Option<AutoResponse>) {
        if self.live(instance).is_some() {
            self.actors[instance.index()].sockets.auto_response = pair;
        }
    }

    /// The message that is answered without JavaScript.
    pub fn auto_response(&self, instance: Instance) -> Option<&AutoResponse> {
        self.actors.get(instance.index())?.sockets.auto_response.as_ref()
    }

    /// When a message of the socket was answered without JavaScript the last time, in milliseconds since 1970.
    pub fn answered(&self, socket: SocketId) -> Option<i64> {
        self.sockets.get(&socket)?.answered
    }

    /// The other side of a kept socket has sent a message; `text` is its content if it is a text message. With
    /// `is_paced`, the driver reads no further messages from the other side until enough are handled, so that these may
    /// exceed [`ActorLimits::mailbox`](super::ActorLimits::mailbox). Returns the content if the message is answered
    /// without JavaScript.
    ///
    /// # Errors
    ///
    /// The content and why it is not accepted:
    ///
    /// - [`Refused::Gone`]: no actor keeps the socket.
    /// - [`Refused::MailboxFull`]: [`ActorLimits::mailbox`](super::ActorLimits::mailbox) events of the actor wait
    ///   already, and the message is not paced.
    /// - [`Refused::NoOwner`], [`Refused::TooMany`]: the actor hibernates and cannot be started, as for
    ///   [`Actors::send`].
    pub fn socket_message(
        &mut self,
        socket: SocketId,
        text: Option<&str>,
        is_paced: bool,
        content: E,
    ) -> Result<Option<E>, Rejected<E, R>> {
        let Some(kept) = self.sockets.get_mut(&socket) else {
            return Err(Rejected { content, why: Refused::Gone });
        };
        let actor = &self.actors[kept.actor];
        if let (Some(pair), Some(text)) = (&actor.sockets.auto_response, text)
            && *pair.request == *text
        {
            kept.answered = Some(self.now.unix);
            self.effects.push(Effect::Answer { socket, text: pair.response.clone() });
            return Ok(Some(content));
        }
        let index = kept.actor;
        self.enqueue(index, Kind::Message { is_paced }, Some(content)).map(|()| None).map_err(rejected)
    }

    /// A kept socket has closed or failed. The actor keeps it until it has handled this event. If the event is not
    /// accepted, the socket is forgotten at once.
    ///
    /// # Errors
    ///
    /// The content and why it is not accepted:
    ///
    /// - [`Refused::Gone`]: no actor keeps the socket.
    /// - [`Refused::NoOwner`], [`Refused::TooMany`]: the actor hibernates and cannot be started, as for
    ///   [`Actors::send`].
    pub fn socket_closed(&mut self, socket: SocketId, content: E) -> Result<(), Rejected<E, R>> {
        let Some(kept) = self.sockets.get(&socket) else {
            return Err(Rejected { content, why: Refused::Gone });
        };
        let index = kept.actor;
        match self.enqueue(index, Kind::Closed(socket), Some(content)) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.release_socket(socket);
                Err(rejected(error))
            }
        }
    }

    /// The actor does not keep a socket any more, and no event is delivered for that.
    fn release_socket(&mut self, socket: SocketId) {
        let Some(index) = self.sockets.get(&socket).map(|kept| kept.actor) else { return };
        self.forget_socket(socket);
        match self.actors[index].state {
            State::Hibernating => self.remove_if_absent(index),
            _ => self.advance(index),
        }
    }

    pub(super) fn forget_socket(&mut self, socket: SocketId) {
        if let Some(kept) = self.sockets.remove(&socket)
            && let Some(actor) = self.actors.get_mut(kept.actor)
        {
            actor.sockets.remove(socket, &kept);
        }
    }
}
