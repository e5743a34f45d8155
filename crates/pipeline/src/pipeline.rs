//! The order. Everything that happens to a request happens here, top to bottom.

use std::sync::Arc;
use std::time::Instant;

use http::header::VARY;
use http::{HeaderName, StatusCode};
use mainstay_values::TrustedProxies;
use serde::{Deserialize, Serialize};

use crate::debug::{DEBUG_FIELD, DebugToken};
use crate::layers::PerRoute;
use crate::stages::cache::{self, CACHE_STATUS, Fetch, Found, Meeting, Outcome};
use crate::stages::limit_rate::Turn;
use crate::stages::{
    Admission, Authentication, Cache, Check, Compress, Cors, Filter, Headers, Health, Identify,
    LimitRate, LimitSize, Overload, Pages, Reports, Routes, Scrub, limit_rate,
};
use crate::varies::Varies;
use crate::{
    Body, Connection, Ending, Exchange, Forwarding, HealthOptions, Layers, MaintenanceOptions,
    Notices, Origin, OverloadOptions, PageOptions, Peer, RatePolicy, Recorder, Refresh, Refusal,
    Request, Response, RouteOptions, StandardFields, Standing, Step, Verification,
};

/// What the stages are made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// Whose forwarded headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Probes.
    pub health: HealthOptions,
    /// What holds while an operator has closed the service.
    pub maintenance: MaintenanceOptions,
    /// Bounds on what is under way at once.
    pub overload: OverloadOptions,
    /// The routes; at least one.
    pub routes: Vec<RouteOptions>,
    /// What the layers do where a route says nothing else.
    pub layers: Layers,
    /// Limits on rates, in the order in which they are asked.
    pub rate_limits: Vec<RatePolicy>,
    /// The user's own pages. They do not travel with the rest, since all pipelines of a process have the same.
    #[serde(skip)]
    pub pages: Arc<[PageOptions]>,
    /// Tells this instance from others in `Via`.
    pub instance: String,
    /// Whoever sends it in `Mainstay-Debug` is told how the answer came about. None: nobody is.
    pub debug: Option<DebugToken>,
}

/// One request to one response, in the fixed order.
#[derive(Debug)]
pub struct Pipeline<O> {
    identify: Identify,
    health: Health,
    reports: Reports,
    routes: Routes,
    admission: Admission,
    overload: Overload,
    cors: PerRoute<Cors>,
    limit_rate: LimitRate,
    limit_size: PerRoute<LimitSize>,
    cache: PerRoute<Cache>,
    filter: PerRoute<Filter>,
    authentication: Authentication,
    forwarding: Arc<Forwarding>,
    origin: O,
    scrub: PerRoute<Scrub>,
    pages: Arc<Pages>,
    compress: PerRoute<Compress>,
    headers: PerRoute<Headers>,
    recorder: Arc<Recorder>,
}

/// A response, and what is written down when it has been sent.
#[derive(Debug)]
pub struct Answer {
    /// What the client gets.
    pub response: Response,
    /// And these fields beside the response's own.
    pub standard: Option<StandardFields>,
    /// Dropped when the last byte is sent, or when it is clear that it never will be.
    pub ending: Ending,
    /// To be handed to [`Pipeline::refresh`] beside it, if there is any.
    pub refresh: Option<Box<Refresh>>,
}

impl Answer {
    /// The response with all its fields, for whoever does not write them to a wire.
    pub fn into_response(self) -> (Response, Ending) {
        let Self {
            mut response,
            standard,
            ending,
            refresh: _,
        } = self;
        if let Some(standard) = standard {
            standard.append(ending.exchange(), response.headers_mut());
        }
        (response, ending)
    }
}

