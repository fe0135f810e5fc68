//! Documents that several users edit as whole texts.
//!
//! The newest update that arrives is the document. The editor of LARC's book ignores updates of others for 100 ms after
//! its user has typed, so that two who type at a time would keep different texts. So a page that may have ignored the
//! document, or may have shown an older one, receives it again when its user pauses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Outgoing;
use super::pages::{Outbox, PageError, PageId, PageLimits, Subject, User};
use crate::topic::Millis;

/// How long after its user has typed a page may ignore an update, in milliseconds: 100 of the editor, and the time of
/// messages on their way.
const MAY_IGNORE: u64 = 400;

/// How long after an update was sent to a page it may arrive behind one that the page sends.
const MAY_CROSS: u64 = 2000;

/// How long after its user has typed a page receives the document again, and how long after that once more: for a page
/// that was busy.
const SETTLES_AFTER: [u64; 2] = [150, 650];

#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: HashMap<Arc<str>, Room>,
    /// The documents of each page.
    joined: HashMap<PageId, BTreeSet<Arc<str>>>,
    deadlines: BTreeSet<(Millis, PageId, Arc<str>)>,
    /// Bytes of all documents.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Room {
    /// The newest update.
    current: Option<Arc<Outgoing>>,
    version: u64,
    members: BTreeMap<PageId, Member>,
}

#[derive(Debug)]
struct Member {
    user: User,
    typed_at: Option<Millis>,
    received_at: Option<Millis>,
    /// When the page receives the document again, and how often it did.
    settles: Option<(Millis, usize)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Collaborator<'a> {
    doc_id: &'a str,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Room {
    fn has_user(&self, id: &str) -> bool {
        self.members.values().any(|member| *member.user.id == *id)
    }
}

impl Rooms {
    pub(super) fn has(&self, document: &str) -> bool {
        self.rooms.contains_key(document)
    }

    /// A page takes part: it receives the document and who else does, and the others receive its user.
    pub(super) fn join(
        &mut self,
        id: PageId,
        document: &str,
        user: &User,
        stored: Option<Bytes>,
        limits: &PageLimits,
        out: &mut Outbox,
    ) -> Result<(), PageError> {
        let document = self.enter(id, document, user, stored, limits, out)?;
        let current = self.rooms.get(&document).and_then(|room| room.current.clone());
        out.0.extend(current.map(|frame| (id, Subject::Document(document), frame)));
        Ok(())
    }

    /// A page is a member from now on, if it was not before.
    fn enter(
        &mut self,
        id: PageId,
        document: &str,
        user: &User,
        stored: Option<Bytes>,
        limits: &PageLimits,
        out: &mut Outbox,
    ) -> Result<Arc<str>, PageError> {
        let too_many = |what, limit| Err(PageError::TooMany { what, limit });
        let document = match self.rooms.get_key_value(document) {
            Some((known, _)) => known.clone(),
            None if self.rooms.len() >= limits.documents => {
                return too_many("documents that are being edited", limits.documents);
            }
            None => document.into(),
        };
        let joined = self.joined.get(&id).map_or(0, BTreeSet::len);
        let is_member = self.rooms.get(&document).is_some_and(|room| room.members.contains_key(&id));
        if !is_member && joined >= limits.joined {
            return too_many("documents of one page", limits.joined);
        }
        let mut added = 0;
        let room = self.rooms.entry(document.clone()).or_insert_with(|| {
            let payload = stored.and_then(|bytes| String::from_utf8(bytes.into()).ok());
            let payload = payload.and_then(|text| RawValue::from_string(text).ok());
            let current = payload.map(|payload| Arc::new(Outgoing::new("document-update", &payload)));
            added = current.as_ref().map_or(0, |frame| frame.cost());
            Room { current, ..Room::default() }
        });
        self.bytes += added;
        if room.members.len() >= limits.members && !is_member {
            return too_many("pages that edit this document", limits.members);
        }
        let is_new = !room.has_user(&user.id);
        let joins = |user: &User| {
            let collaborator = Collaborator { doc_id: &document, user_id: &user.id, name: Some(&user.name) };
            Arc::new(Outgoing::new("collaborator-joined", &collaborator))
        };
        let subject = |user: &User| Subject::Member(document.clone(), user.id.clone());
        if is_new {
            let frame = joins(user);
            out.0.extend(room.members.keys().map(|member| (*member, subject(user), frame.clone())));
        }
        if !is_member {
            let member = Member { user: user.clone(), typed_at: None, received_at: None, settles: None };
            room.members.insert(id, member);
            self.joined.entry(id).or_default().insert(document.clone());
            let users: BTreeMap<&Arc<str>, &User> =
                room.members.values().map(|member| (&member.user.id, &member.user)).collect();
            out.0.extend(users.values().map(|user| (id, subject(user), joins(user))));
        }
        Ok(document)
    }

