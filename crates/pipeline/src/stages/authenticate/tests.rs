//! The stage as the pipeline meets it, without origins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use super::credentials::Place;
use super::*;
use crate::layers::Layers;
use crate::{
    Body, Enforcement, Exchange, Forwarding, Identity, Origin, Refusal, Request, Response,
    RouteOptions, Standing, Target, TargetKind, WaitOptions,
};

/// What became of a request: whether it may pass, and what is known then.
struct Met {
    outcome: Result<(), Refusal>,
    /// The status of an answer that takes the place of the app's.
    instead: Option<u16>,
    exchange: Exchange,
    /// As the origin would get it.
    request: Request,
}

impl Met {
    fn user(&self) -> Option<&str> {
        self.exchange
            .identity
            .as_deref()
            .map(|identity: &Identity| &*identity.name)
    }

    fn reason(&self) -> Option<(u16, &'static str)> {
        let refusal = self.outcome.err()?;
        Some((refusal.status().as_u16(), refusal.reason()))
    }
}

/// `anna` with the password `geheim`, and the key `mk_partner`.
fn options() -> AuthOptions {
    let hash = bcrypt::hash("geheim", 4).expect("a hash");
    let key = KeyOptions {
        id: "billing".to_owned(),
        hash: KeyHash::of(b"mk_partner"),
        labels: vec!["partner".to_owned()],
    };
    AuthOptions {
        users: [("anna".to_owned(), hash.parse().expect("a hash"))].into(),
        keys: vec![key],
        user_header: Some("x-user".to_owned()),
        ..AuthOptions::default()
    }
}

fn authentication(auth: AuthOptions) -> Authentication {
    let layers = Layers {
        auth,
        ..Layers::default()
    };
    of(&layers, &[RouteOptions::everything(0)])
}

fn of(layers: &Layers, routes: &[RouteOptions]) -> Authentication {
    let targets = ["api", "sso"].map(|name| Target::new(name, TargetKind::Upstream, 1));
    let standing = Standing::new(targets.into(), WaitOptions::default());
    Authentication::new(layers, routes, &standing, Arc::default())
}

/// Whoever is asked who comes: says what its request's `x-say` wants, and what it was asked.
struct Sso;

impl Origin for Sso {
    async fn respond(
        &self,
        exchange: &mut Exchange,
        request: Request,
    ) -> Result<Response, Refusal> {
        assert_eq!(exchange.target, 1, "the one that is asked");
        let say = request.headers().get("x-say");
        let say = say.map_or("", |say| say.to_str().expect("text"));
        if say == "nothing" {
            return std::future::pending().await;
        }
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = say.parse().map_err(|_| Refusal::OriginGone)?;
        let headers = response.headers_mut();
        headers.insert("remote-user", HeaderValue::from_static("anna"));
        headers.insert(
            "location",
            HeaderValue::from_static("https://login.example/"),
        );
        for name in [
            "x-forwarded-method",
            "x-original-uri",
            "cookie",
            "range",
            "content-length",
        ] {
            if let Some(value) = request.headers().get(name) {
                headers.append("x-asked", value.clone());
            }
        }
        Ok(response)
    }
}

