//! The cache in the whole pipeline, in memory. Time is what a request says that it began at.

mod cases;
mod company;
mod model;
mod oracle;
mod safety;
mod tags;
mod weight;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use mainstay_observe::RequestMetrics;
use mainstay_values::TrustedProxies;

use super::*;
use crate::{
    Body, Exchange, HealthOptions, Layers, MaintenanceOptions, Options, Origin, OverloadOptions,
    Peer, Pipeline, Recorder, Refusal, Request, Response, RouteOptions, Standing, Target,
    TargetKind, WaitOptions,
};

/// An origin that is a function.
pub(super) struct Scripted(Box<Answering>);

type Answering = dyn Fn(&Request) -> Result<Response, Refusal>;

impl Origin for Scripted {
    async fn respond(
        &self,
        exchange: &mut Exchange,
        request: Request,
    ) -> Result<Response, Refusal> {
        exchange.origin = Some("scripted".into());
        (self.0)(&request)
    }
}

pub(super) fn on() -> CacheOptions {
    CacheOptions {
        state: CacheState::On,
        ..CacheOptions::default()
    }
}

pub(super) fn standing() -> Arc<Standing> {
    let standing = Standing::new(
        vec![Target::new("api", TargetKind::App, 1)],
        WaitOptions::default(),
    );
    standing.set_ready(0, 1);
    Arc::new(standing)
}

pub(super) fn pipeline_of<O: Origin>(
    standing: &Arc<Standing>,
    cache: CacheOptions,
    origin: O,
) -> Pipeline<O> {
    let options = Options {
        trusted_proxies: TrustedProxies::none(),
        health: HealthOptions::default(),
        maintenance: MaintenanceOptions::default(),
        overload: OverloadOptions::default(),
        routes: vec![RouteOptions::everything(0)],
        rate_limits: Vec::new(),
        layers: Layers {
            cache,
            ..Layers::default()
        },
        pages: Arc::default(),
        instance: "test".to_owned(),
        debug: None,
    };
    let recorder = Arc::new(Recorder {
        metrics: Arc::new(RequestMetrics::new(1)),
        log: None,
        errors: None,
        routes: Arc::from(["all".to_owned()]),
    });
    let (notices, verification) = (Arc::default(), Arc::default());
    Pipeline::new(options, standing, notices, recorder, verification, origin)
}

/// A pipeline, and what its origin was asked.
pub(super) struct World {
    pub(super) pipeline: Pipeline<Scripted>,
    pub(super) standing: Arc<Standing>,
    pub(super) asked: Rc<RefCell<Vec<Request>>>,
    began: Instant,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
    pub(super) word: &'static str,
    pub(super) refresh: Option<Box<Refresh>>,
}

impl Came {
    pub(super) fn field(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map_or("", |value| value.expect("text"))
    }
}

impl World {
    /// An origin that answers by this function of the request and of how many came before it.
    pub(super) fn new(
        options: CacheOptions,
        origin: impl Fn(&Request, usize) -> Result<Response, Refusal> + 'static,
    ) -> Self {
        let asked = Rc::<RefCell<Vec<Request>>>::default();
        let seen = Rc::clone(&asked);
        let respond = move |request: &Request| {
            let number = seen.borrow().len();
            let mut copy = Request::new(Body::Empty);
            *copy.headers_mut() = request.headers().clone();
            *copy.uri_mut() = request.uri().clone();
            *copy.method_mut() = request.method().clone();
            seen.borrow_mut().push(copy);
            origin(request, number)
        };
        let standing = standing();
        let pipeline = pipeline_of(&standing, options, Scripted(Box::new(respond)));
        Self {
            pipeline,
            standing,
            asked,
            began: Instant::now() + Duration::from_secs(1_000),
        }
    }

    /// Asks, so many seconds after the beginning.
    pub(super) async fn ask(&self, at: u64, request: Request) -> Came {
        let peer = Arc::<Peer>::default();
        let started = self.began + Duration::from_secs(at);
        let mut answer = self.pipeline.serve(&peer, request, started).await;
        let refresh = answer.refresh.take();
        let word = answer
            .ending
            .exchange()
            .cache()
            .map(|(outcome, _)| outcome.word());
        let (response, _ending) = answer.into_response();
        let (parts, body) = response.into_parts();
        Came {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: read(body)
                .await
                .unwrap_or_else(|broken| format!("{broken:?}")),
            word: word.unwrap_or("refused"),
            refresh,
        }
    }

    pub(super) async fn get(&self, at: u64, fields: &[(&'static str, &str)]) -> Came {
        self.ask(at, get("/", fields)).await
    }

    pub(super) fn count(&self) -> usize {
        self.asked.borrow().len()
    }
}

/// All of a body.
pub(super) async fn read(body: Body) -> Result<String, crate::BodyBroken> {
    let mut whole = Vec::new();
    match body {
        Body::Empty => {}
        Body::Full(bytes) => whole.extend_from_slice(&bytes),
        Body::Stream(mut frames) => {
            while let Some(frame) = frames.frame().await {
                if let crate::Frame::Data(piece) = frame? {
                    whole.extend_from_slice(&piece);
                }
            }
        }
    }
    Ok(String::from_utf8_lossy(&whole).into_owned())
}

pub(super) fn get(path: &str, fields: &[(&'static str, &str)]) -> Request {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = path.parse().expect("a path");
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("a.example"));
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).expect("a value");
        request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    request
}

/// An answer with these fields, and its number as body. A field `:status` is none.
pub(super) fn answer(fields: &[(&'static str, &str)], number: usize) -> Response {
    let mut response = Response::new(Body::from(format!("answer {number}")));
    for (name, value) in fields {
        if *name == ":status" {
            *response.status_mut() = value.parse().expect("a status");
            continue;
        }
        let value = HeaderValue::from_str(value).expect("a value");
        response
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    response
}
