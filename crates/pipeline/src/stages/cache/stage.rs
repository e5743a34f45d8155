//! The order in which the cache goes about a request: meet it, look, wait for another who fetches, or have it fetched. What is made of
//! what was fetched is in `keeping`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tokio::sync::watch;

use super::answer::{self, Kept};
use super::fetch::{Fetch, Found, Outcome, Passage};
use super::fill::Fill;
use super::flight::{self, Landing};
use super::key::{self, Key, Place};
use super::memory::{Begin, CacheMemory, Company, Resource, Variant};
use super::note::{CacheOutcome, Note};
use super::options::{CacheOptions, CacheState, Reach};
use super::request::{self, Wants};
use super::together::{For, Others, SharedAnswers};
use super::usage::{self, Usage};
use crate::{Exchange, Refusal, Request, Response, Standing};

/// So long a request waits for the head of an answer that another is fetching, before it asks on its own.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often a request looks, since something changed while it looked, before it asks on its own.
const MOST_LOOKS: usize = 8;

/// The stage of one route.
#[derive(Debug)]
pub(crate) struct Cache(pub(super) Option<On>);

/// One that is on.
#[derive(Debug)]
pub(crate) struct On {
    pub(super) options: CacheOptions,
    pub(super) memory: Arc<CacheMemory>,
    /// Other machines that keep the same.
    pub(super) shared: Option<Arc<dyn SharedAnswers>>,
    /// Of the options: what was judged by others is not used.
    pub(super) fingerprint: u64,
    /// Names of targets by index.
    targets: Arc<[String]>,
}

impl Cache {
    pub(crate) fn new(options: &CacheOptions, standing: &Standing) -> Self {
        if options.state == CacheState::Off {
            return Self(None);
        }
        let targets = standing.targets().iter();
        Self(Some(On {
            options: options.clone(),
            memory: Arc::clone(standing.cache()),
            shared: standing
                .answers()
                .filter(|_| options.reach == Reach::Machines)
                .cloned(),
            fingerprint: options.fingerprint(),
            targets: targets.map(|target| target.name.clone()).collect(),
        }))
    }

    /// Meets a request: what is kept and fresh is found, and most of those whose answer cannot be kept are known. Probes are for the app, always.
    pub(crate) fn meet(&self, exchange: &mut Exchange, request: &mut Request) -> Meeting<'_> {
        match &self.0 {
            Some(on) if !exchange.is_probe => on.meet(exchange, request),
            _ => Meeting::Pass(Passage::Off),
        }
    }

    /// Notes an answer that goes on as it is.
    pub(crate) fn pass_on(&self, exchange: &mut Exchange, passage: Passage, response: &Response) {
        if let Some(on) = &self.0 {
            on.pass_on(exchange, passage, response);
        }
    }

    /// Uses what was fetched: keeps it, or what was there already.
    ///
    /// # Errors
    /// The origin's refusal, where no kept answer can stand in for it.
    pub(crate) fn take(
        &self,
        exchange: &mut Exchange,
        fetch: Fetch,
        outcome: Result<Response, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let Some(on) = &self.0 else {
            return outcome.map(Outcome::Answer);
        };
        match fetch {
            Fetch::Pass(passage) => {
                let response = outcome?;
                on.pass_on(exchange, passage, &response);
                Ok(Outcome::Answer(response))
            }
            Fetch::Keep(keep) => on.take(exchange, keep, outcome),
        }
    }
}

const fn pass(note: Note) -> Found {
    Found::Fetch(Fetch::Pass(Passage::Bypass(note)))
}

/// The time of an exchange: when it began, and what has passed since.
pub(super) fn now(exchange: &Exchange) -> Instant {
    exchange.started() + exchange.elapsed()
}

/// How a request is met.
#[derive(Debug)]
pub(crate) enum Meeting<'a> {
    /// The origin is to be asked, and its answer goes on as it is.
    Pass(Passage),
    /// It is there.
    Answer(Response),
    /// Perhaps another is just fetching it; else it is to be fetched.
    Look(&'a On, Search),
}

/// One request's way through the cache.
#[derive(Debug)]
pub(crate) struct Search {
    pub(super) key: Key,
    /// What is asked for, as far as it tells answers apart.
    pub(super) path: PathAndQuery,
    pub(super) wants: Wants,
    pub(super) company: Company,
    pub(super) note: Note,
}

/// What a look has led to.
enum Look {
    Done(Found),
    /// The origin is to be asked, perhaps whether this one still holds.
    Ask(Option<Variant>),
}

/// What is kept does not do.
fn ask(search: &mut Search, old: Option<Variant>) -> Result<Look, Refusal> {
    if search.wants.asked.only_if_cached {
        return Err(Refusal::OnlyIfCached);
    }
    if search.wants.is_partial {
        search.note.detail = Some("partial");
        return Ok(Look::Done(pass(search.note)));
    }
    Ok(Look::Ask(old))
}