async fn ask(
    authentication: &Authentication,
    fields: &[(&'static str, &str)],
    target: &str,
) -> Met {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = target.parse().expect("a target");
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().append(*name, value);
    }
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    exchange.route = Some(0);
    let mut instead = None;
    let outcome = match authentication.check(&mut exchange, &mut request) {
        Ok(Check::Wait(errand)) => {
            let forwarding = Arc::new(Forwarding::new("test"));
            let finished =
                authentication.finish(errand, &mut exchange, &mut request, &forwarding, &Sso);
            finished.await.map(|answer| instead = answer)
        }
        Ok(Check::Pass) => Ok(()),
        Err(refusal) => Err(refusal),
    };
    Forwarding::prepare(&mut exchange, request.headers_mut());
    Met {
        outcome,
        instead: instead.map(|answer| answer.status().as_u16()),
        exchange,
        request,
    }
}

const ANNA: (&str, &str) = ("authorization", "Basic YW5uYTpnZWhlaW0=");
const KEY: (&str, &str) = ("x-api-key", "mk_partner");

#[tokio::test]
async fn whoever_is_verified_passes_and_the_app_is_told() {
    let authentication = authentication(options());
    for (fields, target, user) in [
        (&[ANNA][..], "/", "anna"),
        (&[ANNA], "/", "anna"), // remembered
        (&[KEY], "/", "billing"),
        (&[("authorization", "Bearer mk_partner")], "/", "billing"),
    ] {
        let met = ask(&authentication, fields, target).await;
        assert_eq!((met.reason(), met.user()), (None, Some(user)), "{fields:?}");
        assert_eq!(met.request.headers()["x-user"], user);
        let (name, _) = fields[0];
        assert!(
            met.request.headers().contains_key(name),
            "the app sees it too"
        );
    }
}

#[tokio::test]
async fn whoever_is_not_is_asked_to() {
    let authentication = authentication(options());
    for (fields, reason) in [
        (&[][..], "no_credentials"),
        (
            &[("authorization", "Basic YW5uYTp3cm9uZw==")],
            "wrong_password",
        ),
        (
            &[("authorization", "Basic b3R0bzpnZWhlaW0=")],
            "wrong_password",
        ),
        (&[("authorization", "Basic !")], "credentials_malformed"),
        (
            &[ANNA, ("authorization", "Basic eDp5")],
            "credentials_twice",
        ),
        (&[("x-api-key", "mk_other")], "wrong_key"),
        // a wrong key is not made good by a right password
        (&[("x-api-key", "mk_other"), ANNA], "wrong_key"),
    ] {
        let met = ask(&authentication, fields, "/").await;
        assert_eq!(met.reason(), Some((401, reason)), "{fields:?}");
        assert_eq!(met.user(), None);
        assert_eq!(met.exchange.challenges.len(), 2, "Basic and Bearer");
    }
}

#[tokio::test]
async fn nobody_makes_up_who_they_are() {
    let told = |met: &Met| {
        let names = met.request.headers().keys();
        names.filter(|name| name.as_str().contains("user")).count()
    };
    let forged = [
        ("x-user", "root"),
        ("x_user", "root"),
        KEY,
        // asks for the field to be dropped on the way
        ("connection", "x-user"),
    ];
    let met = ask(&authentication(options()), &forged, "/").await;
    assert_eq!(met.request.headers()["x-user"], "billing");
    assert_eq!(told(&met), 1);

    // on a route that asks nobody, too: the app is the same
    let layers = Layers {
        auth: options(),
        ..Layers::default()
    };
    let open = RouteOptions {
        layers: Some(Box::default()),
        ..RouteOptions::everything(0)
    };
    let authentication = of(&layers, &[open]);
    let met = ask(&authentication, &forged, "/").await;
    assert_eq!((met.reason(), met.user(), told(&met)), (None, None, 0));
}

#[tokio::test]
async fn some_are_verified_and_may_not_come() {
    let mut auth = options();
    auth.only = vec!["partner".to_owned()];
    let authentication = authentication(auth);
    let met = ask(&authentication, &[KEY], "/").await;
    assert_eq!(met.user(), Some("billing"));
    let met = ask(&authentication, &[ANNA], "/").await;
    assert_eq!(met.reason(), Some((403, "not_allowed")));
    assert!(met.exchange.challenges.is_empty());
}

#[tokio::test]
async fn credentials_can_be_kept_from_the_app() {
    let mut auth = options();
    auth.credentials = Seen::ByNobody;
    auth.key_query = Some("api_key".to_owned());
    let authentication = authentication(auth);
    for (fields, target) in [
        (&[ANNA][..], "/a?b=1"),
        (&[KEY], "/a?b=1"),
        (&[], "/a?api_key=mk_partner&b=1"),
    ] {
        let met = ask(&authentication, fields, target).await;
        assert_eq!(met.reason(), None, "{fields:?}");
        let mut headers = HeaderMap::clone(met.request.headers());
        headers.remove("x-user");
        assert!(headers.is_empty(), "{headers:?}");
        assert_eq!(met.request.uri(), "/a?b=1");
    }
}

#[tokio::test]
async fn a_dry_run_lets_everybody_pass_and_notes_who_would_not() {
    let mut auth = options();
    auth.enforcement = Enforcement::DryRun;
    let authentication = authentication(auth);
    let met = ask(&authentication, &[("x-user", "root")], "/").await;
    assert_eq!((met.reason(), met.user()), (None, None));
    let spared = met
        .exchange
        .spared
        .map(|(step, refusal)| (step.name(), refusal.reason()));
    assert_eq!(spared, Some(("authenticate", "no_credentials")));
    assert!(!met.request.headers().contains_key("x-user"));
    assert!(met.exchange.challenges.is_empty());
}

#[tokio::test]
async fn ways_that_are_left_out_do_not_count() {
    let mut auth = options();
    auth.accept = vec![AuthMethod::Basic];
    let met = ask(&authentication(auth), &[KEY], "/").await;
    assert_eq!(met.reason(), Some((401, "no_credentials")));
    // what is accepted is not set up: nobody may come, rather than everybody
    let mut auth = options();
    auth.accept = vec![AuthMethod::Basic];
    auth.users.clear();
    let met = ask(&authentication(auth), &[KEY], "/").await;
    assert_eq!(met.reason(), Some((401, "no_credentials")));
    let met = ask(&authentication(AuthOptions::default()), &[], "/").await;
    assert_eq!((met.reason(), met.user()), (None, None));
}

#[test]
fn what_is_waited_for_is_small_where_nobody_waits() {
    // both are locals of every request's future
    assert!(size_of::<Check>() <= 64 && size_of::<Place>() == 1);
}

/// `sso` is asked.
fn asking() -> Authentication {
    authentication(AuthOptions {
        forward: Some(ForwardOptions {
            to: "sso".to_owned(),
            path: "/verify?x=1".to_owned(),
            timeout: Duration::from_secs(5),
            copy: vec!["Remote-User".to_owned(), "x-asked".to_owned()],
            user: Some("remote-user".to_owned()),
        }),
        ..AuthOptions::default()
    })
}

#[tokio::test(start_paused = true)]
async fn another_servers_word_holds() {
    let asking = asking();
    let says = async |say| {
        let fields = [
            ("x-say", say),
            ("remote_user", "root"),
            ("x-forwarded-method", "DELETE"),
            ("cookie", "session=1"),
            ("range", "bytes=0-"),
            ("content-length", "5"),
        ];
        ask(&asking, &fields, "/a?b=c").await
    };
    let met = says("204").await;
    assert_eq!(
        (met.reason(), met.instead, met.user()),
        (None, None, Some("anna"))
    );
    let told: Vec<_> = met.request.headers().get_all("x-asked").iter().collect();
    assert_eq!(told, ["GET", "/a?b=c", "session=1"]);
    assert_eq!(met.request.headers()["remote-user"], "anna");
    assert!(!met.request.headers().contains_key("remote_user"));
    // what the client sent to the app goes there still
    assert_eq!(met.request.headers()["content-length"], "5");
    for status in ["401", "403", "302"] {
        let met = says(status).await;
        assert_eq!(met.instead, status.parse().ok());
        assert_eq!((met.reason(), met.user()), (None, None));
    }
    // neither yes nor no, an error, and silence
    for say in ["404", "500", "304", "gone", "nothing"] {
        let met = says(say).await;
        assert_eq!(met.reason(), Some((503, "auth_unavailable")), "{say}");
    }
}

#[tokio::test]
async fn who_guesses_too_often_is_told_to_wait() {
    let authentication = authentication(options());
    let wrong = [("authorization", "Basic YW5uYTp3cm9uZw==")];
    for _ in 0..10 {
        let met = ask(&authentication, &wrong, "/").await;
        assert_eq!(met.reason(), Some((401, "wrong_password")));
    }
    for fields in [&wrong[..], &[ANNA]] {
        let met = ask(&authentication, fields, "/").await;
        assert_eq!(met.reason(), Some((429, "rate_limited")), "{fields:?}");
        let retry_after = met.outcome.expect_err("a refusal").retry_after();
        assert!(retry_after.is_some_and(|seconds| (1..=300).contains(&seconds)));
    }
    // keys cannot be guessed, and whoever shows nothing guesses nothing
    let met = ask(&authentication, &[KEY], "/").await;
    assert_eq!(met.user(), Some("billing"));
    let met = ask(&authentication, &[], "/").await;
    assert_eq!(met.reason(), Some((401, "no_credentials")));
}

#[tokio::test]
async fn who_was_right_before_is_not_told_to_wait() {
    let authentication = authentication(options());
    assert_eq!(ask(&authentication, &[ANNA], "/").await.reason(), None);
    let wrong = [("authorization", "Basic YW5uYTp3cm9uZw==")];
    for _ in 0..12 {
        let _ = ask(&authentication, &wrong, "/").await;
    }
    assert_eq!(
        ask(&authentication, &[ANNA], "/").await.user(),
        Some("anna")
    );
}