    /// A page has changed the document. Returns the document and its new text.
    pub(super) fn update(
        &mut self,
        (id, user): (PageId, &User),
        document: &str,
        payload: &str,
        stored: Option<Bytes>,
        (now, limits): (Millis, &PageLimits),
        out: &mut Outbox,
    ) -> Result<(Arc<str>, Bytes), PageError> {
        let document = self.enter(id, document, user, stored, limits, out)?;
        let room = self.rooms.get_mut(&document).expect("the page has entered it");
        let before = room.current.as_ref().map_or(0, |frame| frame.cost());
        if self.bytes - before + payload.len() + 512 > limits.bytes {
            return Err(PageError::Full);
        }
        room.version += 1;
        let frame = Arc::new(Outgoing::new("document-update", &described(payload, user, room.version)));
        self.bytes = self.bytes - before + frame.cost();
        room.current = Some(frame.clone());
        for (member, state) in &mut room.members {
            let settles = if *member == id {
                state.typed_at = Some(now);
                // What was sent to the page lately may arrive behind what it has sent.
                state.received_at.is_some_and(|at| at.plus(MAY_CROSS) > now)
            } else {
                state.received_at = Some(now);
                out.0.push((*member, Subject::Document(document.clone()), frame.clone()));
                state.typed_at.is_some_and(|at| at.plus(MAY_IGNORE) > now)
            };
            if let Some((at, _)) = state.settles.take() {
                self.deadlines.remove(&(at, *member, document.clone()));
            }
            if settles {
                let at = state.typed_at.unwrap_or(now).plus(SETTLES_AFTER[0]).max(now);
                state.settles = Some((at, 0));
                self.deadlines.insert((at, *member, document.clone()));
            }
        }
        Ok((document, Bytes::copy_from_slice(frame.payload().as_bytes())))
    }

    pub(super) fn leave(&mut self, id: PageId, document: &str, out: &mut Outbox) {
        let Some((document, _)) = self.rooms.get_key_value(document) else { return };
        let document = document.clone();
        if let Some(joined) = self.joined.get_mut(&id) {
            joined.remove(&document);
            if joined.is_empty() {
                self.joined.remove(&id);
            }
        }
        self.remove(id, &document, out);
    }

    /// A page is gone.
    pub(super) fn gone(&mut self, id: PageId, out: &mut Outbox) {
        for document in self.joined.remove(&id).unwrap_or_default() {
            self.remove(id, &document, out);
        }
    }

    fn remove(&mut self, id: PageId, document: &Arc<str>, out: &mut Outbox) {
        let Some(room) = self.rooms.get_mut(document) else { return };
        let Some(member) = room.members.remove(&id) else { return };
        if let Some((at, _)) = member.settles {
            self.deadlines.remove(&(at, id, document.clone()));
        }
        let user = &member.user.id;
        if !room.has_user(user) {
            let left = Collaborator { doc_id: document, user_id: user, name: None };
            let frame = Arc::new(Outgoing::new("collaborator-left", &left));
            let subject = Subject::Member(document.clone(), user.clone());
            out.0.extend(room.members.keys().map(|member| (*member, subject.clone(), frame.clone())));
        }
        if room.members.is_empty() {
            self.bytes -= room.current.as_ref().map_or(0, |frame| frame.cost());
            self.rooms.remove(document);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Pages that may show something else receive their document again.
    pub(super) fn tick(&mut self, now: Millis, out: &mut Outbox) {
        while let Some((at, ..)) = self.deadlines.first()
            && *at <= now
        {
            let Some((at, id, document)) = self.deadlines.pop_first() else { return };
            let Some(room) = self.rooms.get_mut(&document) else { continue };
            let (Some(frame), Some(member)) = (&room.current, room.members.get_mut(&id)) else { continue };
            out.0.push((id, Subject::Document(document.clone()), frame.clone()));
            let next = member.settles.map_or(0, |(_, times)| times) + 1;
            member.settles = SETTLES_AFTER.get(next).map(|pause| (at.plus(*pause), next));
            if let Some((at, _)) = member.settles {
                self.deadlines.insert((at, id, document));
            }
        }
    }
}

/// The update with who has made it and its number, whatever the page has sent for these.
fn described(payload: &str, user: &User, version: u64) -> BTreeMap<String, Box<RawValue>> {
    let raw = |value: serde_json::Value| {
        serde_json::value::to_raw_value(&value).expect("a text or a number encodes")
    };
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(payload).unwrap_or_default();
    fields.insert("userId".to_owned(), raw((*user.id).into()));
    fields.insert("name".to_owned(), raw((*user.name).into()));
    fields.insert("version".to_owned(), raw(version.into()));
    fields
}