impl<O: Origin> Pipeline<O> {
    /// Builds the stages.
    pub fn new(
        options: Options,
        standing: &Arc<Standing>,
        notices: Arc<Notices>,
        recorder: Arc<Recorder>,
        verification: Arc<Verification>,
        origin: O,
    ) -> Self {
        let pages = Arc::new(Pages::new(&options.pages));
        Self {
            reports: Reports::new(&options.layers, &options.routes, Arc::clone(&notices)),
            identify: Identify::new(
                options.trusted_proxies,
                notices,
                options.debug,
                &options.rate_limits,
            ),
            health: Health::new(options.health, Arc::clone(standing)),
            admission: Admission::new(Arc::clone(standing), options.maintenance),
            overload: Overload::new(&options.overload, &options.routes, standing),
            cors: PerRoute::new(&options.layers, &options.routes, |layers| {
                Cors::new(&layers.cors)
            }),
            limit_rate: LimitRate::new(&options.rate_limits, &options.routes, standing),
            limit_size: PerRoute::new(&options.layers, &options.routes, |layers| {
                LimitSize::new(&layers.body)
            }),
            cache: PerRoute::new(&options.layers, &options.routes, |layers| {
                Cache::new(&layers.cache, standing)
            }),
            filter: PerRoute::new(&options.layers, &options.routes, |layers| {
                Filter::new(&layers.filter, standing)
            }),
            authentication: Authentication::new(
                &options.layers,
                &options.routes,
                standing,
                verification,
            ),
            forwarding: Arc::new(Forwarding::new(&options.instance)),
            origin,
            scrub: PerRoute::new(&options.layers, &options.routes, |layers| {
                let (pages, recorder) = (Arc::clone(&pages), Arc::clone(&recorder));
                Scrub::new(layers.errors.clone(), pages, recorder)
            }),
            pages,
            compress: PerRoute::new(&options.layers, &options.routes, |layers| {
                Compress::new(&layers.compress)
            }),
            headers: PerRoute::new(&options.layers, &options.routes, |layers| {
                Headers::new(&layers.headers)
            }),
            routes: Routes::new(options.routes, &options.layers),
            recorder,
        }
    }

    /// Takes a new connection in, which is counted until the value is dropped. None: there are so many that it is to be closed
    /// unheard; of those that are just too many, the requests are refused.
    pub fn connect(&self, peer: &mut Peer) -> Option<Connection> {
        let peer_is_trusted = self.identify.trusts(peer);
        self.overload.connect(peer, peer_is_trusted)
    }

