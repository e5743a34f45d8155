//! The stage itself: what becomes of the credentials a request shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use mainstay_values::Secret;

use super::api_key::ApiKeys;
use super::challenge::Challenges;
use super::credentials::{Place, Places, Shown, without_parameter};
use super::options::{AuthOptions, Method, Seen};
use super::password_hash::PasswordHash;
use super::passwords::Pending;
use super::protected_fields::ProtectedFields;
use super::verification::Verification;
use crate::layers::PerRoute;
use crate::{
    Enforcement, Exchange, Identity, IdentityKind, Layers, Refusal, Request, RouteOptions, Step,
};

/// The stage of every route, and what no route may let through.
#[derive(Debug)]
pub(crate) struct Authentication {
    protected: ProtectedFields,
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

/// What has to be waited for. Large, and seldom: boxed by who waits.
pub(crate) struct Errand {
    user: Arc<Identity>,
    pending: Pending,
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
        verification: Arc<Verification>,
    ) -> Self {
        let own = routes.iter().filter_map(|route| route.layers.as_deref());
        let told = own.chain([general]).flat_map(|layers| layers.auth.told());
        Self {
            protected: ProtectedFields::new(told),
            routes: PerRoute::new(general, routes, |layers| Authenticate::new(&layers.auth)),
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
            Verdict::Known(identity, place) => {
                route.admit(exchange, request, identity, place)?;
                Ok(Check::Pass)
            }
            Verdict::Refused(refusal) => {
                route.refuse(exchange, refusal)?;
                Ok(Check::Pass)
            }
            Verdict::Wait(errand) => Ok(Check::Wait(errand)),
        }
    }

    /// Waits, and goes on from there.
    pub(crate) async fn finish(
        &self,
        errand: Errand,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<(), Refusal> {
        let route = self.routes.of(exchange);
        let Errand { user, pending } = errand;
        let passwords = &self.verification.passwords;
        if passwords.answer(pending, exchange.started()).await {
            route.admit(exchange, request, user, Place::Authorization)
        } else {
            route.refuse(exchange, Refusal::Unauthenticated("wrong_password"))
        }
    }
}

enum Verdict {
    Known(Arc<Identity>, Place),
    Refused(Refusal),
    Wait(Errand),
}

impl Authenticate {
    fn new(options: &AuthOptions) -> Self {
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
            places: name(&options.key_header).map(|key_header| Places {
                key_header,
                key_query: options.key_query.as_deref().map(Into::into),
                methods,
            }),
            only: options.only.clone(),
            user_header: options.user_header.as_deref().and_then(name),
            credentials: options.credentials,
        }
    }

    fn judge(&self, exchange: &Exchange, request: &Request, shared: &Verification) -> Verdict {
        let shown = self.places.as_ref().map_or(Shown::Nothing, |places| {
            places.find(request.headers(), request.uri())
        });
        match shown {
            Shown::Nothing => Verdict::Refused(Refusal::Unauthenticated("no_credentials")),
            Shown::Unreadable(reason) => Verdict::Refused(Refusal::Unauthenticated(reason)),
            Shown::Key(key, place) => match self.keys.find(key) {
                Some(identity) => Verdict::Known(Arc::clone(identity), place),
                None => Verdict::Refused(Refusal::Unauthenticated("wrong_key")),
            },
            Shown::Password { user, password } => self.password(exchange, &user, password, shared),
        }
    }

    /// A user who is not there costs as much as one who is: somebody's hash is compared with, and no password is its.
    fn password(
        &self,
        exchange: &Exchange,
        name: &str,
        password: Secret,
        shared: &Verification,
    ) -> Verdict {
        let known = self.users.get(name);
        let Some(user) = known.or_else(|| self.users.values().next()) else {
            return Verdict::Refused(Refusal::Unauthenticated("wrong_password"));
        };
        let passwords = &shared.passwords;
        let now = exchange.started();
        if known.is_some() && passwords.remembers(name, &password, &user.hash, now) {
            return Verdict::Known(Arc::clone(&user.identity), Place::Authorization);
        }
        let pending = passwords.verify(exchange.client, name, password, &user.hash);
        match (pending, known) {
            (Ok(pending), Some(user)) => Verdict::Wait(Errand {
                user: Arc::clone(&user.identity),
                pending,
            }),
            (Ok(pending), None) => Verdict::Wait(Errand {
                user: Arc::clone(&user.identity),
                pending: pending.in_vain(),
            }),
            (Err(_), _) => Verdict::Refused(Refusal::AuthBusy),
        }
    }

    /// Lets in who was verified, if it may come here.
    fn admit(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
        identity: Arc<Identity>,
        place: Place,
    ) -> Result<(), Refusal> {
        if !self.only.is_empty() && !self.only.iter().any(|word| identity.is_called(word)) {
            self.refuse(exchange, Refusal::Forbidden("not_allowed"))?;
        }
        if self.credentials == Seen::ByNobody {
            self.take_out(request, place);
        }
        if let Some(name) = &self.user_header
            && let Ok(value) = HeaderValue::from_str(&identity.name)
        {
            exchange.vouched.push((name.clone(), value));
        }
        exchange.identity = Some(identity);
        Ok(())
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
    fn refuse(&self, exchange: &mut Exchange, refusal: Refusal) -> Result<(), Refusal> {
        self.enforcement
            .apply(exchange, Step::Authenticate, refusal)
            .inspect_err(|refusal| {
                if let Refusal::Unauthenticated(_) = refusal {
                    exchange.challenges = self.challenges.lines(None);
                }
            })
    }
}
