//! Which route's options hold: by host, then by path.
//!
//! - **Does**: finds the most specific route, whatever order they were written in: exact host before
//!   wildcard before none, longer path before shorter.
//! - **Refuses**: 421 for a host that no route names, 404 for a path that no route of the host names, 400 for a path of which
//!   it cannot be told which route's rules are the strictest.
//! - **Deployment caveat**: paths are compared in one normal spelling; the origin gets the client's. Where routes differ in
//!   what they refuse, every reading of the path is compared, and the strictest route's rules hold.

use std::cmp::Reverse;
use std::time::Duration;

use mainstay_values::{HostPattern, PathPattern};
use serde::{Deserialize, Serialize};

use crate::{Exchange, Layers, NormalPath, Readings, Refusal, RouteAdmission, Step};

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
    /// How many of its requests may be under way, and who goes first.
    pub admission: RouteAdmission,
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
            admission: RouteAdmission::default(),
        }
    }
}

/// A route, and how its rules compare with those of others.
#[derive(Debug)]
struct Route {
    /// The index under which it is counted.
    index: usize,
    options: RouteOptions,
    /// Routes of one class refuse the same.
    class: usize,
    /// The classes that refuse nothing that this one would let pass.
    covers: Vec<usize>,
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
    ranked: Vec<Route>,
    /// Nobody asks for hosts or paths: the first is the answer.
    is_single: bool,
    /// Every request has a route, and the same is refused on all of them: then it does no harm to be led to another
    /// by an odd spelling.
    are_alike: bool,
}

impl Routes {
    /// `general` is what holds for routes that say nothing of the layers.
    pub(crate) fn new(routes: Vec<RouteOptions>, general: &Layers) -> Self {
        let mut routes = classified(routes, general);
        routes.sort_by_key(|Route { options, .. }| {
            let path = options.path.as_ref().map_or(0, PathPattern::specificity);
            (
                options.host.is_none(),
                options.host.as_ref().map(HostPattern::rank),
                Reverse(path),
            )
        });
        let takes_all =
            |route: &Route| route.options.host.is_none() && route.options.path.is_none();
        Self {
            is_single: matches!(&routes[..], [route] if takes_all(route)),
            are_alike: routes.iter().any(takes_all) && routes.iter().all(|route| route.class == 0),
            ranked: routes,
        }
    }

    pub(crate) fn find(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        exchange.pass(Step::Route);
        if self.is_single {
            self.ranked[0].hold(exchange);
            return Ok(());
        }
        let path = NormalPath::new(exchange.uri.path());
        let host = exchange.host_name();
        let found = self.first(host, |pattern| pattern.matches(path.as_str()))?;
        let strictest = if self.are_alike {
            found
        } else {
            self.strictest(found, host, exchange.uri.path())?
        };
        let target = found.options.target;
        strictest.hold(exchange);
        // the bytes go where their normal spelling leads, by the rules of the strictest
        exchange.target = target;
        Ok(())
    }

    /// The most specific route for a host and a path.
    fn first(
        &self,
        host: &str,
        is_meant: impl Fn(&PathPattern) -> bool,
    ) -> Result<&Route, Refusal> {
        let mut host_is_known = false;
        for route in &self.ranked {
            let RouteOptions {
                host: own, path, ..
            } = &route.options;
            if own.as_ref().is_some_and(|pattern| !pattern.matches(host)) {
                continue;
            }
            host_is_known = true;
            if path.as_ref().is_none_or(&is_meant) {
                return Ok(route);
            }
        }
        Err(if host_is_known {
            Refusal::NoRoute
        } else {
            Refusal::WrongHost
        })
    }

    /// Of the routes that somebody behind us may take the path to be for, the one that refuses whatever the others do. No
    /// route at all refuses most.
    fn strictest<'a>(
        &'a self,
        found: &'a Route,
        host: &str,
        path: &str,
    ) -> Result<&'a Route, Refusal> {
        let mut strictest = found;
        let readings = Readings::of(path);
        for reading in readings.iter() {
            let other = self.first(host, |pattern| pattern.covers(reading))?;
            if strictest.covers.contains(&other.class) {
                continue;
            }
            if !other.covers.contains(&strictest.class) {
                return Err(Refusal::AmbiguousPath);
            }
            strictest = other;
        }
        if readings.are_complete() {
            Ok(strictest)
        } else {
            Err(Refusal::AmbiguousPath)
        }
    }
}

