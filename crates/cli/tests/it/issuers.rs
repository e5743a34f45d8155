//! Issuers of tokens whose keys are fetched over https: rotated, and wrong in every way that was thought of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainstay_testkit::{Authority, Mainstay, Origin, Script, eventually};
use serde_json::json as value;

use crate::tokens::{guarded, json, made, status};

fn url(issuer: &Origin, host: &str) -> String {
    let address = issuer.address();
    let port = address.rsplit(':').next().expect("a port");
    format!("https://{host}:{port}/keys")
}

#[test]
fn keys_that_are_fetched_over_https_rotate_and_outlive_their_issuer() {
    let (made, authority) = (made(), Authority::new());
    let second = {
        let all = made["all"]["keys"].as_array().expect("keys");
        let only: Vec<_> = all.iter().filter(|key| key["kid"] == "EdDSA").collect();
        value!({ "keys": only })
    };
    let issuer = Origin::answers(json(&made["first"]))
        .then_answers(json(&second))
        .over_tls(&authority.certifies("localhost"))
        .start();
    let shop = Origin::says("shop").start();
    let keys = format!(
        "jwks = \"{}\"\nca_file = \"ca.pem\"\n",
        url(&issuer, "localhost")
    );
    let mainstay = guarded(&shop, &keys)
        .file("ca.pem", authority.pem())
        .start();
    let (old, new) = (&made["tokens"]["RS256"], &made["tokens"]["EdDSA"]);
    assert_eq!(status(&mainstay, old), 200);
    eventually("the new key", || {
        (status(&mainstay, new) == 200).then_some(())
    });
    assert_eq!(status(&mainstay, old), 401, "its key was taken back");
    assert_eq!(issuer.received().len(), 2);
    drop(issuer);
    assert_eq!(status(&mainstay, new), 200);
    assert_eq!(status(&mainstay, old), 401);
}

/// A token that says it comes from there.
fn token(issuer: &str) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = part(value!({ "alg": "ES256", "kid": "a" }).to_string());
    let claims = part(value!({ "iss": issuer, "exp": 99_999_999_999_u64 }).to_string());
    format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode([7; 64]))
}

/// What an issuer answers over TLS, and what is said of it.
fn faults(elsewhere: &Origin) -> Vec<(&'static str, Script, &'static str)> {
    let huge = "x".repeat((1 << 20) + 1);
    let length = huge.len();
    let to = elsewhere.address();
    vec![
        ("slow", Origin::hangs(), "no answer within 10 seconds"),
        (
            "huge",
            Origin::answers(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{huge}"
            )),
            "the answer is longer than 1 MiB",
        ),
        (
            "elsewhere",
            Origin::answers(format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{to}/keys\r\nContent-Length: 0\r\n\r\n"
            )),
            "the answer is 302 Found: redirections are not followed, so write the address it leads to",
        ),
        (
            "broken",
            Origin::answers("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
            "the answer is 503 Service Unavailable",
        ),
        (
            "garbage",
            Origin::answers("SSH-2.0-OpenSSH_9.6\r\n\r\n"),
            "the answer is no HTTP",
        ),
        (
            "cut",
            Origin::answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{").then_closes(),
            "the answer is no HTTP: cut_off",
        ),
        (
            "page",
            Origin::says("<html>Sign in</html>"),
            "it is no set of at most 100 keys",
        ),
        (
            "empty",
            Origin::says("{\"keys\":[]}"),
            "none of its keys can verify a signature",
        ),
    ]
}

#[test]
fn every_fault_of_an_issuer_is_told_and_lets_nobody_in() {
    let (ours, other) = (Authority::new(), Authority::new());
    let elsewhere = Origin::says("{}").start();
    let sound = ours.certifies("localhost");
    let mut cases: Vec<_> = faults(&elsewhere)
        .into_iter()
        .map(|(name, script, said)| (name, script.over_tls(&sound).start(), "localhost", said))
        .collect();
    let says = || Origin::says("{\"keys\":[]}");
    let stranger = says().over_tls(&other.certifies("localhost")).start();
    let expired = says().over_tls(&ours.certified_once("localhost")).start();
    let named = says().over_tls(&sound).start();
    cases.extend([
        (
            "stranger",
            stranger,
            "localhost",
            "its certificate comes from an authority that is not believed here; `ca_file` names another",
        ),
        (
            "expired",
            expired,
            "localhost",
            "its certificate does not hold: certificate expired",
        ),
        (
            "named",
            named,
            "127.0.0.1",
            "its certificate does not hold: certificate not valid for name \"127.0.0.1\"",
        ),
    ]);
    let issuers = cases.iter().map(|(name, issuer, host, _)| {
        let url = url(issuer, host);
        format!("[auth.jwt.{name}]\nissuer = \"{name}\"\njwks = \"{url}\"\nca_file = \"ca.pem\"\n")
    });
    let shop = Origin::says("shop").start();
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n{}",
        shop.address(),
        issuers.collect::<String>()
    );
    let mainstay = Mainstay::run("")
        .config(&config)
        .file("ca.pem", ours.pem())
        .start();
    for (name, issuer, host, said) in &cases {
        let field = format!("Bearer {}", token(name));
        let answer = mainstay.get_with("/", [("Authorization", &*field)]);
        assert_eq!(answer.status(), 503, "{name}: {}", answer.text());
        let url = url(issuer, host);
        mainstay
            .output_contains_eventually(&format!("the keys at {url} cannot be fetched ({said}"));
    }
    assert_eq!(shop.connections(), 0);
    assert_eq!(elsewhere.connections(), 0, "a redirection was followed");
}
