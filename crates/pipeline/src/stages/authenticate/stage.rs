//! The stage itself: what becomes of the credentials a request shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use mainstay_values::Secret;

use super::api_key::ApiKeys;
use super::challenge::Challenges;
use super::credentials::{Place, Places, Shown, without_parameter};
use super::forward::{Forward, Word};
use super::jwt::{self, Flaw, Issuer, KeySet};
use super::options::{AuthOptions, Method, Seen};
use super::password_hash::PasswordHash;
use super::passwords::Pending;
use super::verification::Verification;
use crate::layers::PerRoute;
use crate::protected_fields::ProtectedFields;
use crate::stages::Guesses;
use crate::{
    Body, Enforcement, Exchange, Forwarding, Identity, IdentityKind, Layers, Origin, Refusal,
    Request, Response, RouteOptions, Standing, Step,
};

/// The stage of every route, and what no route may let through.
#[derive(Debug)]
pub(crate) struct Authentication {
    protected: Arc<ProtectedFields>,
    routes: PerRoute<Authenticate>,
    verification: Arc<Verification>,
}

/// What is known after a look at the request.
pub(crate) enum Check {
    /// It may pass, or nothing is asked of it.
    Pass,
    /// Somebody has to be waited for.
    Wait(Errand),
}

/// What has to be waited for.
pub(crate) enum Errand {
    /// A password is being verified.
    Password(Arc<Identity>, Pending),
    /// The keys of an issuer may be fetched.
    Keys(Arc<KeySet>),
    /// Another server is to be asked.
    Ask,
}

/// What one route asks for.
#[derive(Debug, Default)]
struct Authenticate {
    /// Nobody is named who may come: everybody may.
    is_idle: bool,
    enforcement: Enforcement,
    places: Option<Places>,
    users: BTreeMap<String, User>,
    keys: ApiKeys,
    issuers: Vec<Issuer>,
    forward: Option<Forward>,
    guesses: Option<Guesses>,
    only: Vec<String>,
    user_header: Option<HeaderName>,
    credentials: Seen,
    challenges: Challenges,
}

#[derive(Debug)]
struct User {
    identity: Arc<Identity>,
    hash: PasswordHash,
}

impl Authentication {
    pub(crate) fn new(
        general: &Layers,
        routes: &[RouteOptions],
        standing: &Standing,
        verification: Arc<Verification>,
    ) -> Self {
        let own = routes.iter().filter_map(|route| route.layers.as_deref());
        let told = own.chain([general]).flat_map(|layers| layers.auth.told());
        Self {
            protected: Arc::new(ProtectedFields::new(told)),
            routes: PerRoute::new(general, routes, |layers| {
                Authenticate::new(&layers.auth, standing, &verification)
            }),
            verification,
        }
    }

    /// Looks at what the request shows. Waits for nobody.
    pub(crate) fn check(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<Check, Refusal> {
        exchange.pass(Step::Authenticate);
        self.protected.remove_from(request.headers_mut());
        let route = self.routes.of(exchange);
        if route.is_idle {
            return Ok(Check::Pass);
        }
        match route.judge(exchange, request, &self.verification) {
            Verdict::Known(known) => route.admit(exchange, request, known)?,
            Verdict::Refused(refusal) => route.refuse(exchange, refusal, None)?,
            Verdict::Flawed(flaw) => route.refuse_token(exchange, flaw)?,
            Verdict::Wait(errand) => return Ok(Check::Wait(errand)),
        }
        Ok(Check::Pass)
    }

    /// The trailers of a request may not say either what its head may not.
    pub(crate) fn guard_trailers(&self, body: &mut Body) {
        if let Body::Stream(frames) = body
            && frames.length().is_none()
        {
            frames.guard_trailers(Arc::clone(&self.protected));
        }
    }

    /// Waits, and goes on from there. An answer of whoever was asked takes the place of the app's.
    pub(crate) async fn finish<O: Origin>(
        &self,
        errand: Errand,
        exchange: &mut Exchange,
        request: &mut Request,
        forwarding: &Arc<Forwarding>,
        origin: &O,
    ) -> Result<Option<Response>, Refusal> {
        let route = self.routes.of(exchange);
        match errand {
            Errand::Password(user, pending) => {
                let passwords = &self.verification.passwords;
                if passwords.answer(pending, exchange.started()).await {
                    let known = Known::plain(user, Place::Authorization);
                    route.admit(exchange, request, known)?;
                } else {
                    if let Some(guesses) = &route.guesses {
                        guesses.failed(exchange.client);
                    }
                    let refusal = Refusal::Unauthenticated("wrong_password");
                    route.refuse(exchange, refusal, None)?;
                }
            }
            Errand::Keys(set) => {
                set.renewed().await;
                match route.judge(exchange, request, &self.verification) {
                    Verdict::Known(known) => route.admit(exchange, request, known)?,
                    Verdict::Refused(refusal) => route.refuse(exchange, refusal, None)?,
                    Verdict::Flawed(flaw) => route.refuse_token(exchange, flaw)?,
                    Verdict::Wait(_) if set.is_known() => {
                        route.refuse_token(exchange, Flaw::UnknownKey)?;
                    }
                    Verdict::Wait(_) => route.refuse(exchange, Refusal::AuthUnavailable, None)?,
                }
            }
            Errand::Ask => {
                let Some(forward) = &route.forward else {
                    return Err(Refusal::AuthUnavailable);
                };
                let word = forward.ask(exchange, request.headers(), forwarding, origin);
                match word.await {
                    Word::Good(identity, told) => {
                        let known = Known::plain(identity, Place::Nowhere);
                        route.admit(exchange, request, known)?;
                        exchange.vouched.extend(told);
                    }
                    Word::Instead(answer) if route.enforcement == Enforcement::Enforce => {
                        return Ok(Some(answer));
                    }
                    Word::Instead(_) => {
                        route.refuse(exchange, Refusal::Unauthenticated("forward"), None)?;
                    }
                    Word::Nothing => route.refuse(exchange, Refusal::AuthUnavailable, None)?,
                }
            }
        }
        Ok(None)
    }
}

enum Verdict<'a> {
    Known(Known<'a>),
    Refused(Refusal),
    Flawed(Flaw),
    Wait(Errand),
}

/// Somebody who was verified.
struct Known<'a> {
    identity: Arc<Identity>,
    /// Where the credentials stood.
    place: Place,
    /// Who vouches, if it was by a token.
    issuer: Option<&'a Issuer>,
}

