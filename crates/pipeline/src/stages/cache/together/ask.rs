//! A miss on this machine: another one may have the answer, or be fetching it. What is found is judged like any kept answer before it
//! is used. Fetches nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderName;

use super::super::directives::Asked;
use super::super::flight::{Landing, Ticket};
use super::super::key::{self, Place, Selection};
use super::super::memory::Variant;
use super::super::purge::PurgeMode;
use super::super::stage::{On, now};
use super::super::stored::{Head, Stored};
use super::super::terms::Terms;
use super::super::usage::{self, Usage};
use super::entry::{self, Entry};
use super::{Claim, Claimed, Hold, Shared, SharedName, SharedPlace};
use crate::{Exchange, Request};

/// So long another machine that is fetching the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions for one miss: for what tells answers apart, for the answer, and once more for each that is not what it should be.
const MOST_QUESTIONS: usize = 6;

/// What came of it.
#[derive(Debug)]
pub(in super::super) enum Others {
    /// An answer of theirs is kept here now: look again.
    Kept,
    /// Answers of this resource are not kept anywhere.
    Passing,
    /// The origin is to be asked, perhaps whether the old answer holds.
    Fetch,
    /// Another machine is fetching it meanwhile.
    Busy,
}

/// For whom it is asked.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum For<'a> {
    /// A client, who waits, and wants this.
    Client(&'a Asked),
    /// What is kept here, which is used meanwhile: only what is fresh will do, and nobody is waited for.
    Refresh,
}

/// What is asked about.
struct Question<'a> {
    place: SharedPlace,
    resource: SharedName,
    url: &'a str,
    /// What tells answers apart, as far as it is known.
    names: Option<Box<[HeaderName]>>,
}

impl On {
    /// Asks those who share. The right to fetch goes to the ticket, if it is given; in the place of the old answer comes a younger one of
    /// theirs that is good for asking the origin by.
    pub(in super::super) async fn ask_others(
        &self,
        exchange: &Exchange,
        request: &Request,
        ticket: &mut Ticket,
        path: &str,
        old: &mut Option<Variant>,
        whom: For<'_>,
    ) -> Others {
        let Some(shared) = &self.shared else {
            return Others::Fetch;
        };
        let (place, url) = (
            self.shared_place(exchange, path),
            Place::of(exchange).url(path),
        );
        let mut question = Question {
            resource: place.name(),
            place,
            url: &url,
            names: None,
        };
        let mut known = None;
        for _ in 0..MOST_QUESTIONS {
            let names = question.names.as_deref();
            let answer =
                names.map(|names| key::shared_digest(&self.options, names, request.headers()));
            let claim = Claim {
                resource: question.resource,
                answer,
                known,
                patience: match whom {
                    For::Client(_) => PATIENCE,
                    For::Refresh => Duration::ZERO,
                },
            };
            let found = match shared.claim(claim).await {
                Claimed::Found(found) => found,
                Claimed::Ours(right) => {
                    let place = question.place;
                    let hold = Hold::new(shared, place, answer, right, self.fingerprint);
                    ticket.hold(hold);
                    return Others::Fetch;
                }
                Claimed::Taken => return Others::Busy,
                Claimed::Away => return Others::Fetch,
            };
            known = Some(found.token);
            match self.judge_entry(&question, answer, &found, request, now(exchange)) {
                Some(Found::Selection(names)) if question.names.is_none() => {
                    question.names = Some(names);
                    known = None;
                }
                None | Some(Found::Selection(_)) => {}
                Some(Found::Passing) => {
                    self.memory.pass(ticket, exchange.started());
                    ticket.tell(Landing::Passing);
                    return Others::Passing;
                }
                Some(Found::Answer(variant)) => {
                    if is_usable(&variant, now(exchange), whom)
                        && self.memory.keep(ticket, &url, &variant).is_ok()
                    {
                        ticket.tell(Landing::Kept);
                        return Others::Kept;
                    }
                    if is_younger(&variant, old.as_ref()) {
                        *old = Some(variant);
                    }
                }
            }
        }
        Others::Fetch
    }

    /// The resource, as machines speak of it.
    pub(in super::super) fn shared_place(&self, exchange: &Exchange, path: &str) -> SharedPlace {
        let Place { scheme, host, port } = Place::of(exchange);
        SharedPlace {
            target: self.target(exchange).to_owned(),
            scheme: scheme.as_str().to_owned(),
            host: host.to_ascii_lowercase(),
            port,
            path: path.to_owned(),
        }
    }

    /// What was found, if it is what was asked for. An answer comes with the age that it has.
    fn judge_entry(
        &self,
        question: &Question<'_>,
        answer: Option<SharedName>,
        found: &Shared,
        request: &Request,
        now: Instant,
    ) -> Option<Found> {
        let about = entry::About {
            settings: self.fingerprint,
            purges: 0,
            target: &question.place.target,
            url: question.url,
        };
        let (purges, selection, head, body) = match entry::read(&found.bytes, &about, now)? {
            Entry::Selection(names) => return Some(Found::Selection(names)),
            Entry::Passing => return Some(Found::Passing),
            Entry::Answer {
                purges,
                selection,
                head,
                body,
            } => (purges, selection, head, body),
        };
        if selection != answer {
            return None;
        }
        let mode = self.memory.purged_since(purges, question.url, &head);
        if mode == Some(PurgeMode::Hard) {
            return None;
        }
        let head = Head {
            terms: aged(head.terms, found.age),
            ..head
        };
        let stored = Stored::new(&head, std::iter::once(&body), body.len());
        if mode == Some(PurgeMode::Soft) {
            stored.purge();
        }
        let selection = question.names.as_ref().map(|names| {
            let secret = self.memory.secret;
            Arc::new(Selection::of(
                secret,
                &self.options,
                names.clone(),
                request.headers(),
            ))
        });
        Some(Found::Answer(Variant::new(Arc::new(stored), selection)))
    }
}

/// What was read.
enum Found {
    Answer(Variant),
    Selection(Box<[HeaderName]>),
    Passing,
}

/// The terms of an answer that has been kept elsewhere for this time.
fn aged(terms: Terms, age: Duration) -> Terms {
    // a part of a second is taken for a whole one: no answer is used longer because it came from elsewhere
    let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    Terms {
        initial_age: terms.initial_age.saturating_add(seconds),
        ..terms
    }
}

fn is_usable(variant: &Variant, now: Instant, whom: For<'_>) -> bool {
    let head = &variant.stored.head;
    let standing = variant.stored.standing();
    let anything = Asked::default();
    let asked = match whom {
        For::Client(asked) => asked,
        For::Refresh => &anything,
    };
    match usage::judge(head.terms, head.age(now), standing, asked) {
        Usage::Fresh { .. } => true,
        Usage::Taken { .. } | Usage::WhileRevalidate { .. } => matches!(whom, For::Client(_)),
        Usage::Expired | Usage::Unwanted => false,
    }
}

fn is_younger(variant: &Variant, than: Option<&Variant>) -> bool {
    let of = |variant: &Variant| {
        let head = &variant.stored.head;
        head.age(head.came)
    };
    than.is_none_or(|other| {
        let (own, other_head) = (&variant.stored.head, &other.stored.head);
        of(variant) < other_head.age(own.came)
    })
}
