//! The pages that are connected.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::online::Online;
use super::rooms::Rooms;
use super::{Named, Outgoing};
use crate::topic::Millis;

/// A page, by the number of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(pub u64);

/// Who uses a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The same for all pages of one user.
    pub id: Arc<str>,
    /// The name that others see. It is not empty.
    pub name: Arc<str>,
}

impl User {
    /// A user. One without a name is called by the id.
    pub fn new(id: &str, name: Option<&str>) -> User {
        let name = name.filter(|name| !name.is_empty()).unwrap_or(id);
        User { id: id.into(), name: name.into() }
    }

    /// The user with what a frame has about it.
    fn with(&self, named: &Named<'_>) -> Option<User> {
        let id = named.id.as_deref().unwrap_or(&self.id);
        let known = (*self.id == *id).then_some(&*self.name);
        let user = User::new(id, named.name.as_deref().or(known));
        (user != *self).then_some(user)
    }
}

/// What pages of strangers may use.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// Documents that are being edited.
    pub documents: usize,
    /// Pages that edit one document.
    pub members: usize,
    /// Documents that one page edits.
    pub joined: usize,
    /// Bytes of all documents that are being edited.
    pub bytes: usize,
    /// Frames that wait for one page that is slow.
    pub waiting: usize,
    /// Users whose presence is announced to every page. Where there are more, only pages that take part are informed.
    pub announced: usize,
    /// Milliseconds after which a page that sends heartbeats has missed one.
    pub heartbeat: u64,
    /// Milliseconds for which a user whose connection was lost is still there.
    pub grace: u64,
}

impl Default for PageLimits {
    fn default() -> PageLimits {
        PageLimits {
            documents: 10_000,
            members: 1000,
            joined: 64,
            bytes: 64 << 20,
            waiting: 4096,
            announced: 500,
            heartbeat: 75_000,
            grace: 2000,
        }
    }
}

/// Why a page cannot have what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Too many of something.
    #[error("there are {limit} {what} already, the limit")]
    TooMany {
        /// Documents, pages of a document, documents of a page.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The documents are too large together.
    #[error("there is no room for more text in documents")]
    Full,
}

/// What the driver has to do.
#[derive(Debug)]
pub enum PageAction {
    /// The page has something to take.
    Wake(PageId),
    /// The document is now this.
    Keep {
        /// The document.
        document: Arc<str>,
        /// Its newest update, a JSON object.
        payload: Bytes,
    },
}

/// All pages that are connected by a WebSocket.
#[derive(Debug)]
pub struct Pages {
    pub(super) limits: PageLimits,
    pub(super) now: Millis,
    pages: HashMap<PageId, Page>,
    rooms: Rooms,
    online: Online,
    actions: Vec<PageAction>,
}

#[derive(Debug)]
struct Page {
    user: User,
    /// The site has decided who the user is, so that frames do not.
    is_known: bool,
    waiting: VecDeque<(Subject, Arc<Outgoing>)>,
    is_overrun: bool,
}

/// What a frame is about. A newer frame about the same replaces one that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Document(Arc<str>),
    Member(Arc<str>, Arc<str>),
    Presence(Arc<str>),
}

/// Frames on their way to pages.
#[derive(Debug, Default)]
pub(super) struct Outbox(pub(super) Vec<(PageId, Subject, Arc<Outgoing>)>);

impl Pages {
    /// No pages yet.
    pub fn new(limits: PageLimits) -> Pages {
        Pages {
            limits,
            now: Millis::default(),
            pages: HashMap::new(),
            rooms: Rooms::default(),
            online: Online::default(),
            actions: Vec::new(),
        }
    }

    /// The time of what follows. It does not go back.
    pub fn at(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// What has to be done since the last call.
    pub fn actions(&mut self) -> std::vec::Drain<'_, PageAction> {
        self.actions.drain(..)
    }

    /// How many pages there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there is no page.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// A page is connected. `is_known`: the site has decided who its user is, and frames do not change that.
    pub fn connect(&mut self, id: PageId, user: User, is_known: bool) {
        let page = Page { user: user.clone(), is_known, waiting: VecDeque::new(), is_overrun: false };
        self.pages.insert(id, page);
        let mut out = Outbox::default();
        self.online.enter(id, user, &self.limits, &mut out);
        self.send(out);
    }

    /// A page is gone. `is_lost`: its connection ended without notice, so that the page may connect again.
    pub fn disconnect(&mut self, id: PageId, is_lost: bool) {
        if self.pages.remove(&id).is_none() {
            return;
        }
        let mut out = Outbox::default();
        self.rooms.gone(id, &mut out);
        self.online.leave(id, is_lost, self.now, &self.limits, &mut out);
        self.send(out);
    }

    /// Whether a document is being edited, so that its text is known here.
    pub fn has_document(&self, document: &str) -> bool {
        self.rooms.has(document)
    }

