//! A second opinion: the crate `http-cache-semantics`.

use std::time::SystemTime;

use http::{Method, StatusCode};
use http_cache_semantics::{BeforeRequest, CachePolicy};
use proptest::prelude::*;

use super::super::directives::Asked;
use super::super::terms::{self, Sender, Times};
use super::super::usage::{self, Standing, Usage};
use super::*;

/// What both know. `proxy-revalidate` is not among it: the other never uses such an answer, which RFC 9111, 5.2.2.8 does not ask.
fn said() -> impl Strategy<Value = String> {
    let directive = prop_oneof![
        Just("public".to_owned()),
        Just("private".to_owned()),
        Just("no-store".to_owned()),
        Just("no-cache".to_owned()),
        Just("must-revalidate".to_owned()),
        (0_u32..100).prop_map(|seconds| format!("max-age={seconds}")),
        (0_u32..100).prop_map(|seconds| format!("s-maxage={seconds}")),
        (0_u32..100).prop_map(|seconds| format!("stale-if-error={seconds}")),
    ];
    proptest::collection::vec(directive, 0..5).prop_map(|all| all.join(", "))
}

fn asked() -> impl Strategy<Value = String> {
    let directive = prop_oneof![
        Just("no-cache".to_owned()),
        Just("max-stale".to_owned()),
        (0_u32..100).prop_map(|seconds| format!("max-age={seconds}")),
        (0_u32..100).prop_map(|seconds| format!("min-fresh={seconds}")),
        (0_u32..100).prop_map(|seconds| format!("max-stale={seconds}")),
    ];
    proptest::collection::vec(directive, 0..3).prop_map(|all| all.join(", "))
}

/// Whether no directive stands there twice.
fn names_differ(text: &str) -> bool {
    let names: Vec<&str> = text
        .split(", ")
        .filter_map(|one| one.split('=').next())
        .collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() == names.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever we use without asking, the other would use too.
    #[test]
    fn nothing_is_used_that_another_would_not(
        said in said(),
        asked in asked(),
        is_authorized: bool,
        old in 0_u32..50,
        seconds in 0_u64..150,
        status in prop_oneof![Just(200_u16), Just(203), Just(301), Just(404), Just(302), Just(500)],
    ) {
        let came = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let status = StatusCode::from_u16(status).expect("a status");
        let mut response = answer(&[("cache-control", &said), ("age", &old.to_string())], 0);
        *response.status_mut() = status;
        let authorization = [("authorization", "Basic x")];
        let first = get("http://a.example/", if is_authorized { &authorization } else { &[] });
        let mut second = get("http://a.example/", &[("cache-control", &asked)]);
        if is_authorized {
            second.headers_mut().insert("authorization", HeaderValue::from_static("Basic x"));
        }
        let sender = Sender { is_authorized, has_cookies: false };
        let times = Times { delay: Duration::ZERO, came };
        let judged = terms::judge(&on(), &Method::GET, sender, status, response.headers(), || times);
        let Ok(keepable) = judged else { return Ok(()) };

        let (first, second) = (first.map(|_| ()), second.map(|_| ()));
        let answer = response.map(|_| ());
        let options = http_cache_semantics::CacheOptions {
            cache_heuristic: 0.0,
            ..http_cache_semantics::CacheOptions::default()
        };
        let policy = CachePolicy::new_options(&first, &answer, came, options);
        prop_assert!(policy.is_storable(), "{said}");

        let age = old + u32::try_from(seconds).expect("small");
        let used = usage::judge(keepable.terms, age, Standing::Good, &Asked::of(second.headers()));
        let is_used = matches!(used, Usage::Fresh { .. } | Usage::Taken { .. });
        let theirs = policy.before_request(&second, came + Duration::from_secs(seconds));
        let would_be = matches!(theirs, BeforeRequest::Fresh(_));
        // of what is said twice and differently the other makes nothing, we the more careful of both
        let is_simple = [&said, &asked].into_iter().all(|text| names_differ(text));
        // stale by just as much as is allowed: the other says no, RFC 9111, 5.2.1.2 yes
        let is_at_the_edge = matches!(used, Usage::Taken { by } if Asked::of(second.headers()).max_stale == Some(by));
        if is_used && is_simple && !is_at_the_edge {
            prop_assert!(would_be, "{said} | {asked} | {age}: {used:?}");
        }
        // and the other way round, where nothing was asked
        if asked.is_empty() && is_simple {
            prop_assert_eq!(is_used, would_be, "{} {}", said, age);
        }
    }
}
