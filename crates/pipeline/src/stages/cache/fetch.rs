//! A request on its way to the origin on behalf of the cache, and what it takes to use its answer. Sends nothing.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};

use super::conditions::Conditions;
use super::flight::Ticket;
use super::key::Key;
use super::memory::Variant;
use super::note::Note;
use super::request::Wants;
use super::terms::Sender;
use crate::{Body, Exchange, Request, Response};

/// What a look into the cache has led to.
#[derive(Debug)]
pub(crate) enum Found {
    /// An answer.
    Answer(Response),
    /// The origin is to be asked.
    Fetch(Fetch),
}

/// What is to become of the origin's answer.
#[derive(Debug)]
pub(crate) enum Fetch {
    /// It goes on as it is.
    Pass(Passage),
    /// It is perhaps kept.
    Keep(Box<Keep>),
}

/// An answer that goes on as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passage {
    /// There is no cache.
    Off,
    /// It was none for the cache.
    Bypass(Note),
    /// The same; what it changes is forgotten.
    Change(Note),
    /// Answers of this resource were not kept lately. One that could be kept is the last that is not.
    Uncached(Key, Sender, Note),
}

/// An answer that is perhaps kept.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(super) ticket: Ticket,
    pub(super) key: Key,
    pub(super) url: Box<str>,
    pub(super) wants: Wants,
    /// The fields that the origin was asked with, but for conditions.
    pub(super) asked: HeaderMap,
    pub(super) uri: Uri,
    pub(super) version: Version,
    /// What the client's own conditions were, where they were taken out of the request.
    pub(super) conditions: Conditions,
    /// A kept answer whose time is over.
    pub(super) old: Option<Variant>,
    /// Whether the origin is asked if that still holds.
    pub(super) is_validation: bool,
    pub(super) note: Note,
    /// Fields that tell the app who asks, for asking once more.
    pub(super) vouched: Vec<(HeaderName, HeaderValue)>,
}

impl Keep {
    /// What the client asked, for an answer that is kept.
    pub(super) fn client(&self) -> Request {
        let mut request = Request::new(Body::Empty);
        self.conditions.put_into(request.headers_mut());
        request
    }

    /// The request once more, without conditions.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = self.asked.clone();
        request
    }
}

/// What has become of the origin's answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer.
    Answer(Response),
    /// The origin spoke of another answer than the one it was asked about: it is asked for the whole.
    Again(Request, Box<Keep>),
}

/// A kept answer that is to be fetched anew while an older one is used: by whoever has the origin, when it suits.
#[derive(Debug)]
pub struct Refresh {
    pub(crate) exchange: Exchange,
    pub(crate) request: Request,
    pub(crate) keep: Box<Keep>,
}
