//! Who is there: a user is, while one of the user's pages is connected.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::Outgoing;
use super::pages::{Outbox, PageId, PageLimits, Subject, User};
use crate::topic::Millis;

/// What a user does who has not sent anything else.
const ONLINE: &str = "online";

#[derive(Debug, Default)]
pub(super) struct Online {
    users: HashMap<Arc<str>, Present>,
    pages: BTreeMap<PageId, PageState>,
    deadlines: BTreeSet<(Millis, Due)>,
}

/// What happens at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A page has missed its heartbeat.
    Missed(PageId),
    /// A user whose last page was lost has not come back.
    Gone(Arc<str>),
}

#[derive(Debug)]
struct Present {
    user: User,
    status: Box<str>,
    /// Pages that count.
    pages: BTreeSet<PageId>,
    /// When the user is gone, while no page counts.
    leaves_at: Option<Millis>,
}

/// What is known of a page of a user.
#[derive(Debug)]
struct PageState {
    user: Arc<str>,
    name: Arc<str>,
    /// It has sent a heartbeat, and is informed of everything.
    takes_part: bool,
    missed_at: Option<Millis>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Present {
    fn frame(&self) -> Arc<Outgoing> {
        let update =
            Update { user_id: &self.user.id, status: Some(&self.status), name: Some(&self.user.name) };
        Arc::new(Outgoing::new("presence-update", &update))
    }
}

impl Online {
    pub(super) fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|present| &present.user)
    }

    /// A page is connected: it receives who is there, and others receive its user.
    pub(super) fn enter(&mut self, id: PageId, user: User, limits: &PageLimits, out: &mut Outbox) {
        let page =
            PageState { user: user.id.clone(), name: user.name.clone(), takes_part: false, missed_at: None };
        self.pages.insert(id, page);
        if self.users.len() <= limits.announced {
            self.list(id, out);
        }
        self.count(id, user, limits, out);
    }

    /// A page receives who is there.
    fn list(&self, id: PageId, out: &mut Outbox) {
        for present in self.users.values() {
            out.0.push((id, Subject::Presence(present.user.id.clone()), present.frame()));
        }
    }

    /// A page counts for its user from now on.
    fn count(&mut self, id: PageId, user: User, limits: &PageLimits, out: &mut Outbox) {
        let key = user.id.clone();
        let present = self.users.entry(key.clone()).or_insert_with(|| Present {
            user: user.clone(),
            status: ONLINE.into(),
            pages: BTreeSet::new(),
            leaves_at: None,
        });
        let is_new = present.pages.is_empty() && present.leaves_at.is_none();
        if let Some(at) = present.leaves_at.take() {
            self.deadlines.remove(&(at, Due::Gone(key.clone())));
        }
        present.pages.insert(id);
        let is_renamed = present.user != user;
        present.user = user;
        let frame = present.frame();
        match is_new || is_renamed {
            true => self.announce(&key, &frame, limits, out),
            false if self.users.len() <= limits.announced => {
                out.0.push((id, Subject::Presence(key), frame));
            }
            false => {}
        }
    }

    fn announce(&self, user: &Arc<str>, frame: &Arc<Outgoing>, limits: &PageLimits, out: &mut Outbox) {
        let to_all = self.users.len() <= limits.announced;
        let pages = self.pages.iter().filter(|(_, page)| to_all || page.takes_part);
        out.0.extend(pages.map(|(id, _)| (*id, Subject::Presence(user.clone()), frame.clone())));
    }

    /// A page's user has another id or name.
    pub(super) fn rename(
        &mut self,
        id: PageId,
        user: User,
        now: Millis,
        limits: &PageLimits,
        out: &mut Outbox,
    ) {
        let Some(page) = self.pages.get_mut(&id) else { return };
        let before = std::mem::replace(&mut page.user, user.id.clone());
        page.name = user.name.clone();
        if before != user.id {
            self.uncount(id, &before, None, now, limits, out);
        }
        self.count(id, user, limits, out);
    }

    pub(super) fn heartbeat(
        &mut self,
        id: PageId,
        status: Option<&str>,
        now: Millis,
        limits: &PageLimits,
        out: &mut Outbox,
    ) {
        let Some(page) = self.pages.get_mut(&id) else { return };
        let missed_at = now.plus(limits.heartbeat);
        if let Some(at) = page.missed_at.replace(missed_at) {
            self.deadlines.remove(&(at, Due::Missed(id)));
        }
        self.deadlines.insert((missed_at, Due::Missed(id)));
        let is_first = !std::mem::replace(&mut page.takes_part, true);
        let user = User { id: page.user.clone(), name: page.name.clone() };
        if is_first && self.users.len() > limits.announced {
            self.list(id, out);
        }
        let counts = self.users.get(&user.id).is_some_and(|present| present.pages.contains(&id));
        if !counts {
            self.count(id, user.clone(), limits, out);
        }
        let Some(present) = self.users.get_mut(&user.id) else { return };
        if let Some(status) = status.filter(|status| **status != *present.status) {
            present.status = status.into();
            let frame = present.frame();
            self.announce(&user.id, &frame, limits, out);
        }
    }

    /// A page is gone.
    pub(super) fn leave(
        &mut self,
        id: PageId,
        is_lost: bool,
        now: Millis,
        limits: &PageLimits,
        out: &mut Outbox,
    ) {
        let Some(page) = self.pages.remove(&id) else { return };
        if let Some(at) = page.missed_at {
            self.deadlines.remove(&(at, Due::Missed(id)));
        }
        self.uncount(id, &page.user, is_lost.then_some(limits.grace), now, limits, out);
    }

    /// A page no longer counts for a user, who is gone with the last one, after a grace where there is one.
    fn uncount(
        &mut self,
        id: PageId,
        user: &Arc<str>,
        grace: Option<u64>,
        now: Millis,
        limits: &PageLimits,
        out: &mut Outbox,
    ) {
        let Some(present) = self.users.get_mut(user) else { return };
        if !present.pages.remove(&id) || !present.pages.is_empty() {
            return;
        }
        match grace {
            Some(grace) => {
                let at = now.plus(grace);
                present.leaves_at = Some(at);
                self.deadlines.insert((at, Due::Gone(user.clone())));
            }
            None => self.gone(user, limits, out),
        }
    }

    fn gone(&mut self, user: &Arc<str>, limits: &PageLimits, out: &mut Outbox) {
        let offline = Update { user_id: user, status: None, name: None };
        let frame = Arc::new(Outgoing::new("presence-offline", &offline));
        self.announce(user, &frame, limits, out);
        self.users.remove(user);
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn tick(&mut self, now: Millis, limits: &PageLimits, out: &mut Outbox) {
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
        {
            let Some((_, due)) = self.deadlines.pop_first() else { return };
            match due {
                Due::Gone(user) => self.gone(&user, limits, out),
                Due::Missed(id) => {
                    let Some(page) = self.pages.get_mut(&id) else { continue };
                    page.missed_at = None;
                    let user = page.user.clone();
                    self.uncount(id, &user, None, now, limits, out);
                }
            }
        }
    }
}