    /// A page takes part in a document. `stored` is the document's text where nobody edits it yet. A page that is not
    /// connected is ignored.
    ///
    /// # Errors
    ///
    /// [`PageError::TooMany`] if as many documents are being edited as [`PageLimits::documents`] allows, the page edits
    /// [`PageLimits::joined`] documents, or [`PageLimits::members`] pages edit this one. The page does not take part
    /// then.
    pub fn join(
        &mut self,
        id: PageId,
        document: &str,
        named: &Named<'_>,
        stored: Option<Bytes>,
    ) -> Result<(), PageError> {
        let Some(user) = self.identify(id, named) else { return Ok(()) };
        let mut out = Outbox::default();
        let joined = self.rooms.join(id, document, &user, stored, &self.limits, &mut out);
        self.send(out);
        joined
    }

    /// A page no longer takes part in a document.
    pub fn leave(&mut self, id: PageId, document: &str) {
        let mut out = Outbox::default();
        self.rooms.leave(id, document, &mut out);
        self.send(out);
    }

    /// A page has changed a document, and takes part in it from now on. `stored` is the document's text where nobody
    /// edits it yet. A page that is not connected is ignored.
    ///
    /// # Errors
    ///
    /// - [`PageError::TooMany`]: the page does not take part in the document and cannot join it, as for
    ///   [`Pages::join`].
    /// - [`PageError::Full`]: all documents together would have more bytes than [`PageLimits::bytes`]. The document is
    ///   as it was, but the page takes part in it.
    pub fn update(
        &mut self,
        id: PageId,
        document: &str,
        named: &Named<'_>,
        payload: &str,
        stored: Option<Bytes>,
    ) -> Result<(), PageError> {
        let Some(user) = self.identify(id, named) else { return Ok(()) };
        let mut out = Outbox::default();
        let updated =
            self.rooms.update((id, &user), document, payload, stored, (self.now, &self.limits), &mut out);
        self.send(out);
        let (document, payload) = updated?;
        self.actions.push(PageAction::Keep { document, payload });
        Ok(())
    }

    /// A page's user is still there, and may do something else.
    pub fn heartbeat(&mut self, id: PageId, named: &Named<'_>, status: Option<&str>) {
        if self.identify(id, named).is_none() {
            return;
        }
        let mut out = Outbox::default();
        self.online.heartbeat(id, status, self.now, &self.limits, &mut out);
        self.send(out);
    }

    /// The next frame for a page, if one waits.
    ///
    /// # Errors
    ///
    /// [`TooSlow`] once more frames than [`PageLimits::waiting`] have waited for the page: they were discarded, and so
    /// are further ones until the page connects again.
    pub fn take(&mut self, id: PageId) -> Result<Option<Arc<Outgoing>>, TooSlow> {
        let Some(page) = self.pages.get_mut(&id) else { return Ok(None) };
        if page.is_overrun {
            return Err(TooSlow);
        }
        let next = page.waiting.pop_front().map(|(_, frame)| frame);
        if page.waiting.is_empty() {
            page.waiting = VecDeque::new();
        }
        Ok(next)
    }

    /// Who uses a page.
    pub fn user(&self, id: PageId) -> Option<&User> {
        self.pages.get(&id).map(|page| &page.user)
    }

    /// The users that are there.
    pub fn online(&self) -> impl Iterator<Item = &User> {
        self.online.users()
    }

    /// When [`Pages::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        [self.rooms.next_deadline(), self.online.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due at the time that [`Pages::at`] has set.
    pub fn tick(&mut self) {
        let mut out = Outbox::default();
        self.rooms.tick(self.now, &mut out);
        self.online.tick(self.now, &self.limits, &mut out);
        self.send(out);
    }

    /// The user of a page, with what a frame has about it.
    fn identify(&mut self, id: PageId, named: &Named<'_>) -> Option<User> {
        let page = self.pages.get_mut(&id)?;
        if !page.is_known
            && let Some(user) = page.user.with(named)
        {
            page.user = user.clone();
            let mut out = Outbox::default();
            self.online.rename(id, user, self.now, &self.limits, &mut out);
            self.send(out);
        }
        self.pages.get(&id).map(|page| page.user.clone())
    }

    fn send(&mut self, Outbox(frames): Outbox) {
        for (id, subject, frame) in frames {
            let Some(page) = self.pages.get_mut(&id) else { continue };
            if page.is_overrun {
                continue;
            }
            if let Some((_, waiting)) = page.waiting.iter_mut().find(|(waiting, _)| *waiting == subject) {
                *waiting = frame;
                continue;
            }
            if page.waiting.len() >= self.limits.waiting {
                page.is_overrun = true;
                page.waiting.clear();
            } else {
                page.waiting.push_back((subject, frame));
            }
            if page.waiting.len() <= 1 {
                self.actions.push(PageAction::Wake(id));
            }
        }
    }
}

/// A page has not taken its frames for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;
