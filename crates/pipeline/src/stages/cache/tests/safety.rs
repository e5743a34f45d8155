//! Attacks on shared caches: answers that one client made for others, and pages of one that others get.

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "an origin may refuse")]
fn fresh(number: usize) -> Result<Response, Refusal> {
    Ok(answer(&[("cache-control", "public, max-age=60")], number))
}

#[tokio::test(start_paused = true)]
async fn what_one_client_says_is_not_what_another_gets() {
    // a field that the origin may have heeded, and the request it was meant to spoil
    for field in [
        ("x-http-method-override", "POST"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("x-forwarded-prefix", "/evil"),
    ] {
        let world = World::new(on(), |_, number| fresh(number));
        assert_eq!(world.get(0, &[field]).await.word, "bypass", "{field:?}");
        assert_eq!(world.get(1, &[]).await.body, "answer 1", "{field:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn forwarded_fields_of_strangers_never_reach_the_origin() {
    let world = World::new(on(), |_, number| fresh(number));
    world
        .get(
            0,
            &[
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-for", "1.2.3.4"),
            ],
        )
        .await;
    let asked = world.asked.borrow();
    assert!(!asked[0].headers().contains_key("x-forwarded-host"));
    assert!(!asked[0].headers().contains_key("x-forwarded-for"));
}

#[tokio::test(start_paused = true)]
async fn a_get_with_a_body_is_nobody_elses() {
    let world = World::new(on(), |_, number| fresh(number));
    let mut fat = get("/", &[]);
    *fat.body_mut() = Body::from("q=evil");
    assert_eq!(world.ask(0, fat).await.word, "bypass");
    assert_eq!(world.get(1, &[]).await.word, "miss");
}

#[tokio::test(start_paused = true)]
async fn hosts_schemes_and_spellings_have_answers_of_their_own() {
    let world = World::new(on(), |_, number| fresh(number));
    let paths = [
        "/a", "/A", "/a/", "/a//", "/%61", "/a?", "/a?x", "/a;x", "/a%2f", "/a/../a", "/./a",
    ];
    for path in paths {
        let came = world.ask(0, get(path, &[])).await;
        assert_eq!(came.word, "miss", "{path}");
    }
    let mut other = get("/a", &[]);
    let host = HeaderValue::from_static("b.example");
    other.headers_mut().insert("host", host);
    assert_eq!(world.ask(0, other).await.word, "miss");
    let mut port = get("/a", &[]);
    let host = HeaderValue::from_static("a.example:8080");
    port.headers_mut().insert("host", host);
    assert_eq!(world.ask(0, port).await.word, "miss");
    assert_eq!(world.ask(0, get("/a", &[])).await.word, "hit");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_looks_like_a_file_is_still_a_page() {
    // the app answers /account/x.css with the account: nothing is kept for its ending
    let options = CacheOptions {
        ttl: Some(Duration::from_mins(1)),
        ..on()
    };
    let victim: &[(&str, &str)] = &[("cookie", "sid=victim")];
    for path in [
        "/account/x.css",
        "/account;x.css",
        "/account%2fx.css",
        "/account%00.css",
        "/account?x.css",
    ] {
        let world = World::new(options.clone(), |request, number| {
            let cookie = request.headers().get("cookie");
            let mut page = answer(&[("content-type", "text/html")], number);
            let name = cookie.map_or("nobody", |cookie| cookie.to_str().expect("text"));
            *page.body_mut() = Body::from(format!("account of {name}"));
            Ok(page)
        });
        let came = world.ask(0, get(path, victim)).await;
        if came.status == 200 {
            assert_eq!(
                (came.word, &*came.body),
                ("bypass", "account of sid=victim")
            );
            let came = world.ask(1, get(path, &[])).await;
            assert_eq!(came.body, "account of nobody", "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_that_do_not_count_do_not_reach_the_origin() {
    let options = CacheOptions {
        query: QueryRule::Without(vec!["utm_*".to_owned()]),
        ignore_cookies: vec!["_ga".to_owned()],
        ..on()
    };
    let world = World::new(options, |_, number| fresh(number));
    let spoiled = get("/?utm_content=evil&page=2", &[("cookie", "_ga=<script>")]);
    assert_eq!(world.ask(0, spoiled).await.word, "miss");
    {
        let asked = world.asked.borrow();
        assert_eq!(asked[0].uri(), "/?page=2");
        assert!(!asked[0].headers().contains_key("cookie"));
    }
    assert_eq!(world.ask(1, get("/?page=2", &[])).await.word, "hit");
}

#[tokio::test(start_paused = true)]
async fn errors_of_one_client_are_not_answers_for_others() {
    for status in ["400", "405", "413", "414", "431", "501", "502"] {
        let world = World::new(on(), move |_, number| match number {
            0 => Ok(answer(
                &[("cache-control", "max-age=60"), (":status", status)],
                number,
            )),
            _ => fresh(number),
        });
        world.get(0, &[]).await;
        assert_eq!(world.get(1, &[]).await.status, 200, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn variants_are_bounded() {
    let world = World::new(on(), |_, number| {
        Ok(answer(
            &[("cache-control", "max-age=60"), ("vary", "user-agent")],
            number,
        ))
    });
    for agent in 0..100 {
        world.get(0, &[("user-agent", &agent.to_string())]).await;
    }
    assert_eq!(world.get(1, &[("user-agent", "99")]).await.word, "hit");
    assert_eq!(world.get(1, &[("user-agent", "1")]).await.word, "miss");
    let listed = world.standing.cache().inventory(&Extent::All, 10).listed;
    assert_eq!(listed.len(), 1);
    let found = (&*listed[0].url, listed[0].answers.len());
    assert_eq!(found, ("http://a.example/", 16));
}

#[tokio::test(start_paused = true)]
async fn a_purge_is_about_what_it_says() {
    let world = World::new(on(), |request, number| {
        let tag = if request.uri().path().starts_with("/shop") {
            "shop, all"
        } else {
            "all"
        };
        Ok(answer(
            &[
                ("cache-control", "max-age=60, stale-while-revalidate=60"),
                ("cache-tag", tag),
            ],
            number,
        ))
    });
    let paths = ["/", "/shop", "/shop/hats", "/about"];
    for (extent, expected) in [
        (Extent::Url("/shop".to_owned()), &["/shop"][..]),
        (Extent::Prefix("/shop".to_owned()), &["/shop", "/shop/hats"]),
        (
            Extent::Pattern("*/*a*t*".to_owned()),
            &["/shop/hats", "/about"],
        ),
        (
            Extent::Pattern("/*t*".to_owned()),
            &["/shop/hats", "/about"],
        ),
        (Extent::Tag("shop".to_owned()), &["/shop", "/shop/hats"]),
        (Extent::All, &paths),
    ] {
        for (mode, word) in [(PurgeMode::Hard, "miss"), (PurgeMode::Soft, "stale")] {
            for path in paths {
                world.ask(0, get(path, &[])).await;
            }
            let purge = Purge {
                extent: extent.clone(),
                mode,
            };
            let count = world.standing.cache().purge(&purge);
            assert_eq!(count, expected.len(), "{extent:?}");
            for path in paths {
                let expected = if expected.contains(&path) {
                    word
                } else {
                    "hit"
                };
                assert_eq!(
                    world.ask(1, get(path, &[])).await.word,
                    expected,
                    "{extent:?} {path}"
                );
            }
            let all = Purge {
                extent: Extent::All,
                mode: PurgeMode::Hard,
            };
            world.standing.cache().purge(&all);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_coding_is_made_once() {
    let page = "the same words again and again. ".repeat(100);
    let world = World::new(on(), move |_, _| {
        let mut page_of = answer(
            &[
                ("cache-control", "max-age=60"),
                ("content-type", "text/plain"),
                ("etag", "\"a\""),
            ],
            0,
        );
        *page_of.body_mut() = Body::from(page.clone());
        Ok(page_of)
    });
    let ask = async |coding: &str| world.get(1, &[("accept-encoding", coding)]).await;
    assert_eq!(ask("gzip").await.field("content-encoding"), "gzip");
    let before = world.standing.cache().bytes();
    let came = ask("gzip").await;
    assert_eq!((came.word, came.field("content-encoding")), ("hit", "gzip"));
    assert_eq!(came.field("etag"), "W/\"a\"");
    assert_eq!(world.standing.cache().bytes(), before, "it was there");
    assert_eq!(ask("br").await.field("content-encoding"), "br");
    assert!(
        world.standing.cache().bytes() > before,
        "another one beside it"
    );
    assert_eq!(ask("identity").await.body.len(), 3_200);
    // a range is of the plain content
    let part = world
        .get(1, &[("accept-encoding", "gzip"), ("range", "bytes=0-2")])
        .await;
    assert_eq!(
        (part.status, &*part.body, part.field("content-encoding")),
        (206, "the", "")
    );
    assert_eq!(world.count(), 1);
}

#[test]
fn a_coding_of_an_older_body_is_none_of_the_newer_one() {
    use crate::Coding;
    use crate::stages::cache::key::Key;
    use crate::stages::cache::memory::{Begin, Company, Variant};
    use crate::stages::cache::stored::{Head, Stored};
    use crate::stages::cache::terms::terms_for_tests;

    let memory = Arc::new(CacheMemory::new(mainstay_values::Size::mb(16)));
    let key = Key::from_bits(7);
    let keep = |body: &'static str| {
        let now = (Instant::now(), std::time::SystemTime::now());
        let headers = http::HeaderMap::new();
        let head = Head::new(
            http::StatusCode::OK,
            &headers,
            &[],
            terms_for_tests(60, 0),
            now,
        );
        let body = bytes::Bytes::from(body);
        let stored = Stored::new(&head.expect("it fits"), std::iter::once(&body), body.len());
        let stored = Arc::new(stored);
        let Begin::Lead(ticket) = memory.begin(key, 0, None, Company::Alone) else {
            panic!("nobody else fetches")
        };
        let kept = memory.keep(&ticket, "/", &Variant::new(Arc::clone(&stored), None));
        assert!(kept.is_ok());
        stored
    };
    let old = keep("old");
    // it was just being encoded when another took its place
    let new = keep("new");
    memory.add_coding(key, &old, Coding::Gzip, bytes::Bytes::from("encoded"));
    let coding = || {
        let known = memory.find(key).expect("it is kept");
        known.variants[0].coding(Coding::Gzip).cloned()
    };
    assert_eq!(coding(), None);
    memory.add_coding(key, &new, Coding::Gzip, bytes::Bytes::from("encoded"));
    assert_eq!(coding().as_deref(), Some(&b"encoded"[..]));
}