/// Tells which routes refuse the same, and which more than others.
fn classified(routes: Vec<RouteOptions>, general: &Layers) -> Vec<Route> {
    let mut classes: Vec<Layers> = Vec::new();
    let class_of = |classes: &mut Vec<Layers>, route: &RouteOptions| {
        let layers = route.layers.as_deref().unwrap_or(general);
        let is_same =
            |known: &Layers| known.is_as_strict_as(layers) && layers.is_as_strict_as(known);
        classes.iter().position(is_same).unwrap_or_else(|| {
            classes.push(layers.clone());
            classes.len() - 1
        })
    };
    let numbered: Vec<_> = routes
        .into_iter()
        .map(|route| (class_of(&mut classes, &route), route))
        .collect();
    let route = |(index, (class, options)): (usize, (usize, RouteOptions))| Route {
        index,
        options,
        class,
        covers: (0..classes.len())
            .filter(|other| classes[class].is_as_strict_as(&classes[*other]))
            .collect(),
    };
    numbered.into_iter().enumerate().map(route).collect()
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
            let routes = Routes::new(options.clone(), &Layers::default());
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
        let routes = Routes::new(vec![route(0, "a.example", "/x")], &Layers::default());
        assert_eq!(find(&routes, "b.example", "/x"), Err(Refusal::WrongHost));
        assert_eq!(find(&routes, "a.example", "/y"), Err(Refusal::NoRoute));
    }

    /// A route whose rules differ from those in general by the network it denies.
    fn denying(target: usize, path: &str, networks: &[&str]) -> RouteOptions {
        let mut layers = Layers::default();
        let networks = networks.iter().map(|text| text.parse().expect("a network"));
        layers.filter.deny = networks.collect();
        RouteOptions {
            layers: Some(Box::new(layers)),
            ..route(target, "", path)
        }
    }

    #[test]
    fn an_odd_spelling_meets_the_strictest_rules_and_goes_where_it_is_written() {
        let options = vec![
            route(0, "", ""),
            denying(1, "/admin", &["192.0.2.1"]),
            denying(2, "/admin/inner", &["192.0.2.1", "192.0.2.2"]),
            denying(3, "/other", &["192.0.2.9"]),
            route(4, "", "/admin/open"),
        ];
        let routes = Routes::new(options, &Layers::default());
        let find = |path: &str| {
            let request = http::Request::builder().uri(path);
            let request = request.body(Body::Empty).expect("a request");
            let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
            let found = routes.find(&mut exchange);
            found.map(|()| (exchange.route.expect("a route"), exchange.target))
        };
        for (path, expected) in [
            ("/", Ok((0, 0))),
            ("/x%20y", Ok((0, 0))),
            ("/admin/x", Ok((1, 1))),
            ("/%61dmin", Ok((1, 1))),
            ("/ADMIN", Ok((1, 0))),
            ("/x/..;/admin", Ok((1, 0))),
            ("/admin%2Fx", Ok((1, 0))),
            ("//x/admin", Ok((1, 0))),
            ("/admin/INNER", Ok((2, 1))),
            ("/admin/x/..;/inner", Ok((2, 1))),
            ("/admin/open", Ok((4, 4))),
            ("/admin/open/..;/x", Ok((1, 4))),
            ("/admin/..;/other", Err(Refusal::AmbiguousPath)),
            ("/admin/../x", Ok((1, 0))),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
    }

    #[test]
    fn no_route_is_the_strictest() {
        let routes = Routes::new(vec![route(0, "", "/app")], &Layers::default());
        for path in ["/app/..;/manager", "/app/%252e%252e/x", "/app/..%2Fx"] {
            assert_eq!(find(&routes, "", path), Err(Refusal::NoRoute), "{path}");
        }
        for path in ["/app", "/app/./x", "/app/x;y", "/app/a%20b"] {
            assert_eq!(find(&routes, "", path), Ok(0), "{path}");
        }
    }
}