    /// Answers one request. Never fails: a refusal is an answer too.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` would move the request once more before it begins"
    )]
    pub fn serve(
        &self,
        peer: &Arc<Peer>,
        mut request: Request,
        started: Instant,
    ) -> impl Future<Output = Answer> {
        async move {
            let mut ending = self
                .recorder
                .begin(Exchange::begin(peer, &request, started));
            let outcome = self.answer(ending.exchange_mut(), &mut request).await;
            self.leave(ending, outcome)
        }
    }

    /// Answers a request that could not be read, so that pages, headers and record see it too.
    pub fn refuse(&self, peer: &Arc<Peer>, refusal: Refusal, started: Instant) -> Answer {
        let mut ending = self.recorder.begin(Exchange::unread(peer, started));
        self.identify.name(ending.exchange_mut());
        self.leave(ending, Err(refusal))
    }

    /// The way in, and half of the way out. `?` is a no, `return Ok` an answer at once. The request stays where it is until
    /// somebody takes it: it is large, and moving it from step to step would cost more than most of them.
    async fn answer(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<Response, Refusal> {
        self.identify
            .identify(exchange, request, &self.forwarding)?; // 400 508  who asks
        if let Some(report) = self.health.answer(exchange) {
            exchange.note(Step::Health, report.headers());
            return Ok(report);
        }
        if self.reports.are_meant_by(exchange) {
            // boxed: a request that is none carries nothing of it
            let request = std::mem::take(request);
            return Box::pin(self.reports.take(exchange, request)).await; // 400 413 415
        }
        self.routes.find(exchange)?; //                                   421 404  for whom
        self.admission.admit(exchange).await?; //                             503  starting, paused, maintenance
        if self.overload.concerns(exchange) {
            self.overload.enter(exchange).await?; //                           503  more than can be worked on
        }
        exchange.pass(Step::Redirect);
        self.filter
            .of(exchange)
            .check(exchange, request.headers())?; //      403 421 405 404  who may not, and what is not there
        let cors = self.cors.of(exchange);
        if let Some(permit) = cors.answer(exchange, request.headers())? {
            //      403  other sites' pages
            return Ok(permit);
        }
        // before authentication, so that guessing credentials is limited
        self.turn(Step::LimitRate, exchange, request).await?; //         429 403  this client's budget
        let check = self.authentication.check(exchange, request)?; // 401 403 503
        if let Check::Wait(errand) = check {
            // boxed: most requests wait for nobody
            let (forwarding, origin) = (&self.forwarding, &self.origin);
            let finished = self
                .authentication
                .finish(errand, exchange, request, forwarding, origin);
            if let Some(answer) = Box::pin(finished).await? {
                return Ok(answer); //                                          401 403 302  another server's word
            }
        }
        self.turn(Step::LimitIdentity, exchange, request).await?; //     429 403  a verified user's
        self.limit_size.of(exchange).limit(exchange, request)?; //   413
        exchange.pass(Step::Cache);
        self.compress
            .of(exchange)
            .ask(exchange, request.headers_mut());
        let cache = self.cache.of(exchange);
        let mut response = match cache.meet(exchange, request) {
            Meeting::Pass(passage) => {
                let response = self.ask_origin(exchange, request).await?; //       502 503 504  a worker, an upstream
                cache.pass_on(exchange, passage, &response);
                response
            }
            Meeting::Answer(response) => {
                exchange.note(Step::Cache, response.headers());
                response
            }
            // boxed: who has no use for it carries nothing of it
            Meeting::Look(on, search) => {
                Box::pin(self.ask_cache(exchange, request, on, search)).await? //   504  a kept answer, or the origin's
            }
        };
        self.health.fill_in(exchange, &mut response); //                               the app's 404 to a probe
        exchange.note(Step::Health, response.headers());
        let scrub = self.scrub.of(exchange);
        if scrub.concerns(exchange, response.status()) {
            // boxed: few answers come here, and all would carry the room for it
            response = Box::pin(scrub.answer(exchange, response)).await; //            what leaks is replaced
            exchange.note(Step::Scrub, response.headers());
        }
        let compress = self.compress.of(exchange);
        if let Some(coding) = compress.choose(exchange, &response) {
            // boxed: what goes as it is carries nothing of it
            response = Box::pin(compress.encode(exchange, coding, response)).await?; //  502
        }
        Ok(response)
    }

    /// A kept answer, one that another is just fetching, or the origin's, which is perhaps kept.
    async fn ask_cache(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
        on: &cache::On,
        search: cache::Search,
    ) -> Result<Response, Refusal> {
        let cache = self.cache.of(exchange);
        let mut fetch = match on.look(exchange, request, search).await? {
            Found::Answer(response) => {
                exchange.note(Step::Cache, response.headers());
                return Ok(response);
            }
            Found::Fetch(fetch) => fetch,
        };
        loop {
            let outcome = self.ask_origin(exchange, request).await;
            match cache.take(exchange, fetch, outcome)? {
                Outcome::Answer(response) => return Ok(response),
                Outcome::Again(whole, keep) => (*request, fetch) = (whole, Fetch::Keep(keep)),
            }
        }
    }

    /// The origin's answer. Takes the request.
    async fn ask_origin(
        &self,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<Response, Refusal> {
        if !exchange.trail.has(Step::Origin) {
            exchange.pass(Step::Origin);
        }
        Forwarding::prepare(exchange, request.headers_mut());
        self.authentication.guard_trailers(request.body_mut());
        exchange.forwarding = Some(Arc::clone(&self.forwarding));
        let request = std::mem::take(request);
        let response = self.origin.respond(exchange, request).await?;
        exchange.note(Step::Origin, response.headers());
        self.overload.answered(exchange, &response);
        Ok(response)
    }

    /// Fetches a kept answer anew, while an older one is used. There is nobody to tell how it ended.
    pub async fn refresh(&self, refresh: Box<Refresh>) {
        let Refresh {
            mut exchange,
            mut request,
            mut keep,
        } = *refresh;
        let exchange = &mut exchange;
        let cache = self.cache.of(exchange);
        if !cache.may_refresh(exchange, &request, &mut keep).await {
            return;
        }
        let response = loop {
            let outcome = self.ask_origin(exchange, &mut request).await;
            match cache.take(exchange, Fetch::Keep(keep), outcome) {
                Ok(Outcome::Answer(response)) => break response,
                Ok(Outcome::Again(whole, again)) => (request, keep) = (whole, again),
                Err(_) => return,
            }
        };
        // a body is kept when all of it has been read
        if let Body::Stream(mut frames) = response.into_body() {
            while let Some(Ok(_)) = frames.frame().await {}
        }
    }

    /// Takes from a budget, and waits for the request's turn where a policy says so.
    async fn turn(
        &self,
        step: Step,
        exchange: &mut Exchange,
        request: &Request,
    ) -> Result<(), Refusal> {
        match self.limit_rate.take(step, exchange, request.headers())? {
            Turn::Come => Ok(()),
            Turn::Wait(time) => {
                Box::pin(limit_rate::queue(time)).await;
                Ok(())
            }
            // boxed: most have no store, and should not carry what it takes to ask one
            Turn::Ask(policies) => {
                Box::pin(policies.take_together(step, exchange, request.headers())).await
            }
        }
    }

    /// The way out, for answers and refusals alike.
    fn leave(&self, mut ending: Ending, outcome: Result<Response, Refusal>) -> Answer {
        let exchange = ending.exchange_mut();
        exchange.pass(Step::Pages);
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => self.pages.render(exchange, refusal),
        };
        let refused = exchange.refusal.map(Refusal::status);
        if refused == Some(StatusCode::METHOD_NOT_ALLOWED) {
            self.filter.of(exchange).name_methods(&mut response);
        }
        exchange.note(Step::Pages, response.headers());
        limit_rate::conclude(exchange, &mut response);
        self.cors.of(exchange).mark(exchange, &mut response);
        let standard = self.headers.of(exchange).set(exchange, &mut response);
        ending.answered(response.status().as_u16());
        if ending.exchange().account.is_some() {
            self.account(ending.exchange_mut(), standard.as_ref(), &mut response);
        }
        Answer {
            refresh: ending.exchange_mut().refresh.take(),
            response,
            standard,
            ending,
        }
    }
}

impl<O> Pipeline<O> {
    /// Tells how the answer came about. The last thing that is done to it, so that nothing is left out.
    fn account(
        &self,
        exchange: &mut Exchange,
        standard: Option<&StandardFields>,
        response: &mut Response,
    ) {
        let Some(mut account) = exchange.account.take() else {
            return;
        };
        account.note(Step::Headers, response.headers());
        for name in standard.into_iter().flat_map(StandardFields::names) {
            account.sets(name, Step::Headers);
        }
        account.sets(&HeaderName::from_static("x-request-id"), Step::Identify);
        if exchange.varies.has(Varies::ACCEPT_ENCODING) {
            account.sets(&VARY, Step::Compress);
        }
        if exchange.varies.has(Varies::ORIGIN) {
            account.sets(&VARY, Step::Cors);
        }
        if exchange.cache.is_some() {
            account.sets(&CACHE_STATUS, Step::Cache);
        }
        let route = exchange
            .route
            .and_then(|route| self.recorder.routes.get(route));
        let route = route.map(String::as_str);
        if let Some(text) = account.tell(exchange, route) {
            let name = HeaderName::from_static(DEBUG_FIELD);
            response.headers_mut().insert(name, text);
        }
    }
}

#[cfg(test)]
mod tests;