impl On {
    pub(super) fn key(&self, exchange: &Exchange, path: &str) -> Key {
        Key::of(
            self.memory.secret,
            self.target(exchange),
            Place::of(exchange),
            path,
        )
    }

    pub(super) fn target(&self, exchange: &Exchange) -> &str {
        self.targets.get(exchange.target).map_or("", String::as_str)
    }

    fn meet(&self, exchange: &mut Exchange, request: &mut Request) -> Meeting<'_> {
        let wants = match request::wants(&self.options, exchange, request) {
            Ok(wants) => wants,
            Err(passage) => return Meeting::Pass(passage),
        };
        let Some(path) = request.uri().path_and_query() else {
            return Meeting::Pass(Passage::Bypass(Note::bypass("bypass", "target")));
        };
        let chosen = key::chosen_query(&self.options, path);
        let key = self.key(exchange, chosen.as_ref().unwrap_or(path).as_str());
        let may_pass = !wants.is_partial && !wants.asked.only_if_cached;
        if may_pass && self.memory.is_passing(key, exchange.started()) {
            if let Some(chosen) = chosen {
                *request.uri_mut() = chosen.into();
            }
            key::drop_ignored_cookies(&self.options, request.headers_mut());
            let note = Note::new(CacheOutcome::Miss).forwarded("uri-miss");
            return Meeting::Pass(Passage::Uncached(key, wants.sender, note));
        }
        let path = chosen.unwrap_or_else(|| path.clone());
        let mut search = Search {
            key,
            path,
            wants,
            company: Company::Welcome,
            note: Note::new(CacheOutcome::Miss),
        };
        // what is there and fresh is an answer at once, with nothing that waiting needs around it
        if let Some(resource) = self.memory.find(key)
            && let Ok(Look::Done(Found::Answer(response))) =
                self.judge(exchange, request, &mut search, Some(&resource))
        {
            return Meeting::Answer(response);
        }
        Meeting::Look(self, search)
    }

    /// Looks for an answer, and waits for one that another is fetching.
    ///
    /// # Errors
    /// [`Refusal::OnlyIfCached`], and whatever refused the one that was waited for.
    pub(crate) async fn look(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
        mut search: Search,
    ) -> Result<Found, Refusal> {
        let mut looks = 0;
        loop {
            looks += 1;
            if looks > MOST_LOOKS {
                search.company = Company::Alone;
            }
            let resource = self.memory.find(search.key);
            let old = match self.judge(exchange, request, &mut search, resource.as_ref())? {
                Look::Done(found) => return Ok(found),
                Look::Ask(old) => old,
            };
            let digest = self.flight_digest(resource.as_deref(), request);
            match self
                .memory
                .begin(search.key, digest, resource.as_ref(), search.company)
            {
                Begin::Again => {}
                Begin::Lead(mut ticket) => {
                    let mut old = old;
                    if search.company == Company::Welcome && self.shared.is_some() {
                        let path = search.path.clone();
                        let whom = For::Client(&search.wants.asked);
                        let asked = self.ask_others(
                            exchange,
                            request,
                            &mut ticket,
                            path.as_str(),
                            &mut old,
                            whom,
                        );
                        // boxed: who is alone carries nothing of it
                        match Box::pin(asked).await {
                            Others::Kept => {
                                search.note.detail = Some("store");
                                continue;
                            }
                            Others::Passing => search.company = Company::Alone,
                            Others::Fetch | Others::Busy => {}
                        }
                    }
                    let keep = self.lead(exchange, request, search, old, ticket);
                    return Ok(Found::Fetch(Fetch::Keep(Box::new(keep))));
                }
                Begin::Wait(waiting) => {
                    let waited = self.wait(exchange, request, &mut search, old, waiting);
                    if let Some(found) = waited.await? {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// Judges what is kept.
    fn judge(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        search: &mut Search,
        resource: Option<&Arc<Resource>>,
    ) -> Result<Look, Refusal> {
        let now = now(exchange);
        let variants = resource.map_or(&[][..], |resource| &resource.variants);
        let old = variants
            .iter()
            .find(|variant| self.is_for(variant, request))
            .cloned();
        let note = &mut search.note;
        note.forwarded = None;
        if let Some(variant) = &old {
            let stored = &variant.stored;
            if !stored.head.terms.suits(search.wants.sender) {
                return Ok(Look::Done(pass(Note::bypass("bypass", "credentials"))));
            }
            let usage = usage::judge(
                stored.head.terms,
                stored.head.age(now),
                stored.standing(),
                &search.wants.asked,
            );
            let (outcome, left) = match usage {
                Usage::Fresh { left } if note.is_collapsed => {
                    (CacheOutcome::Collapsed, i64::from(left))
                }
                Usage::Fresh { left } => (CacheOutcome::Hit, i64::from(left)),
                Usage::Taken { by } => (CacheOutcome::Stale, -i64::from(by)),
                Usage::WhileRevalidate { by } => {
                    self.refresh(exchange, request, search, resource, variant);
                    (CacheOutcome::Stale, -i64::from(by))
                }
                Usage::Expired | Usage::Unwanted => {
                    let is_wish = usage == Usage::Unwanted;
                    note.outcome = CacheOutcome::Expired;
                    note.forwarded = Some(if is_wish { "request" } else { "stale" });
                    if !stored.head.terms.has_use() {
                        // whoever waited could not use the answer either
                        search.company = Company::Alone;
                    }
                    return ask(search, old);
                }
            };
            let note = &mut search.note;
            (note.outcome, note.left) = (outcome, Some(left));
            let (variant, key, note) = (variant.clone(), search.key, search.note);
            return Ok(Look::Done(
                self.found(exchange, request, key, variant, note),
            ));
        }
        note.outcome = CacheOutcome::Miss;
        note.forwarded = Some(if variants.is_empty() {
            "uri-miss"
        } else {
            "vary-miss"
        });
        ask(search, None)
    }

    /// Waits for what another fetches. None: look again.
    async fn wait(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        search: &mut Search,
        old: Option<Variant>,
        waiting: watch::Receiver<Landing>,
    ) -> Result<Option<Found>, Refusal> {
        search.note.is_collapsed = true;
        let landed = tokio::time::timeout(PATIENCE, flight::landing(waiting)).await;
        match landed {
            // it was given up, or is there
            Ok(None | Some(Landing::Pending | Landing::Kept)) => {}
            Err(_) | Ok(Some(Landing::Passing)) => search.company = Company::Alone,
            Ok(Some(Landing::Failed(refusal))) => {
                let old = old.filter(|old| Self::may_stand_in(exchange, old, &search.wants));
                if let Some(old) = old {
                    let (key, note) = (search.key, search.note);
                    let response = self.stand_in(exchange, request, key, old, note);
                    return Ok(Some(Found::Answer(response)));
                }
                match refusal {
                    Some(refusal) => return Err(refusal),
                    None => search.company = Company::Alone,
                }
            }
            Ok(Some(Landing::Coming(fill))) => {
                let fill = fill.upgrade();
                let found = fill.and_then(|fill| self.join(exchange, request, search, &fill));
                if found.is_some() {
                    return Ok(found);
                }
                search.company = Company::Alone;
            }
        }
        Ok(None)
    }

    /// Reads along an answer that is coming, if it is one for this request.
    fn join(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        search: &Search,
        fill: &Arc<Fill>,
    ) -> Option<Found> {
        let age = fill.head.age(now(exchange));
        let usage = usage::judge(
            fill.head.terms,
            age,
            usage::Standing::Good,
            &search.wants.asked,
        );
        let Usage::Fresh { left } = usage else {
            return None;
        };
        let is_selected = match &fill.selection {
            None => true,
            Some(selection) => selection.fits(self.memory.secret, &self.options, request.headers()),
        };
        if !is_selected || !fill.head.terms.suits(search.wants.sender) {
            return None;
        }
        let body = fill.join()?;
        exchange.cache = Some(Note {
            outcome: CacheOutcome::Collapsed,
            left: Some(i64::from(left)),
            ..search.note
        });
        let response = answer::of_coming(request, &fill.head, body, age);
        Some(Found::Answer(response))
    }

    fn is_for(&self, variant: &Variant, request: &Request) -> bool {
        match &variant.selection {
            None => true,
            Some(selection) => selection.fits(self.memory.secret, &self.options, request.headers()),
        }
    }

    /// Which of a resource's answers is fetched, as far as the last one tells.
    pub(super) fn flight_digest(&self, resource: Option<&Resource>, request: &Request) -> u128 {
        let (secret, options) = (self.memory.secret, &self.options);
        let known = resource.and_then(|resource| resource.variants.first());
        match known.and_then(|variant| variant.selection.as_ref()) {
            Some(selection) => selection.with(secret, options, request.headers()),
            None => key::digest(secret, options, &[], request.headers()),
        }
    }

    /// An answer that is kept.
    fn found(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        key: Key,
        variant: Variant,
        note: Note,
    ) -> Found {
        let age = variant.stored.head.age(now(exchange));
        let response = answer::of_stored(request, &variant.stored, age);
        exchange.cache = Some(note);
        exchange.kept = Some(Kept {
            memory: Arc::clone(&self.memory),
            key,
            variant,
        });
        Found::Answer(response)
    }
}