impl Known<'_> {
    fn plain(identity: Arc<Identity>, place: Place) -> Self {
        Self {
            identity,
            place,
            issuer: None,
        }
    }
}

impl Authenticate {
    fn new(options: &AuthOptions, standing: &Standing, shared: &Verification) -> Self {
        if options.set_up().is_empty() {
            return Self {
                is_idle: true,
                ..Self::default()
            };
        }
        let methods = options.methods();
        let has = |method| methods.contains(&method);
        let name = |name: &str| name.to_ascii_lowercase().parse::<HeaderName>().ok();
        let user = |(name, hash): (&String, &PasswordHash)| {
            let user = User {
                identity: Arc::new(Identity::named(IdentityKind::User, name)),
                hash: hash.clone(),
            };
            (name.clone(), user)
        };
        Self {
            is_idle: false,
            enforcement: options.enforcement,
            challenges: Challenges::new(&methods, &options.realm),
            users: if has(Method::Basic) {
                options.users.iter().map(user).collect()
            } else {
                BTreeMap::new()
            },
            keys: ApiKeys::new(if has(Method::Key) { &options.keys } else { &[] }),
            forward: options
                .forward
                .as_ref()
                .filter(|_| has(Method::Forward))
                .map(|forward| Forward::new(forward, standing)),
            guesses: options
                .failures
                .filter(|_| has(Method::Basic))
                .map(|rate| Guesses::new(rate, standing)),
            issuers: if has(Method::Jwt) {
                let issuers = options.tokens.iter().cloned();
                issuers
                    .map(|token| Issuer::new(token, &shared.key_sets))
                    .collect()
            } else {
                Vec::new()
            },
            places: name(&options.key_header).map(|key_header| Places {
                key_header,
                key_query: options.key_query.as_deref().map(Into::into),
                cookies: options
                    .tokens
                    .iter()
                    .filter_map(|token| Some(token.cookie.as_deref()?.into()))
                    .collect(),
                methods,
            }),
            only: options.only.clone(),
            user_header: options.user_header.as_deref().and_then(name),
            credentials: options.credentials,
        }
    }

