//! The options that may differ from route to route, together; and a stage made of them for each route.
//! Decides nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AuthOptions, BodyOptions, CacheOptions, CompressOptions, CorsOptions, ErrorOptions, Exchange,
    FilterOptions, HeaderOptions, RouteOptions,
};

/// The options of every layer that may differ from route to route. The default of a layer that refuses is one that does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Which other sites' pages may read answers.
    pub cors: CorsOptions,
    /// How large bodies may be.
    pub body: BodyOptions,
    /// Networks, hosts, methods, hidden files.
    pub filter: FilterOptions,
    /// Who may come.
    pub auth: AuthOptions,
    /// Response headers.
    pub headers: HeaderOptions,
    /// Content codings of answers.
    pub compress: CompressOptions,
    /// What is kept of answers.
    pub cache: CacheOptions,
    /// What becomes of an app's errors.
    pub errors: ErrorOptions,
}

impl Layers {
    /// Whether whatever `other` refuses is refused here too, as far as that can be told: each layer that refuses is the
    /// same, or idle there.
    pub(crate) fn is_as_strict_as(&self, other: &Self) -> bool {
        // whoever adds a layer says here whether it refuses
        let Self {
            filter,
            auth,
            body,
            // what these say binds browsers only
            cors: _,
            compress: _,
            headers: _,
            // a client that wants a kept answer or none asks for its refusal
            cache: _,
            // and this is about answers
            errors: _,
        } = self;
        filter.is_as_strict_as(&other.filter)
            && auth.is_as_strict_as(&other.auth)
            && body.is_as_strict_as(&other.body)
    }
}

/// A stage for each route. Routes that say nothing of their own share one.
#[derive(Debug)]
pub(crate) struct PerRoute<T> {
    general: Arc<T>,
    routes: Vec<Arc<T>>,
}

impl<T> PerRoute<T> {
    /// Makes the stage of what holds in general, and of what each route has of its own.
    pub(crate) fn new(
        general: &Layers,
        routes: &[RouteOptions],
        make: impl Fn(&Layers) -> T,
    ) -> Self {
        let shared = Arc::new(make(general));
        let of = |route: &RouteOptions| match &route.layers {
            Some(layers) => Arc::new(make(layers)),
            None => Arc::clone(&shared),
        };
        Self {
            routes: routes.iter().map(of).collect(),
            general: shared,
        }
    }

    /// What holds for an exchange: the general one as long as no route was found.
    pub(crate) fn of(&self, exchange: &Exchange) -> &T {
        let route = exchange.route.and_then(|route| self.routes.get(route));
        route.unwrap_or(&self.general)
    }
}
