//! A request through the pipeline that the settings make, in memory: every step is the real one, but for an origin that
//! answers at once. Opens nothing, starts nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use http::HeaderMap;
use mainstay_codec::{HeadScan, Limits, parse_request};
use mainstay_config::{AppListen, Settings};
use mainstay_observe::RequestMetrics;
use mainstay_pipeline::{
    Body, Exchange, Origin, Peer, Pipeline, RatePolicy, Recorder, Refusal, Request, Response,
    Scheme, Standing, Step, Target, TargetKind, Trail,
};
use mainstay_supervisor::count;
use mainstay_values::Address;

use super::Asked;
use crate::control::gateway_settings;
use crate::failure::Failure;
use crate::protocol::GatewaySettings;

/// How a request would fare.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    pub(crate) trail: Trail,
    /// Route and target, if it came so far.
    pub(crate) route: Option<(String, Destination)>,
    /// The status, if the app is not the one who decides it.
    pub(crate) status: Option<u16>,
    /// Why it was refused, if it was.
    pub(crate) refusal: Option<&'static str>,
    /// The fields that are set, whatever the app says.
    pub(crate) headers: HeaderMap,
    /// The rate limits that count it, if it comes to them: in the order in which they are asked.
    pub(crate) limits: Vec<RatePolicy>,
}

/// Where a route leads.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) name: String,
    pub(crate) kind: TargetKind,
    /// Workers or servers.
    pub(crate) count: usize,
}

/// Sends the request through.
pub(crate) async fn rehearse(settings: &Settings, asked: &Asked) -> Result<Rehearsal, Failure> {
    let workers: Vec<(String, u32)> = settings
        .apps
        .iter()
        .map(|app| (app.name().to_owned(), count::workers(app.options.workers)))
        .collect();
    let gateway = gateway_settings(settings, &workers, "explain", None);
    let pipeline = pipeline(&gateway, front(settings, asked));
    let mut peer = Peer::plain(IpAddr::V4(Ipv4Addr::LOCALHOST), asked.port);
    if asked.is_https {
        peer.scheme = Scheme::Https;
    }
    let peer = Arc::new(peer);
    let answer = match request(&gateway, asked)? {
        Ok(request) => pipeline.serve(&peer, request, Instant::now()).await,
        Err(refusal) => pipeline.refuse(&peer, refusal, Instant::now()),
    };
    let (response, ending) = answer.into_response();
    let exchange = ending.exchange();
    let is_origins = exchange.origin.is_some();
    let routes = gateway.fronts.get(front(settings, asked));
    let route = routes.zip(exchange.route);
    let route = route.and_then(|(front, route)| front.routes.get(route));
    let target = gateway.targets.get(exchange.target);
    let route = route.zip(target).map(|(route, target)| {
        let destination = Destination {
            name: target.name.clone(),
            kind: target.kind,
            count: target.wanted,
        };
        (route.name.clone(), destination)
    });
    Ok(Rehearsal {
        trail: exchange.trail,
        route,
        status: (!is_origins).then(|| response.status().as_u16()),
        refusal: exchange.refusal.map(Refusal::reason),
        limits: limits(&gateway.front(front(settings, asked)).rate_limits, exchange),
        headers: response.headers().clone(),
    })
}

/// Of what is answered before there is a route, nothing is counted.
fn limits(policies: &[RatePolicy], exchange: &Exchange) -> Vec<RatePolicy> {
    if !exchange.trail.has(Step::Route) {
        return Vec::new();
    }
    let counting = policies.iter().filter(|policy| policy.is_for(exchange));
    let mut counting: Vec<RatePolicy> = counting.cloned().collect();
    counting.sort_by_key(RatePolicy::step);
    counting
}

/// Which addresses it would come in by: those of one app, or the common ones.
fn front(settings: &Settings, asked: &Asked) -> usize {
    let common = usize::from(settings.shared_targets().next().is_some());
    let mut own = settings
        .apps
        .iter()
        .filter(|app| app.listen != AppListen::Shared);
    let of_an_app = asked
        .port
        .and_then(|port| own.position(|app| app.address().and_then(Address::port) == Some(port)));
    of_an_app.map_or(0, |index| common + index)
}

fn pipeline(gateway: &GatewaySettings, front: usize) -> Pipeline<Anybody> {
    let targets = gateway.targets.iter().map(|target| {
        let found = Target::new(target.name.as_str(), target.kind, target.wanted);
        found.set_ready(target.wanted.max(1));
        found
    });
    let standing = Arc::new(Standing::new(targets.collect(), gateway.wait.clone()));
    let options = gateway.front(front);
    let names = options.routes.iter().map(|route| route.name.clone());
    let recorder = Arc::new(Recorder {
        metrics: Arc::new(RequestMetrics::new(options.routes.len())),
        log: None,
        errors: None,
        routes: names.collect(),
    });
    Pipeline::new(
        options,
        &standing,
        Arc::default(),
        recorder,
        Arc::default(),
        Anybody,
    )
}

/// Read by the codec, as the gateway reads it.
fn request(gateway: &GatewaySettings, asked: &Asked) -> Result<Result<Request, Refusal>, Failure> {
    let client = &gateway.proxy.client;
    let limits = Limits {
        head: client.head,
        field: client.field,
        fields: client.fields,
        target: client.target,
        ..Limits::default()
    };
    let mut bytes = BytesMut::from(asked.head(&[]).as_str());
    let head = match HeadScan::default().find_end(&bytes, &limits) {
        Ok(Some(span)) => {
            let head = bytes.split_to(span.end).freeze().slice(span.start..);
            parse_request(head, &limits)
        }
        Ok(None) => return Err(Failure::internal("the request", "its head has no end")),
        Err(refused) => Err(refused),
    };
    Ok(match head {
        Ok(head) => {
            let mut request = Request::new(Body::Empty);
            *request.method_mut() = head.method;
            *request.uri_mut() = head.uri;
            *request.version_mut() = head.version;
            *request.headers_mut() = head.headers;
            Ok(request)
        }
        Err(refused) => Err(Refusal::Codec(refused.status(), refused.reason())),
    })
}

/// An origin that has nothing to say of its own.
struct Anybody;

impl Origin for Anybody {
    async fn respond(&self, exchange: &mut Exchange, _: Request) -> Result<Response, Refusal> {
        exchange.origin = Some("app".into());
        Ok(Response::new(Body::Empty))
    }
}
