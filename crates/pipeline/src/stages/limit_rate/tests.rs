use std::sync::Arc;
use std::time::Instant;

use http::{Method, Request};
use tokio::time::advance;

use super::*;
use crate::{Body, Identity, IdentityKind, Peer, WaitOptions};

fn policy(name: &str, rate: &str) -> RatePolicy {
    RatePolicy::new(name, rate.parse().expect("a rate"))
}

fn limits(policies: &[RatePolicy]) -> LimitRate {
    let standing = Standing::new(Vec::new(), WaitOptions::default());
    let routes = [RouteOptions::everything(0)];
    LimitRate::new(policies, &routes, &standing)
}

fn request(line: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder()
        .method(method.parse::<Method>().expect("a method"))
        .uri(path)
        .header("host", "api.example.com");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::Empty).expect("a request")
}

fn exchange(request: &Request<Body>, client: &str) -> Exchange {
    let peer = Arc::new(Peer::plain(client.parse().expect("an address"), None));
    Exchange::begin(&peer, request, Instant::now())
}

/// The status that one more request of this client gets.
fn ask(limits: &LimitRate, client: &str, line: &str) -> u16 {
    answer(limits, client, line, 200).0
}

/// The same, where the app answers with `app`; and what is told beside.
fn answer(limits: &LimitRate, client: &str, line: &str, app: u16) -> (u16, HeaderMap) {
    let request = request(line, &[]);
    let mut exchange = exchange(&request, client);
    let taken = limits.take(Step::LimitRate, &mut exchange, request.headers());
    let status = taken.map_or_else(|refusal| refusal.status().as_u16(), |_| app);
    let mut response = http::Response::new(Body::Empty);
    *response.status_mut() = status.try_into().expect("a status");
    conclude(&mut exchange, &mut response);
    // as it is done with the last fields
    if let Some(quota) = exchange.quota.take() {
        quota.tell(response.headers_mut());
    }
    (status, response.headers().clone())
}

const ONE: &str = "203.0.113.1";
const OTHER: &str = "203.0.113.2";

#[tokio::test(start_paused = true)]
async fn clients_have_budgets_of_their_own_that_come_back() {
    let limits = limits(&[policy("all", "2/m")]);
    assert_eq!(
        [ONE; 3].map(|ip| ask(&limits, ip, "GET /")),
        [200, 200, 429]
    );
    assert_eq!(ask(&limits, OTHER, "GET /"), 200);
    advance(Duration::from_secs(121)).await;
    assert_eq!(ask(&limits, ONE, "GET /"), 200);
}

#[tokio::test(start_paused = true)]
async fn no_spelling_evades_a_policy() {
    let mut login = policy("login", "1/h");
    login.requests = vec![
        "POST api.example.com/auth/login"
            .parse()
            .expect("a pattern"),
    ];
    let limits = limits(&[login]);
    assert_eq!(ask(&limits, ONE, "POST /auth/login"), 200);
    for path in [
        "/auth/login",
        "/AUTH/Login",
        "/auth//login",
        "/auth/./login",
        "/auth/x/../login",
        "/auth%2Flogin",
        "/%61uth/login",
        "/auth;x=1/login",
        "/auth/login/",
        "/auth/login?x=1",
    ] {
        assert_eq!(ask(&limits, ONE, &format!("POST {path}")), 429, "{path}");
    }
    assert_eq!(ask(&limits, ONE, "GET /auth/login"), 200);
    assert_eq!(ask(&limits, ONE, "POST /authlogin"), 200);
}

