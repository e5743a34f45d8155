//! Which route's options hold: by host, then by path.
//!
//! - **Does**: finds the most specific route, whatever order they were written in: exact host before
//!   wildcard before none, longer path before shorter.
//! - **Refuses**: 421 for a host that no route names, 404 for a path that no route of the host names.
//! - **Deployment caveat**: paths are compared in one normal spelling; the origin gets the client's.

use std::cmp::Reverse;
use std::time::Duration;

use mainstay_values::{HostPattern, PathPattern};
use serde::{Deserialize, Serialize};

use crate::{Exchange, Layers, NormalPath, Refusal, Step};

/// How long a route waits for its origin, where it says so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTimeouts {
    /// From the request's last byte to the answer's head: longer is 504. None: as long as on other routes.
    pub response: Option<Duration>,
    /// Between two pieces of the answer's body: longer breaks it off. None: as long as on other routes.
    pub idle: Option<Duration>,
}

/// A route: what leads to which target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteOptions {
    /// Its name, in logs and metrics.
    pub name: String,
    /// Hosts it holds for; any if none is given.
    pub host: Option<HostPattern>,
    /// Paths it holds for; any if none is given.
    pub path: Option<PathPattern>,
    /// Index of the app or upstream it leads to.
    pub target: usize,
    /// The layers' options where they differ from the general ones.
    pub layers: Option<Box<Layers>>,
    /// How long it waits for its origin.
    pub timeouts: RouteTimeouts,
}

impl RouteOptions {
    /// The route that takes everything.
    pub fn everything(target: usize) -> Self {
        Self {
            name: "default".to_owned(),
            host: None,
            path: None,
            target,
            layers: None,
            timeouts: RouteTimeouts::default(),
        }
    }
}

/// A route with the index under which it is counted.
#[derive(Debug)]
struct Route {
    index: usize,
    options: RouteOptions,
}

impl Route {
    /// From here on its options hold.
    fn hold(&self, exchange: &mut Exchange) {
        exchange.route = Some(self.index);
        exchange.target = self.options.target;
        exchange.timeouts = self.options.timeouts;
    }
}

#[derive(Debug)]
pub(crate) struct Routes {
    /// Most specific first.
    routes: Vec<Route>,
    /// Nobody asks for hosts or paths: the first is the answer.
    is_single: bool,
}

impl Routes {
    pub(crate) fn new(routes: Vec<RouteOptions>) -> Self {
        let routes = routes.into_iter().enumerate();
        let mut routes: Vec<_> = routes
            .map(|(index, options)| Route { index, options })
            .collect();
        routes.sort_by_key(|Route { options: route, .. }| {
            let path = route.path.as_ref().map_or(0, PathPattern::specificity);
            (
                route.host.is_none(),
                route.host.as_ref().map(HostPattern::rank),
                Reverse(path),
            )
        });
        let is_single = matches!(&routes[..], [Route { options: route, .. }] if route.host.is_none() && route.path.is_none());
        Self { routes, is_single }
    }

    pub(crate) fn find(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        exchange.pass(Step::Route);
        if self.is_single {
            self.routes[0].hold(exchange);
            return Ok(());
        }
        let path = NormalPath::new(exchange.uri.path());
        let host = exchange.host_name();
        let mut host_is_known = false;
        for found in &self.routes {
            let route = &found.options;
            if route
                .host
                .as_ref()
                .is_some_and(|pattern| !pattern.matches(host))
            {
                continue;
            }
            host_is_known = true;
            if route
                .path
                .as_ref()
                .is_none_or(|pattern| pattern.matches(path.as_str()))
            {
                found.hold(exchange);
                return Ok(());
            }
        }
        Err(if host_is_known {
            Refusal::NoRoute
        } else {
            Refusal::WrongHost
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;
    use std::sync::Arc;
    use std::time::Instant;

    fn route(target: usize, host: &str, path: &str) -> RouteOptions {
        RouteOptions {
            name: format!("{host}{path}"),
            host: (!host.is_empty()).then(|| host.parse().expect("a host pattern")),
            path: (!path.is_empty()).then(|| path.parse().expect("a path pattern")),
            ..RouteOptions::everything(target)
        }
    }

    fn find(routes: &Routes, host: &str, path: &str) -> Result<usize, Refusal> {
        let request = http::Request::builder()
            .uri(path)
            .header("host", host)
            .body(Body::Empty)
            .expect("a request");
        let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
        routes.find(&mut exchange).map(|()| exchange.target)
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let mut options = vec![
            route(0, "", ""),
            route(1, "", "/api"),
            route(2, "*.example.com", ""),
            route(3, "api.example.com", "/api"),
            route(4, "api.example.com", "/"),
        ];
        for _ in 0..options.len() {
            options.rotate_left(1);
            let routes = Routes::new(options.clone());
            for (host, path, target) in [
                ("other.org", "/", 0),
                ("other.org", "/api/x", 1),
                ("other.org", "/apix", 0),
                ("www.example.com:80", "/api", 2),
                ("api.example.com", "/%61pi/x", 3),
                ("API.example.com", "/x/../api", 3),
                ("api.example.com", "/x", 4),
            ] {
                assert_eq!(find(&routes, host, path), Ok(target), "{host}{path}");
            }
        }
    }

    #[test]
    fn unknown_hosts_and_paths_are_told_apart() {
        let routes = Routes::new(vec![route(0, "a.example", "/x")]);
        assert_eq!(find(&routes, "b.example", "/x"), Err(Refusal::WrongHost));
        assert_eq!(find(&routes, "a.example", "/y"), Err(Refusal::NoRoute));
    }
}