    fn judge(&self, exchange: &Exchange, request: &Request, shared: &Verification) -> Verdict<'_> {
        let shown = self.places.as_ref().map_or(Shown::Nothing, |places| {
            places.find(request.headers(), request.uri())
        });
        match shown {
            Shown::Nothing if self.forward.is_some() => Verdict::Wait(Errand::Ask),
            Shown::Nothing => Verdict::Refused(Refusal::Unauthenticated("no_credentials")),
            Shown::Unreadable(reason) => Verdict::Refused(Refusal::Unauthenticated(reason)),
            Shown::Key(key, place) => match self.keys.find(key) {
                Some(identity) => Verdict::Known(Known::plain(Arc::clone(identity), place)),
                None => Verdict::Refused(Refusal::Unauthenticated("wrong_key")),
            },
            Shown::Token(token, place) => self.token(exchange, token, place),
            Shown::Password { user, password } => self.password(exchange, &user, password, shared),
        }
    }

    fn token(&self, exchange: &Exchange, token: &str, place: Place) -> Verdict<'_> {
        let (verdict, issuer) = jwt::verify(&self.issuers, token, exchange.began());
        match verdict {
            jwt::Verdict::Good(identity) => Verdict::Known(Known {
                identity,
                place,
                issuer,
            }),
            jwt::Verdict::Bad(flaw) => Verdict::Flawed(flaw),
            jwt::Verdict::Unknown(set) | jwt::Verdict::NoKeys(set) => {
                Verdict::Wait(Errand::Keys(set))
            }
        }
    }

    /// A user who is not there costs as much as one who is: somebody's hash is compared with, and no password is its.
    fn password(
        &self,
        exchange: &Exchange,
        name: &str,
        password: Secret,
        shared: &Verification,
    ) -> Verdict<'_> {
        let known = self.users.get(name);
        let Some(user) = known.or_else(|| self.users.values().next()) else {
            return Verdict::Refused(Refusal::Unauthenticated("wrong_password"));
        };
        let passwords = &shared.passwords;
        let now = exchange.started();
        if known.is_some() && passwords.remembers(name, &password, &user.hash, now) {
            let identity = Arc::clone(&user.identity);
            return Verdict::Known(Known::plain(identity, Place::Authorization));
        }
        if let Some(guesses) = &self.guesses
            && let Err(refusal) = guesses.may_guess(exchange.client)
        {
            return Verdict::Refused(refusal);
        }
        let pending = passwords.verify(exchange.client, name, password, &user.hash);
        match (pending, known) {
            (Ok(pending), known) => {
                let pending = if known.is_some() {
                    pending
                } else {
                    pending.in_vain()
                };
                Verdict::Wait(Errand::Password(Arc::clone(&user.identity), pending))
            }
            (Err(_), _) => Verdict::Refused(Refusal::AuthBusy),
        }
    }

    /// Lets in who was verified, if it may come here.
    fn admit(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
        known: Known<'_>,
    ) -> Result<(), Refusal> {
        let Known {
            identity,
            place,
            issuer,
        } = known;
        if issuer.is_some_and(|issuer| !issuer.lets_in(&identity)) {
            self.refuse(
                exchange,
                Refusal::Forbidden(Flaw::NotMatching.reason()),
                None,
            )?;
        }
        if !self.only.is_empty() && !self.only.iter().any(|word| identity.is_called(word)) {
            self.refuse(exchange, Refusal::Forbidden("not_allowed"), None)?;
        }
        if self.credentials == Seen::ByNobody {
            self.take_out(request, place);
        }
        if let Some(name) = &self.user_header
            && !identity.name.is_empty()
            && let Ok(value) = HeaderValue::from_str(&identity.name)
        {
            exchange.vouched.push((name.clone(), value));
        }
        for (claim, name) in issuer.into_iter().flat_map(|issuer| &issuer.told) {
            // what no field can hold is not told
            let value = identity.claim(claim);
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
                exchange.vouched.push((name.clone(), value));
            }
        }
        exchange.identity = Some(identity);
        Ok(())
    }

    fn refuse_token(&self, exchange: &mut Exchange, flaw: Flaw) -> Result<(), Refusal> {
        let refusal = Refusal::Unauthenticated(flaw.reason());
        self.refuse(exchange, refusal, Some(flaw.sentence()))
    }

    fn take_out(&self, request: &mut Request, place: Place) {
        let places = self.places.as_ref();
        match place {
            Place::Authorization => drop(request.headers_mut().remove(AUTHORIZATION)),
            Place::KeyHeader => {
                if let Some(places) = places {
                    request.headers_mut().remove(&places.key_header);
                }
            }
            Place::Cookie | Place::Nowhere => {}
            Place::Query => {
                let name = places.and_then(|places| places.key_query.as_deref());
                let without = name.and_then(|name| without_parameter(request.uri(), name));
                if let Some(uri) = without {
                    *request.uri_mut() = uri;
                }
            }
        }
    }

    /// Says no, unless this is a dry run.
    fn refuse(
        &self,
        exchange: &mut Exchange,
        refusal: Refusal,
        flaw: Option<&'static str>,
    ) -> Result<(), Refusal> {
        self.enforcement
            .apply(exchange, Step::Authenticate, refusal)
            .inspect_err(|refusal| {
                if let Refusal::Unauthenticated(_) = refusal {
                    exchange.challenges = self.challenges.lines(flaw);
                }
            })
    }
}