#[tokio::test(start_paused = true)]
async fn successes_may_cost_nothing_and_failures_too() {
    let mut failures = policy("failures", "2/h");
    failures.skip.successful = true;
    let all = limits(&[failures.clone()]);
    let mut statuses = Vec::new();
    for app in [200, 302, 200, 401, 204, 401, 401, 200] {
        statuses.push(answer(&all, ONE, "POST /", app).0);
    }
    assert_eq!(statuses, [200, 302, 200, 401, 204, 401, 429, 429]);

    let mut successes = policy("successes", "1/h");
    successes.skip.failed = true;
    let limits = limits(&[successes]);
    let mut statuses = Vec::new();
    for app in [500, 404, 200, 200] {
        statuses.push(answer(&limits, ONE, "GET /", app).0);
    }
    assert_eq!(statuses, [500, 404, 200, 429]);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_has_failed() {
    let mut failed = policy("failed", "1/h");
    failed.skip.failed = true;
    let limits = limits(&[failed]);
    let request = request("GET /", &[]);
    let mut first = exchange(&request, ONE);
    assert!(
        limits
            .take(Step::LimitRate, &mut first, request.headers())
            .is_ok()
    );
    drop(first);
    assert_eq!(ask(&limits, ONE, "GET /"), 200);
}

#[tokio::test(start_paused = true)]
async fn lists_go_before_counting() {
    let mut listed = policy("listed", "1/h");
    listed.allow = vec!["10.0.0.0/8".parse().expect("listed")];
    listed.deny = vec![
        "192.0.2.0/24".parse().expect("listed"),
        "key:203.0.113.2".parse().expect("listed"),
    ];
    let limits = limits(&[listed]);
    for (client, statuses) in [
        ("10.1.2.3", [200, 200]),
        ("192.0.2.9", [403, 403]),
        (OTHER, [403, 403]),
        (ONE, [200, 429]),
    ] {
        assert_eq!(
            [(); 2].map(|()| ask(&limits, client, "GET /")),
            statuses,
            "{client}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_and_tells_nobody_but_the_log() {
    let mut dry = policy("dry", "1/h");
    dry.enforcement = Enforcement::DryRun;
    let limits = limits(&[dry]);
    assert_eq!([(); 3].map(|()| ask(&limits, ONE, "GET /")), [200; 3]);
    let request = request("GET /", &[]);
    let mut fourth = exchange(&request, ONE);
    assert!(
        limits
            .take(Step::LimitRate, &mut fourth, request.headers())
            .is_ok()
    );
    let spared = fourth
        .spared
        .map(|(step, refusal)| (step, refusal.reason()));
    assert_eq!(spared, Some((Step::LimitRate, "rate_limited")));
    assert!(answer(&limits, ONE, "GET /", 200).1.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_nearest_budget_is_told() {
    let mut small = policy("small", "3/h");
    small.requests = vec!["/api".parse().expect("a pattern")];
    let limits = limits(&[policy("large", "5/h"), small]);
    let told = |path: &str| {
        let (_, headers) = answer(&limits, ONE, path, 200);
        headers["ratelimit"]
            .to_str()
            .expect("text")
            .split("; t=")
            .next()
            .map(str::to_owned)
    };
    assert_eq!(told("GET /").as_deref(), Some("\"large\"; r=4"));
    assert_eq!(told("GET /api").as_deref(), Some("\"small\"; r=2"));
    assert_eq!(told("GET /").as_deref(), Some("\"large\"; r=2"));
    assert_eq!(told("GET /api").as_deref(), Some("\"small\"; r=1"));
    // the refusal tells of the budget that refused
    for _ in 0..3 {
        ask(&limits, ONE, "GET /");
    }
    assert_eq!(told("GET /api").as_deref(), Some("\"large\"; r=0"));
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_turns() {
    let mut nginx = policy("nginx", "10/s");
    (nginx.algorithm, nginx.burst, nginx.delay) = (Algorithm::TokenBucket, 2, Some(0));
    let limits = limits(&[nginx]);
    let begin = tokio::time::Instant::now();
    let mut turns = Vec::new();
    for _ in 0..3 {
        let request = request("GET /", &[]);
        let mut exchange = exchange(&request, ONE);
        turns.push(
            limits
                .take(Step::LimitRate, &mut exchange, request.headers())
                .expect("it passes"),
        );
    }
    assert_eq!(ask(&limits, ONE, "GET /"), 429);
    let mut waited = Vec::new();
    for turn in turns {
        match turn {
            Turn::Come => {}
            Turn::Wait(time) => queue(time.saturating_sub(begin.elapsed())).await,
            Turn::Ask(_) => panic!("nobody else counts"),
        }
        waited.push(begin.elapsed().as_millis());
    }
    // the runtime's clock has milliseconds
    assert_eq!(waited[0], 0);
    assert!(
        (100..=101).contains(&waited[1]) && (200..=201).contains(&waited[2]),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn probes_are_never_turned_away() {
    let limits = limits(&[policy("all", "1/h")]);
    assert_eq!([(); 2].map(|()| ask(&limits, ONE, "GET /")), [200, 429]);
    let request = request("GET /health", &[]);
    let mut probe = exchange(&request, ONE);
    probe.is_probe = true;
    assert!(
        limits
            .take(Step::LimitRate, &mut probe, request.headers())
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn verified_users_have_budgets_wherever_they_come_from() {
    let mut users = policy("users", "1/h");
    users.key = vec![KeyPart::User];
    let limits = limits(&[users]);
    let ask = |name: &str, client: &str| {
        let request = request("GET /", &[]);
        let mut exchange = exchange(&request, client);
        exchange.identity = Some(Arc::new(Identity::named(IdentityKind::Token, name)));
        assert!(
            limits
                .take(Step::LimitRate, &mut exchange, request.headers())
                .is_ok()
        );
        limits
            .take(Step::LimitIdentity, &mut exchange, request.headers())
            .is_ok()
    };
    assert!(ask("ann", ONE));
    assert!(!ask("ann", OTHER));
    assert!(ask("bob", OTHER));
}

#[tokio::test(start_paused = true)]
async fn settings_that_change_keep_the_counts_of_policies_that_stay() {
    let standing = Standing::new(Vec::new(), WaitOptions::default());
    let routes = [RouteOptions::everything(0)];
    let before = LimitRate::new(
        &[policy("a", "2/h"), policy("b", "9/h")],
        &routes,
        &standing,
    );
    assert_eq!([(); 2].map(|()| ask(&before, ONE, "GET /")), [200; 2]);
    let standing = standing.succeed(Vec::new(), WaitOptions::default());
    let mut longer = policy("b", "9/m");
    longer.burst = 3;
    let after = LimitRate::new(&[longer, policy("a", "3/h")], &routes, &standing);
    assert_eq!([(); 2].map(|()| ask(&after, ONE, "GET /")), [200, 429]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_how_policies_stand_and_forgives() {
    let standing = Standing::new(Vec::new(), WaitOptions::default());
    let mut strict = policy("strict", "1/h");
    strict.ban = Some(BanOptions {
        after: 2,
        lasts: Duration::from_hours(1),
    });
    let policies = [strict, policy("loose", "100/h")];
    let limits = LimitRate::new(&policies, &[RouteOptions::everything(0)], &standing);
    for _ in 0..4 {
        ask(&limits, ONE, "GET /");
    }
    ask(&limits, "2001:db8:1:2ff::1", "GET /");
    let operator = RatePolicies::new(&policies, standing.rates().clone());
    let states = operator.states(std::slice::from_ref(&(0..RateTable::words())));
    assert_eq!(
        (&*states[0].name, states[0].refused, states[0].bans),
        ("strict", 3, 1)
    );
    assert_eq!(
        (states[0].keys, states[0].exhausted, states[0].banned),
        (2, 1, 1)
    );
    assert_eq!((states[1].refused, states[1].keys), (0, 2));
    assert_eq!(operator.forget(Some("loose"), OTHER), Vec::<String>::new());
    assert_eq!(operator.forget(None, ONE), ["strict", "loose"]);
    assert_eq!(
        operator.forget(Some("strict"), "2001:db8:1:200::/56"),
        ["strict"]
    );
    assert_eq!(ask(&limits, ONE, "GET /"), 200);
}

/// A store that says what it is told to.
#[derive(Debug)]
struct Store(Option<SharedAnswer>);

impl SharedBudgets for Store {
    fn take(&self, _: &Arc<SharedBudget>, _: &SharedKey, _: u32) -> SharedTurn {
        let answer = self.0;
        SharedTurn::Later(Box::pin(async move { answer }))
    }

    fn give_back(&self, _: &Arc<SharedBudget>, _: &SharedKey, _: u32) {}
}

async fn ask_together(limits: &LimitRate) -> (Result<(), Refusal>, HeaderMap) {
    let request = request("GET /", &[]);
    let mut exchange = exchange(&request, ONE);
    let taken = match limits.take(Step::LimitRate, &mut exchange, request.headers()) {
        Ok(Turn::Ask(policies)) => {
            let take = policies.take_together(Step::LimitRate, &mut exchange, request.headers());
            take.await
        }
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal),
    };
    let mut response = http::Response::new(Body::Empty);
    conclude(&mut exchange, &mut response);
    // as it is done with the last fields
    if let Some(quota) = exchange.quota.take() {
        quota.tell(response.headers_mut());
    }
    (taken, response.headers().clone())
}

fn limits_with(policy: RatePolicy, store: Option<SharedAnswer>) -> LimitRate {
    let standing = Standing::new(Vec::new(), WaitOptions::default());
    let standing = standing.with_budgets(Some(Arc::new(Store(store))));
    LimitRate::new(&[policy], &[RouteOptions::everything(0)], &standing)
}

#[tokio::test(start_paused = true)]
async fn a_store_has_the_word_and_without_one_the_policy_says_what_holds() {
    let limited = Err(Refusal::RateLimited { retry_after: 40 });
    let says = |passes| {
        Some(SharedAnswer {
            passes,
            remaining: 7,
            reset: Duration::from_secs(30),
            wait: Duration::from_secs(40),
        })
    };
    // the second request is one too many for this machine alone
    let local = Err(Refusal::RateLimited { retry_after: 60 });
    for (without, store, first, second) in [
        (WithoutStore::Local, says(true), Ok(()), Ok(())),
        (WithoutStore::Local, says(false), limited, limited),
        (WithoutStore::Open, says(false), limited, limited),
        (WithoutStore::Local, None, Ok(()), local),
        (WithoutStore::Open, None, Ok(()), Ok(())),
        (
            WithoutStore::Closed,
            None,
            Err(Refusal::StoreAway),
            Err(Refusal::StoreAway),
        ),
    ] {
        let mut one = policy("all", "1/m");
        (one.algorithm, one.without_store) = (Algorithm::FixedWindow, without);
        let limits = limits_with(one, store);
        let (asked, told) = ask_together(&limits).await;
        assert_eq!(asked, first, "{without:?} {store:?}");
        if store.is_some() {
            let told = told.get("ratelimit").and_then(|value| value.to_str().ok());
            assert!(told.is_some_and(|told| told.contains("r=7")), "{told:?}");
        }
        assert_eq!(
            ask_together(&limits).await.0,
            second,
            "{without:?} {store:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_apart_asks_no_store() {
    let mut apart = policy("all", "1/m");
    apart.sharing = Sharing::Machine;
    let mut dry = policy("all", "1/m");
    dry.enforcement = Enforcement::DryRun;
    for policy in [apart, dry] {
        let limits = limits_with(policy, None);
        let request = request("GET /", &[]);
        let mut exchange = exchange(&request, ONE);
        let turn = limits.take(Step::LimitRate, &mut exchange, request.headers());
        assert!(matches!(turn, Ok(Turn::Come)));
    }
}
