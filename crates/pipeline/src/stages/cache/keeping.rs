//! What is made of an answer that was fetched: whether it is kept, what it confirms, what stands in for it, what it makes outdated.

use std::sync::Arc;

use http::header::{CONTENT_LOCATION, ETAG, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::answer::{self, Kept};
use super::conditions;
use super::fetch::{Keep, Outcome, Passage};
use super::fill::{Fill, Keeping};
use super::flight::Landing;
use super::key::{self, Key, Place, Selection};
use super::memory::Variant;
use super::note::{CacheOutcome, Note};
use super::request::Wants;
use super::stage::{On, now};
use super::stored::{Head, Stored};
use super::tag::Tagging;
use super::terms::{self, Keepable, Sender, Times, Unkept};
use super::usage;
use crate::{Body, Exchange, Fault, Refusal, Request, Response};

impl On {
    /// Notes an answer that goes on as it is.
    pub(super) fn pass_on(&self, exchange: &mut Exchange, passage: Passage, response: &Response) {
        let mut note = match passage {
            Passage::Off => return,
            Passage::Bypass(note) => note,
            Passage::Change(note) => {
                self.forget_changed(exchange, response);
                note
            }
            Passage::Uncached(key, sender, note) => {
                let judged = self.keepable(exchange, sender, response.status(), response.headers());
                let unkept = judged.err();
                if unkept.is_none() {
                    self.memory.welcome(key);
                }
                Note {
                    detail: unkept.map(Unkept::word),
                    ..note
                }
            }
        };
        note.status = Some(response.status().as_u16());
        exchange.cache = Some(note);
    }

    /// What a request with an unsafe method made outdated (RFC 9111, 4.4).
    fn forget_changed(&self, exchange: &Exchange, response: &Response) {
        let status = response.status();
        if !status.is_success() && !status.is_redirection() {
            return;
        }
        let here = Place::of(exchange);
        let own = exchange.uri.path_and_query().cloned();
        let named = [LOCATION, CONTENT_LOCATION];
        let named = named.iter().filter_map(|name| response.headers().get(name));
        let named = named.filter_map(|reference| here.path_here(reference)?.parse().ok());
        for path in own.into_iter().chain(named) {
            let chosen = key::chosen_query(&self.options, &path);
            let path = chosen.unwrap_or(path).as_str().to_owned();
            self.memory.invalidate(self.key(exchange, &path));
            self.memory
                .tell_change(|| self.shared_place(exchange, &path));
            if let Some(shared) = &self.shared {
                shared.forget(self.shared_place(exchange, &path));
            }
        }
    }

    /// Uses the origin's answer to a request whose answer may be kept.
    pub(super) fn take(
        &self,
        exchange: &mut Exchange,
        mut keep: Box<Keep>,
        outcome: Result<Response, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let has_failed = match &outcome {
            Ok(response) => is_failure(response.status()),
            Err(refusal) => refusal.fault() != Fault::Client,
        };
        if has_failed {
            let refusal = outcome.as_ref().err().copied();
            keep.ticket.tell(Landing::Failed(refusal));
            let old = keep.old.take();
            if let Some(old) = old.filter(|old| Self::may_stand_in(exchange, old, &keep.wants)) {
                keep.note.status = outcome.ok().map(|response| response.status().as_u16());
                let response = self.stand_in(exchange, &keep.client(), keep.key, old, keep.note);
                return Ok(Outcome::Answer(response));
            }
        }
        let response = outcome?;
        keep.note.status = Some(response.status().as_u16());
        if response.status() == StatusCode::NOT_MODIFIED && keep.is_validation {
            return Ok(self.confirm(exchange, keep, response));
        }
        Ok(Outcome::Answer(self.keep(exchange, *keep, response)))
    }

    /// Whether a kept answer may be used since the origin failed.
    pub(super) fn may_stand_in(exchange: &Exchange, old: &Variant, wants: &Wants) -> bool {
        let stored = &old.stored;
        let age = stored.head.age(now(exchange));
        usage::judge_failure(stored.head.terms, age, stored.standing(), &wants.asked).is_some()
    }

    /// A kept answer in the place of the origin's failure (RFC 5861, 4).
    pub(super) fn stand_in(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        key: Key,
        old: Variant,
        note: Note,
    ) -> Response {
        let head = &old.stored.head;
        let age = head.age(now(exchange));
        let note = Note {
            outcome: CacheOutcome::Stale,
            left: Some(i64::from(head.terms.lifetime) - i64::from(age)),
            detail: Some("origin_failed"),
            ..note
        };
        let response = answer::of_stored(request, &old.stored, age);
        exchange.cache = Some(note);
        exchange.kept = Some(Kept {
            memory: Arc::clone(&self.memory),
            key,
            variant: old,
        });
        response
    }

    /// The origin says that what was kept still holds.
    fn confirm(&self, exchange: &mut Exchange, mut keep: Box<Keep>, response: Response) -> Outcome {
        let Some(old) = keep.old.take() else {
            return Outcome::Answer(self.keep(exchange, *keep, response));
        };
        let stored = &old.stored;
        let (tag, modified) = (stored.head.origin_tag(), stored.head.field(&LAST_MODIFIED));
        if !conditions::confirms(response.headers(), tag, modified) {
            // of another answer than the one that is kept, whose place the whole one takes
            keep.is_validation = false;
            exchange.vouched.clone_from(&keep.vouched);
            return Outcome::Again(keep.request(), keep);
        }
        let headers = answer::freshened(&stored.head, response.headers());
        let tagging = Tagging::begin(&self.options, stored.head.status, &headers);
        let kept = self.accept(exchange, &keep, stored.head.status, &headers);
        let (head, selection) = match kept {
            Ok(kept) => kept,
            Err(unkept) => {
                // from now on it is not to be kept, but this once it holds
                keep.note.detail = Some(unkept.word());
                self.turn_away(exchange, &keep, unkept);
                let mut confirmed = Response::new(stored.body.clone().into());
                *confirmed.status_mut() = stored.head.status;
                *confirmed.headers_mut() = headers;
                let response = conclude(exchange, &keep, confirmed);
                return Outcome::Answer(response);
            }
        };
        let head = match tagging {
            Some(tagging) => tagging.of(&stored.body).put_on(head),
            None => head,
        };
        let has_use = head.terms.has_use();
        keep.note.left = Some(left(&head));
        let variant = old.under(Arc::new(stored.under(&head)), selection);
        keep.note.outcome = CacheOutcome::Revalidated;
        match self.memory.keep(&keep.ticket, &keep.url, &variant) {
            Ok(()) => keep.note.is_stored = true,
            Err(unkept) => keep.note.detail = Some(unkept.word()),
        }
        keep.ticket.tell(if has_use {
            Landing::Kept
        } else {
            Landing::Passing
        });
        let age = variant.stored.head.age(now(exchange));
        let response = answer::of_stored(&keep.client(), &variant.stored, age);
        exchange.cache = Some(keep.note);
        exchange.kept = Some(Kept {
            memory: Arc::clone(&self.memory),
            key: keep.key,
            variant,
        });
        Outcome::Answer(response)
    }

    /// A new answer: keeps it if that is allowed.
    fn keep(&self, exchange: &mut Exchange, mut keep: Keep, response: Response) -> Response {
        let accepted = self
            .accept(exchange, &keep, response.status(), response.headers())
            .and_then(|accepted| match response.body().length() {
                Some(length) if length > self.options.object_limit.as_bytes() => {
                    Err(Unkept::TooLarge)
                }
                _ => Ok(accepted),
            });
        let (head, selection) = match accepted {
            Ok(accepted) => accepted,
            Err(unkept) => {
                keep.note.detail = Some(unkept.word());
                self.turn_away(exchange, &keep, unkept);
                return conclude(exchange, &keep, response);
            }
        };
        let has_use = head.terms.has_use();
        keep.note.left = Some(left(&head));
        let (mut parts, body) = response.into_parts();
        let tagging = Tagging::begin(&self.options, parts.status, &parts.headers);
        let body = match body {
            Body::Stream(frames) => {
                let (ticket, url) = (keep.ticket, std::mem::take(&mut keep.url));
                let limit = self.options.object_limit.as_len();
                let keeping = Keeping {
                    ticket,
                    url,
                    has_use,
                    tagging,
                };
                let fill = Fill::begin(Arc::new(head), selection, frames, keeping, limit);
                keep.note.is_stored = true;
                let body = fill.join().map_or(Body::Empty, Body::Stream);
                exchange.cache = Some(keep.note);
                return Response::from_parts(parts, body);
            }
            Body::Empty => bytes::Bytes::new(),
            Body::Full(bytes) => bytes,
        };
        let head = match tagging {
            Some(tagging) => {
                let tagging = tagging.of(&body);
                parts.headers.insert(ETAG, tagging.tag());
                tagging.put_on(head)
            }
            None => head,
        };
        let stored = Arc::new(Stored::new(&head, std::iter::once(&body), body.len()));
        // what is sent is what is kept, so that its codings are kept with it
        let body = stored.body.clone();
        let variant = Variant::new(stored, selection);
        match self.memory.keep(&keep.ticket, &keep.url, &variant) {
            Ok(()) => keep.note.is_stored = true,
            Err(unkept) => keep.note.detail = Some(unkept.word()),
        }
        keep.ticket.tell(if has_use {
            Landing::Kept
        } else {
            Landing::Passing
        });
        exchange.kept = Some(Kept {
            memory: Arc::clone(&self.memory),
            key: keep.key,
            variant,
        });
        let response = Response::from_parts(parts, body.into());
        conclude(exchange, &keep, response)
    }

    /// Whether an answer may be kept: what of it is, and which requests it is for.
    fn accept(
        &self,
        exchange: &Exchange,
        keep: &Keep,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(Head, Option<Arc<Selection>>), Unkept> {
        let options = &self.options;
        let keepable = self.keepable(exchange, keep.wants.sender, status, headers)?;
        let names = key::varies_on(headers, &keep.asked)?;
        let is_selected =
            !names.is_empty() || !options.key_headers.is_empty() || !options.key_cookies.is_empty();
        if let Some(hold) = keep.ticket.held().filter(|_| is_selected) {
            let shared = key::shared_digest(options, &names, &keep.asked);
            hold.select(
                shared,
                names.iter().map(|name| name.as_str().to_owned()).collect(),
            );
        }
        let selection = is_selected.then(|| {
            let secret = self.memory.secret;
            Arc::new(Selection::of(secret, options, names, &keep.asked))
        });
        let came = (now(exchange), exchange.began() + exchange.elapsed());
        let head = Head::new(status, headers, &keepable.without, keepable.terms, came)
            .ok_or(Unkept::TooLarge)?;
        Ok((head, selection))
    }

    /// Whether an answer to this sender's GET may be kept at all.
    fn keepable(
        &self,
        exchange: &Exchange,
        sender: Sender,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Keepable, Unkept> {
        let times = || {
            let elapsed = exchange.elapsed();
            Times {
                delay: exchange.origin_duration.unwrap_or(elapsed),
                came: exchange.began() + elapsed,
            }
        };
        terms::judge(&self.options, &Method::GET, sender, status, headers, times)
    }

    /// An answer is not kept: who waits fetches one's own, what it replaces is forgotten.
    fn turn_away(&self, exchange: &Exchange, keep: &Keep, unkept: Unkept) {
        if keep.note.status.is_some_and(|status| status < 500)
            && keep.note.outcome == CacheOutcome::Expired
        {
            self.memory.invalidate(keep.key);
        }
        let has_failed = keep.note.status.is_some_and(|status| status >= 500);
        if keep.ticket.is_awaited() || (unkept.is_lasting() && !has_failed) {
            self.memory.pass(&keep.ticket, exchange.started());
        }
        // one that fails now may not the next time
        let is_sound = keep.note.status.is_some_and(|status| status < 500);
        if let Some(hold) = keep.ticket.held().filter(|_| is_sound) {
            hold.pass(&keep.url);
        }
        keep.ticket.tell(Landing::Passing);
    }
}

/// The last of an answer that was fetched: what its client has already is not sent.
fn conclude(exchange: &mut Exchange, keep: &Keep, mut response: Response) -> Response {
    let is_whole = !matches!(response.body(), Body::Stream(_));
    if is_whole
        && response.status() == StatusCode::OK
        && answer::is_known_to(&keep.conditions, response.headers())
    {
        answer::not_modified(&mut response);
    }
    exchange.cache = Some(keep.note);
    response
}

fn left(head: &Head) -> i64 {
    i64::from(head.terms.lifetime) - i64::from(head.terms.initial_age)
}

/// Answers of an origin that fails, for which an older one may stand in (RFC 5861, 4).
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
