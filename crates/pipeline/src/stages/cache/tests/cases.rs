//! Directive, request and state: a table from the RFCs.

use super::*;

/// One case: what the first request says, what the origin answers, how many seconds pass, what the second request says, and what
/// comes of it: the outcome's word.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    u64,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];
const TAGGED: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];

/// By section of RFC 9111, where none else is named.
const CASES: &[Case] = &[
    // 3: what may be kept
    ("nothing is said", &[], &[], 0, &[], "miss"),
    (
        "a validator alone says nothing of time",
        &[],
        &[("etag", "\"a\"")],
        0,
        &[],
        "miss",
    ),
    ("max-age", &[], FRESH, 59, &[], "hit"),
    ("max-age is over", &[], FRESH, 60, &[], "expired"),
    (
        "max-age=0",
        &[],
        &[("cache-control", "max-age=0")],
        0,
        &[],
        "miss",
    ),
    (
        "max-age=0 and a tag",
        &[],
        &[("cache-control", "max-age=0"), ("etag", "\"a\"")],
        0,
        &[],
        "expired",
    ),
    (
        "s-maxage goes before max-age",
        &[],
        &[("cache-control", "max-age=1, s-maxage=60")],
        30,
        &[],
        "hit",
    ),
    (
        "s-maxage=0",
        &[],
        &[("cache-control", "s-maxage=0, max-age=60")],
        0,
        &[],
        "miss",
    ),
    (
        "public alone is no time",
        &[],
        &[("cache-control", "public")],
        0,
        &[],
        "miss",
    ),
    (
        "no-store",
        &[],
        &[("cache-control", "no-store, max-age=60")],
        0,
        &[],
        "miss",
    ),
    (
        "no-store but must-understand, and understood",
        &[],
        &[("cache-control", "no-store, must-understand, max-age=60")],
        1,
        &[],
        "hit",
    ),
    (
        "private",
        &[],
        &[("cache-control", "private, max-age=60")],
        0,
        &[],
        "miss",
    ),
    (
        "private fields are left out",
        &[],
        &[
            ("cache-control", "private=\"x-user\", max-age=60"),
            ("x-user", "a"),
        ],
        1,
        &[],
        "hit",
    ),
    (
        "no-cache and nothing to ask by",
        &[],
        &[("cache-control", "no-cache, max-age=60")],
        0,
        &[],
        "miss",
    ),
    (
        "no-cache and a tag",
        &[],
        &[("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")],
        1,
        &[],
        "expired",
    ),
    (
        "no-cache fields are left out",
        &[],
        &[
            ("cache-control", "no-cache=\"set-cookie\", max-age=60"),
            ("set-cookie", "a=b"),
        ],
        1,
        &[],
        "hit",
    ),
    (
        "a cookie is set",
        &[],
        &[
            ("cache-control", "public, max-age=60"),
            ("set-cookie", "a=b"),
        ],
        1,
        &[],
        "miss",
    ),
    (
        "a cookie is set by a shared answer",
        &[],
        &[("cache-control", "s-maxage=60"), ("set-cookie", "a=b")],
        1,
        &[],
        "miss",
    ),
    (
        "unknown directives",
        &[],
        &[("cache-control", "community=\"a, b\", max-age=60")],
        1,
        &[],
        "hit",
    ),
    (
        "a number that is none",
        &[],
        &[("cache-control", "max-age=1x")],
        0,
        &[],
        "miss",
    ),
    (
        "two that differ",
        &[],
        &[("cache-control", "max-age=60, max-age=1")],
        2,
        &[],
        "expired",
    ),
    (
        "two lines",
        &[],
        &[("cache-control", "public"), ("cache-control", "max-age=60")],
        1,
        &[],
        "hit",
    ),
    // statuses
    (
        "203",
        &[],
        &[("cache-control", "max-age=60"), (":status", "203")],
        1,
        &[],
        "hit",
    ),
    (
        "204",
        &[],
        &[("cache-control", "max-age=60"), (":status", "204")],
        1,
        &[],
        "hit",
    ),
    (
        "206",
        &[],
        &[("cache-control", "max-age=60"), (":status", "206")],
        1,
        &[],
        "miss",
    ),
    (
        "301",
        &[],
        &[("cache-control", "max-age=60"), (":status", "301")],
        1,
        &[],
        "hit",
    ),
    (
        "301 says nothing",
        &[],
        &[(":status", "301")],
        1,
        &[],
        "miss",
    ),
    (
        "302",
        &[],
        &[("cache-control", "max-age=60"), (":status", "302")],
        1,
        &[],
        "hit",
    ),
    (
        "307",
        &[],
        &[("cache-control", "max-age=60"), (":status", "307")],
        1,
        &[],
        "hit",
    ),
    (
        "404",
        &[],
        &[("cache-control", "max-age=60"), (":status", "404")],
        1,
        &[],
        "hit",
    ),
    (
        "404 says nothing",
        &[],
        &[(":status", "404")],
        1,
        &[],
        "miss",
    ),
    (
        "410",
        &[],
        &[("cache-control", "max-age=60"), (":status", "410")],
        1,
        &[],
        "hit",
    ),
    (
        "400",
        &[],
        &[("cache-control", "max-age=60"), (":status", "400")],
        1,
        &[],
        "miss",
    ),
    (
        "403",
        &[],
        &[("cache-control", "max-age=60"), (":status", "403")],
        1,
        &[],
        "miss",
    ),
    (
        "431",
        &[],
        &[("cache-control", "max-age=60"), (":status", "431")],
        1,
        &[],
        "miss",
    ),
    (
        "500",
        &[],
        &[("cache-control", "max-age=60"), (":status", "500")],
        1,
        &[],
        "miss",
    ),
    (
        "503",
        &[],
        &[("cache-control", "max-age=60"), (":status", "503")],
        1,
        &[],
        "miss",
    ),
    (
        "299",
        &[],
        &[("cache-control", "max-age=60"), (":status", "299")],
        1,
        &[],
        "miss",
    ),
    // 4.2: Expires and Age
    (
        "Expires has passed",
        &[],
        &[("expires", "Thu, 01 Jan 2004 00:00:00 GMT")],
        0,
        &[],
        "miss",
    ),
    (
        "Expires is no date",
        &[],
        &[("expires", "0")],
        0,
        &[],
        "miss",
    ),
    (
        "Expires after Date",
        &[],
        &[
            ("date", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("expires", "Fri, 01 Jan 2100 00:01:00 GMT"),
        ],
        59,
        &[],
        "hit",
    ),
    (
        "Expires after Date is over",
        &[],
        &[
            ("date", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("expires", "Fri, 01 Jan 2100 00:01:00 GMT"),
        ],
        60,
        &[],
        "expired",
    ),
    (
        "two Expires",
        &[],
        &[
            ("date", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("expires", "Fri, 01 Jan 2100 00:01:00 GMT"),
            ("expires", "Fri, 01 Jan 2100 00:01:00 GMT"),
        ],
        0,
        &[],
        "miss",
    ),
    (
        "max-age goes before Expires",
        &[],
        &[("cache-control", "max-age=60"), ("expires", "0")],
        1,
        &[],
        "hit",
    ),
    (
        "it was old when it came",
        &[],
        &[("cache-control", "max-age=60"), ("age", "50")],
        9,
        &[],
        "hit",
    ),
    (
        "it was too old soon",
        &[],
        &[("cache-control", "max-age=60"), ("age", "50")],
        10,
        &[],
        "expired",
    ),
    (
        "it was too old when it came",
        &[],
        &[("cache-control", "max-age=60"), ("age", "60")],
        0,
        &[],
        "miss",
    ),
    (
        "an age that is none",
        &[],
        &[("cache-control", "max-age=60"), ("age", "old")],
        1,
        &[],
        "hit",
    ),
    (
        "the first of two ages",
        &[],
        &[("cache-control", "max-age=60"), ("age", "1, 70")],
        1,
        &[],
        "hit",
    ),
    (
        "made long ago",
        &[],
        &[
            ("cache-control", "max-age=60"),
            ("date", "Thu, 01 Jan 2004 00:00:00 GMT"),
        ],
        0,
        &[],
        "miss",
    ),
    (
        "Last-Modified is no word about time",
        &[],
        &[("last-modified", "Thu, 01 Jan 2004 00:00:00 GMT")],
        0,
        &[],
        "miss",
    ),
    // 5.2.1: what clients ask for
    (
        "no-cache",
        &[],
        FRESH,
        1,
        &[("cache-control", "no-cache")],
        "expired",
    ),
    (
        "Pragma: no-cache",
        &[],
        FRESH,
        1,
        &[("pragma", "no-cache")],
        "expired",
    ),
    (
        "Pragma beside Cache-Control",
        &[],
        FRESH,
        1,
        &[("pragma", "no-cache"), ("cache-control", "max-age=9")],
        "hit",
    ),
    (
        "max-age that is kept",
        &[],
        FRESH,
        5,
        &[("cache-control", "max-age=5")],
        "hit",
    ),
    (
        "max-age that is not",
        &[],
        FRESH,
        6,
        &[("cache-control", "max-age=5")],
        "expired",
    ),
    (
        "max-age=0 of what cannot change",
        &[],
        &[("cache-control", "max-age=60, immutable")],
        6,
        &[("cache-control", "max-age=0")],
        "hit",
    ),
    (
        "no-cache of what cannot change",
        &[],
        &[("cache-control", "max-age=60, immutable")],
        6,
        &[("cache-control", "no-cache")],
        "expired",
    ),
    (
        "min-fresh that there is",
        &[],
        FRESH,
        50,
        &[("cache-control", "min-fresh=10")],
        "hit",
    ),
    (
        "min-fresh that there is not",
        &[],
        FRESH,
        51,
        &[("cache-control", "min-fresh=10")],
        "expired",
    ),
    (
        "max-stale",
        &[],
        FRESH,
        99,
        &[("cache-control", "max-stale")],
        "stale",
    ),
    (
        "max-stale that is enough",
        &[],
        FRESH,
        70,
        &[("cache-control", "max-stale=10")],
        "stale",
    ),
    (
        "max-stale that is not",
        &[],
        FRESH,
        71,
        &[("cache-control", "max-stale=10")],
        "expired",
    ),
    (
        "max-stale and must-revalidate",
        &[],
        &[("cache-control", "max-age=60, must-revalidate")],
        61,
        &[("cache-control", "max-stale")],
        "expired",
    ),
    (
        "max-stale and proxy-revalidate",
        &[],
        &[("cache-control", "max-age=60, proxy-revalidate")],
        61,
        &[("cache-control", "max-stale")],
        "expired",
    ),
    (
        "max-stale and s-maxage",
        &[],
        &[("cache-control", "s-maxage=60")],
        61,
        &[("cache-control", "max-stale")],
        "expired",
    ),
    (
        "max-stale and max-age",
        &[],
        FRESH,
        61,
        &[("cache-control", "max-stale, max-age=10")],
        "expired",
    ),
    (
        "no-store",
        &[],
        FRESH,
        1,
        &[("cache-control", "no-store")],
        "bypass",
    ),
    (
        "no-store is not kept",
        &[("cache-control", "no-store")],
        FRESH,
        1,
        &[],
        "miss",
    ),
    (
        "only-if-cached, and it is",
        &[],
        FRESH,
        1,
        &[("cache-control", "only-if-cached")],
        "hit",
    ),
    (
        "only-if-cached, and it is not",
        &[],
        &[],
        1,
        &[("cache-control", "only-if-cached")],
        "refused",
    ),
    (
        "only-if-cached, and it is too old",
        &[],
        FRESH,
        61,
        &[("cache-control", "only-if-cached")],
        "refused",
    ),
    // RFC 5861
    (
        "stale while it is fetched",
        &[],
        &[("cache-control", "max-age=60, stale-while-revalidate=10")],
        69,
        &[],
        "stale",
    ),
    (
        "too stale while it is fetched",
        &[],
        &[("cache-control", "max-age=60, stale-while-revalidate=10")],
        70,
        &[],
        "expired",
    ),
    (
        "stale beside must-revalidate",
        &[],
        &[(
            "cache-control",
            "max-age=60, must-revalidate, stale-while-revalidate=10",
        )],
        61,
        &[],
        "expired",
    ),
    (
        "stale beside s-maxage",
        &[],
        &[("cache-control", "s-maxage=60, stale-while-revalidate=10")],
        61,
        &[],
        "stale",
    ),
    (
        "stale, but the client wants fresh",
        &[],
        &[("cache-control", "max-age=60, stale-while-revalidate=10")],
        61,
        &[("cache-control", "max-age=60")],
        "expired",
    ),
    (
        "stale, but the client wants none",
        &[],
        &[("cache-control", "max-age=60, stale-while-revalidate=10")],
        61,
        &[("cache-control", "min-fresh=1")],
        "expired",
    ),
    // RFC 9213
    (
        "said to caches like this",
        &[],
        &[
            ("cdn-cache-control", "max-age=60"),
            ("cache-control", "no-store"),
        ],
        1,
        &[],
        "hit",
    ),
    (
        "forbidden to caches like this",
        &[],
        &[
            ("cdn-cache-control", "no-store"),
            ("cache-control", "max-age=60"),
        ],
        1,
        &[],
        "miss",
    ),
    (
        "said to caches like this, in no form",
        &[],
        &[
            ("cdn-cache-control", "max-age: 60"),
            ("cache-control", "max-age=5"),
        ],
        6,
        &[],
        "expired",
    ),
    (
        "Expires does not count beside it",
        &[],
        &[
            ("cdn-cache-control", "public"),
            ("expires", "Fri, 01 Jan 2100 00:01:00 GMT"),
        ],
        0,
        &[],
        "miss",
    ),
    // 3.5 and cookies
    (
        "authorized",
        &[("authorization", "Basic x")],
        FRESH,
        1,
        &[],
        "miss",
    ),
    (
        "asked by somebody",
        &[],
        FRESH,
        1,
        &[("authorization", "Basic x")],
        "bypass",
    ),
    (
        "a key",
        &[("x-api-key", "x")],
        FRESH,
        1,
        &[("x-api-key", "x")],
        "bypass",
    ),
    ("a cookie", &[("cookie", "sid=1")], FRESH, 1, &[], "miss"),
    (
        "asked with a cookie",
        &[],
        FRESH,
        1,
        &[("cookie", "sid=1")],
        "bypass",
    ),
    // 4.1
    (
        "Vary, the same",
        &[("accept-language", "de")],
        &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
        1,
        &[("accept-language", "de")],
        "hit",
    ),
    (
        "Vary, another",
        &[("accept-language", "de")],
        &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
        1,
        &[("accept-language", "en")],
        "miss",
    ),
    (
        "Vary, none",
        &[("accept-language", "de")],
        &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
        1,
        &[],
        "miss",
    ),
    (
        "Vary, neither",
        &[],
        &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
        1,
        &[],
        "hit",
    ),
    (
        "Vary: *",
        &[],
        &[("cache-control", "max-age=60"), ("vary", "accept, *")],
        1,
        &[],
        "miss",
    ),
    (
        "Vary of the coding, which is ours",
        &[("accept-encoding", "gzip")],
        &[("cache-control", "max-age=60"), ("vary", "Accept-Encoding")],
        1,
        &[("accept-encoding", "br")],
        "hit",
    ),
    (
        "Vary of the client's address",
        &[],
        &[("cache-control", "max-age=60"), ("vary", "X-Forwarded-For")],
        1,
        &[],
        "miss",
    ),
    (
        "a site is allowed, which is not said",
        &[("origin", "https://a.example")],
        &[
            ("cache-control", "max-age=60"),
            ("access-control-allow-origin", "https://a.example"),
        ],
        1,
        &[("origin", "https://b.example")],
        "miss",
    ),
    // RFC 9110, 13
    (
        "the client has it",
        &[],
        TAGGED,
        1,
        &[("if-none-match", "\"a\"")],
        "hit",
    ),
    (
        "a condition for the origin alone",
        &[],
        TAGGED,
        1,
        &[("if-match", "\"a\"")],
        "bypass",
    ),
    (
        "a part of what is kept",
        &[],
        TAGGED,
        1,
        &[("range", "bytes=0-1")],
        "hit",
    ),
    (
        "a part of what is not",
        &[],
        &[],
        1,
        &[("range", "bytes=0-1")],
        "miss",
    ),
    // what may change the method or the path
    (
        "another method, in a field",
        &[],
        FRESH,
        1,
        &[("x-http-method-override", "DELETE")],
        "bypass",
    ),
    (
        "another path, in a field",
        &[("x-original-url", "/admin")],
        FRESH,
        1,
        &[],
        "miss",
    ),
    (
        "the same with underscores",
        &[("x_rewrite_url", "/admin")],
        FRESH,
        1,
        &[],
        "miss",
    ),
];

#[tokio::test(start_paused = true)]
async fn the_table() {
    assert!(CASES.len() >= 100, "{}", CASES.len());
    let mut wrong = Vec::new();
    for (name, first, answered, after, second, expected) in CASES {
        let world = World::new(on(), move |_, number| Ok(answer(answered, number)));
        world.get(0, first).await;
        let came = world.get(*after, second).await;
        let is_ours = matches!(came.word, "hit" | "stale");
        if came.word != *expected || (is_ours && world.count() != 1) {
            wrong.push(format!(
                "{name}: {} ({})",
                came.word,
                came.field("cache-status")
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_how_old_it_is_and_where_it_comes_from() {
    let world = World::new(on(), |_, number| {
        Ok(answer(
            &[
                ("cache-control", "max-age=60"),
                ("cache-status", "inner; hit"),
                ("x-own", "1"),
            ],
            number,
        ))
    });
    let came = world.get(0, &[]).await;
    assert_eq!(came.word, "miss");
    assert!(came.headers.get("age").is_none());
    let all = |came: &Came| -> Vec<String> {
        let values = came.headers.get_all("cache-status").iter();
        values
            .map(|value| value.to_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(
        all(&came),
        [
            "inner; hit",
            "mainstay; fwd=uri-miss; fwd-status=200; ttl=60; stored"
        ]
    );
    let came = world.get(7, &[]).await;
    assert_eq!(
        (came.field("age"), came.field("x-own"), &*came.body),
        ("7", "1", "answer 0")
    );
    assert_eq!(all(&came), ["inner; hit", "mainstay; hit; ttl=53"]);
}

#[tokio::test(start_paused = true)]
async fn head_ranges_and_conditions_are_answered_from_the_whole() {
    let world = World::new(on(), |_, number| {
        let modified = "Thu, 01 Jan 2004 00:00:00 GMT";
        Ok(answer(
            &[
                ("cache-control", "max-age=60"),
                ("etag", "\"a\""),
                ("last-modified", modified),
                ("content-type", "text/plain"),
            ],
            number,
        ))
    });
    world.get(0, &[]).await;
    for (fields, status, body) in [
        (&[("range", "bytes=0-3")][..], 206, "answ"),
        (&[("range", "bytes=-1")], 206, "0"),
        (&[("range", "bytes=99-")], 416, ""),
        (
            &[("range", "bytes=0-3"), ("if-range", "\"a\"")],
            206,
            "answ",
        ),
        (
            &[("range", "bytes=0-3"), ("if-range", "\"b\"")],
            200,
            "answer 0",
        ),
        (&[("range", "bytes=0-1,3-4")], 200, "answer 0"),
        (&[("if-none-match", "W/\"a\"")], 304, ""),
        (&[("if-none-match", "\"b\"")], 200, "answer 0"),
        (
            &[("if-modified-since", "Thu, 01 Jan 2004 00:00:00 GMT")],
            304,
            "",
        ),
        (
            &[("if-none-match", "\"a\""), ("range", "bytes=0-3")],
            304,
            "",
        ),
    ] {
        let came = world.get(1, fields).await;
        assert_eq!((came.status, &*came.body), (status, body), "{fields:?}");
        assert_eq!(
            came.headers.contains_key("content-type"),
            status != 304,
            "{fields:?}"
        );
    }
    assert_eq!(
        world
            .get(1, &[("range", "bytes=2-3")])
            .await
            .field("content-range"),
        "bytes 2-3/8"
    );
    let mut head = get("/", &[]);
    *head.method_mut() = http::Method::HEAD;
    assert_eq!(world.ask(1, head).await.word, "hit");
    assert_eq!(world.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_origin_is_asked_whether_it_still_holds() {
    let world = World::new(on(), |request, number| {
        let fields = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
        let is_known = request
            .headers()
            .get("if-none-match")
            .is_some_and(|tag| tag == "\"a\"");
        if is_known {
            let mut fields = fields.to_vec();
            fields.extend([(":status", "304"), ("x-new", "1")]);
            let mut confirmed = answer(&fields, number);
            *confirmed.body_mut() = Body::Empty;
            return Ok(confirmed);
        }
        Ok(answer(fields, number))
    });
    world.get(0, &[]).await;
    let came = world.get(61, &[]).await;
    assert_eq!(
        (came.word, came.status, &*came.body),
        ("revalidated", 200, "answer 0")
    );
    assert_eq!((came.field("x-new"), came.field("age")), ("1", "0"));
    // from then on it is fresh again, with what was said anew
    let came = world.get(120, &[("if-none-match", "\"a\"")]).await;
    assert_eq!(
        (came.word, came.status, came.field("x-new")),
        ("hit", 304, "1")
    );
    assert_eq!(world.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_304_about_another_answer_is_followed_by_the_whole() {
    let world = World::new(on(), |request, number| {
        let tag = if number == 0 { "\"a\"" } else { "\"b\"" };
        let status = if request.headers().contains_key("if-none-match") {
            "304"
        } else {
            "200"
        };
        Ok(answer(
            &[
                ("cache-control", "max-age=60"),
                ("etag", tag),
                (":status", status),
            ],
            number,
        ))
    });
    world.get(0, &[]).await;
    let came = world.get(61, &[]).await;
    assert_eq!((came.status, &*came.body), (200, "answer 2"));
    assert_eq!(world.get(62, &[]).await.body, "answer 2");
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_stands_in_when_the_origin_fails() {
    for (fails, status) in [
        (
            (|number| Ok(answer(&[(":status", "503")], number))) as fn(usize) -> _,
            503,
        ),
        (|_| Err(Refusal::OriginTimeout), 504),
        (|_| Err(Refusal::NoWorker), 503),
    ] {
        let world = World::new(on(), move |_, number| match number {
            0 => Ok(answer(
                &[("cache-control", "max-age=60, stale-if-error=30")],
                number,
            )),
            _ => fails(number),
        });
        world.get(0, &[]).await;
        let came = world.get(80, &[]).await;
        assert_eq!(
            (came.word, came.status, &*came.body),
            ("stale", 200, "answer 0")
        );
        assert!(came.field("cache-status").contains("detail=origin_failed"));
        assert_eq!(world.get(90, &[]).await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_fetched_anew_beside_its_use() {
    let world = World::new(on(), |_, number| {
        Ok(answer(
            &[("cache-control", "max-age=60, stale-while-revalidate=60")],
            number,
        ))
    });
    world.get(0, &[]).await;
    let first = world.get(61, &[]).await;
    let second = world.get(61, &[]).await;
    assert_eq!(
        (first.word, second.word, world.count()),
        ("stale", "stale", 1)
    );
    // one of them has it fetched
    let refresh = first.refresh.expect("it is stale");
    assert!(second.refresh.is_none());
    world.pipeline.refresh(refresh).await;
    let came = world.get(62, &[]).await;
    assert_eq!(
        (came.word, &*came.body, world.count()),
        ("hit", "answer 1", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_is_forgotten() {
    for (method, status, fields, is_forgotten) in [
        ("POST", "200", &[][..], true),
        ("PUT", "204", &[], true),
        ("DELETE", "303", &[], true),
        ("PURGEX", "200", &[], true),
        ("POST", "400", &[], false),
        ("POST", "500", &[], false),
        ("OPTIONS", "200", &[], false),
        ("POST /other", "201", &[], false),
        ("POST /other", "201", &[("location", "/")], true),
        (
            "POST /other",
            "201",
            &[("content-location", "http://a.example/")],
            true,
        ),
        (
            "POST /other",
            "201",
            &[("location", "http://b.example/")],
            false,
        ),
    ] {
        let mut fields = fields.to_vec();
        fields.push((":status", status));
        let world = World::new(on(), move |request, number| {
            if request.method() == http::Method::GET {
                return Ok(answer(FRESH, number));
            }
            Ok(answer(&fields, number))
        });
        world.get(0, &[]).await;
        let (method, path) = method.split_once(' ').unwrap_or((method, "/"));
        let mut change = get(path, &[]);
        *change.method_mut() = method.parse().expect("a method");
        world.ask(1, change).await;
        let found = world.get(2, &[]).await.word;
        assert_eq!(
            found == "miss",
            is_forgotten,
            "{method} {path} {status}: {found}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn settings_say_what_origins_do_not() {
    let options = CacheOptions {
        ttl: Some(Duration::from_secs(30)),
        negative: Some(Duration::from_secs(5)),
        stale: Duration::from_secs(10),
        ..on()
    };
    for (answered, after, expected) in [
        (&[][..], 29, "hit"),
        (&[], 31, "stale"),
        (&[], 41, "expired"),
        (&[("cache-control", "max-age=1")], 12, "expired"),
        (
            &[("cache-control", "max-age=1, must-revalidate")],
            2,
            "expired",
        ),
        (&[("cache-control", "s-maxage=1")], 2, "expired"),
        (&[("cache-control", "no-store")], 1, "miss"),
        (&[("cache-control", "private")], 1, "miss"),
        (&[("set-cookie", "a=b")], 1, "miss"),
        (&[(":status", "404")], 4, "hit"),
        (&[(":status", "404")], 16, "expired"),
        (&[(":status", "500")], 1, "miss"),
    ] {
        let world = World::new(options.clone(), move |_, number| {
            Ok(answer(answered, number))
        });
        world.get(0, &[]).await;
        assert_eq!(world.get(after, &[]).await.word, expected, "{answered:?}");
    }
    let heuristic = CacheOptions {
        heuristic: Heuristic::On,
        ..on()
    };
    let world = World::new(heuristic, |_, number| {
        Ok(answer(
            &[("last-modified", "Thu, 01 Jan 2004 00:00:00 GMT")],
            number,
        ))
    });
    world.get(0, &[]).await;
    assert_eq!(world.get(86_399, &[]).await.word, "hit");
    assert_eq!(world.get(86_400, &[]).await.word, "expired");
}

#[tokio::test(start_paused = true)]
async fn credentials_share_what_says_so() {
    const BASIC: &[(&str, &str)] = &[("authorization", "Basic x")];
    const COOKIE: &[(&str, &str)] = &[("cookie", "sid=1")];
    let options = CacheOptions {
        credentials: Credentials::Share,
        ..on()
    };
    for (said, sender, expected) in [
        ("max-age=60", BASIC, "miss"),
        ("max-age=60, public", BASIC, "hit"),
        ("s-maxage=60", BASIC, "hit"),
        ("max-age=60, must-revalidate", BASIC, "hit"),
        ("max-age=60", COOKIE, "miss"),
        ("max-age=60, public", COOKIE, "hit"),
        ("s-maxage=60", COOKIE, "hit"),
        ("max-age=60, must-revalidate", COOKIE, "miss"),
    ] {
        let origin = move |_: &Request, number| Ok(answer(&[("cache-control", said)], number));
        let world = World::new(options.clone(), origin);
        world.get(0, sender).await;
        assert_eq!(world.get(1, sender).await.word, expected, "{said}");
        // and nobody who is somebody gets what was made for anybody, unless it says so
        let world = World::new(options.clone(), origin);
        world.get(0, &[]).await;
        let found = world.get(1, sender).await.word;
        assert_eq!(found == "hit", expected == "hit", "{said}: {found}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_kept_is_kept_when_its_origin_allows_it() {
    let world = World::new(on(), |_, number| {
        let fields: &[_] = match number {
            0 | 1 => &[],
            _ => &[("cache-control", "max-age=60")],
        };
        Ok(answer(fields, number))
    });
    let mut said = Vec::new();
    for _ in 0..5 {
        let came = world.get(0, &[]).await;
        let status = came.field("cache-status").replace("mainstay; ", "");
        said.push((came.body, status));
    }
    let expected = [
        (
            "answer 0",
            "fwd=uri-miss; fwd-status=200; detail=no_freshness",
        ),
        (
            "answer 1",
            "fwd=uri-miss; fwd-status=200; detail=no_freshness",
        ),
        // the last that is asked for without a place for its answer
        ("answer 2", "fwd=uri-miss; fwd-status=200"),
        ("answer 3", "fwd=uri-miss; fwd-status=200; ttl=60; stored"),
        ("answer 3", "hit; ttl=60"),
    ];
    let expected = expected.map(|(body, status)| (body.to_owned(), status.to_owned()));
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_fails_for_a_moment_is_no_reason_to_ask_it_for_each() {
    let world = World::new(on(), |_, number| match number {
        0 => {
            let mut failed = answer(&[], number);
            *failed.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            Ok(failed)
        }
        _ => Ok(answer(&[("cache-control", "max-age=60")], number)),
    });
    assert_eq!(world.get(0, &[]).await.status, 503);
    assert_eq!(world.get(0, &[]).await.word, "miss");
    assert_eq!(world.get(0, &[]).await.word, "hit");
}

#[tokio::test(start_paused = true)]
async fn fields_that_are_for_one_alone_go_to_that_one_alone() {
    for (said, field) in [
        ("max-age=60, private=\"x-user\"", "x-user"),
        ("max-age=60, no-cache=\"x-other, x-user\"", "x-user"),
        ("max-age=60, no-cache=\"set-cookie\"", "set-cookie"),
    ] {
        let world = World::new(on(), move |_, number| {
            Ok(answer(&[("cache-control", said), (field, "a=b")], number))
        });
        assert_eq!(world.get(0, &[]).await.field(field), "a=b", "{said}");
        let came = world.get(1, &[]).await;
        assert_eq!((came.word, came.field(field)), ("hit", ""), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_head_or_a_part_is_answered_with_is_no_whole_for_others() {
    for (method, fields) in [
        ("HEAD", &[][..]),
        ("GET", &[("range", "bytes=0-1")]),
        ("HEAD", &[("range", "bytes=0-1")]),
    ] {
        let world = World::new(on(), |request, number| {
            let mut made = answer(FRESH, number);
            if request.headers().contains_key("range") {
                *made.status_mut() = http::StatusCode::PARTIAL_CONTENT;
                *made.body_mut() = Body::from("an");
            }
            if request.method() == http::Method::HEAD {
                *made.body_mut() = Body::Empty;
            }
            Ok(made)
        });
        let mut first = get("/", fields);
        *first.method_mut() = method.parse().expect("a method");
        assert_eq!(
            world.ask(0, first).await.word,
            "miss",
            "{method} {fields:?}"
        );
        let came = world.get(1, &[]).await;
        assert_eq!(
            (came.status, came.word, &*came.body),
            (200, "miss", "answer 1"),
            "{method} {fields:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_named_as_changed_is_forgotten_under_the_key_that_it_has() {
    let options = CacheOptions {
        query: QueryRule::Without(vec!["utm_*".to_owned()]),
        query_order: QueryOrder::Sorted,
        ..on()
    };
    for (path, named) in [
        ("/?b=2&utm_source=x&a=1", None),
        ("/other", Some("/?b=2&a=1&utm_source=x")),
    ] {
        let world = World::new(options.clone(), move |request, number| {
            if request.method() == http::Method::GET {
                return Ok(answer(FRESH, number));
            }
            Ok(answer(
                named.map(|named| ("location", named)).as_slice(),
                number,
            ))
        });
        world.ask(0, get("/?a=1&b=2", &[])).await;
        let mut change = get(path, &[]);
        *change.method_mut() = http::Method::POST;
        world.ask(1, change).await;
        assert_eq!(
            world.ask(2, get("/?a=1&b=2", &[])).await.word,
            "miss",
            "{path}"
        );
    }
}
