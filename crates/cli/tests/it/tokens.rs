//! Signed tokens through the whole program: made by npm's `jose`, verified with keys of files, of the environment, and
//! of an issuer that rotates and dies.

use std::process::Command;

use mainstay_testkit::{Folder, Mainstay, Origin, Running, eventually};
use serde_json::Value;

/// Makes keys, tokens signed by them, and what an issuer would publish; as JSON.
const JOSE: &str = r"
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';
const now = Math.floor(Date.now() / 1000);
const token = (alg, key, claims = {}, kid = alg) => new SignJWT({ scope: 'orders:read', org: 'o-1', ...claims })
  .setProtectedHeader({ alg, kid }).setIssuer('https://id.example/').setAudience('shop').setSubject('anna')
  .setIssuedAt().setExpirationTime(claims.exp ?? now + 3600).sign(key);
const out = { tokens: {}, pem: {} };
const jwks = {};
for (const alg of ['RS256', 'PS384', 'ES256', 'ES384', 'EdDSA']) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  jwks[alg] = { ...await exportJWK(publicKey), kid: alg, alg, use: 'sig' };
  out.tokens[alg] = await token(alg, privateKey);
  out.pem[alg] = await exportSPKI(publicKey);
  if (alg === 'ES256') {
    out.expired = await token(alg, privateKey, { exp: now - 3600 });
    out.elsewhere = await token(alg, privateKey, { scope: 'orders:write' });
    out.forged = await token('HS256', new TextEncoder().encode(out.pem[alg]));
  }
}
const secret = new TextEncoder().encode(process.env.SECRET);
for (const alg of ['HS256', 'HS512']) out.tokens[alg] = await token(alg, secret);
const { EdDSA, ...first } = jwks;
out.first = { keys: Object.values(first) };
out.all = { keys: Object.values(jwks) };
console.log(JSON.stringify(out));
";

const SECRET: &str = "a secret of sixty-four bytes and more, which is what HS512 demands of it";

pub(crate) fn made() -> Value {
    let folder = Folder::new();
    folder.link_packages();
    folder.write("tokens.mjs", JOSE);
    let output = Command::new("node")
        .arg("tokens.mjs")
        .current_dir(folder.path())
        .env("SECRET", SECRET)
        .output()
        .expect("node is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

pub(crate) fn json(body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The program in front of the shop, with these words below `[auth.jwt.staff]`.
pub(crate) fn guarded(shop: &Origin, words: &str) -> Mainstay {
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n[auth]\nhide_credentials = true\n[auth.jwt.staff]\nissuer = \"https://id.example/\"\n\
         audience = \"shop\"\nclaims = {{ sub = \"x-user-id\", org = \"x-org\" }}\nmatch = {{ scope = \"orders:read\" }}\n{words}",
        shop.address()
    );
    Mainstay::run("").config(&config)
}

pub(crate) fn status(mainstay: &Running, token: &Value) -> u16 {
    let token = token.as_str().expect("a token");
    let field = format!("Bearer {token}");
    let forged = ("X_User_Id", "root");
    mainstay
        .get_with("/", [("Authorization", &*field), forged])
        .status()
}

#[test]
fn tokens_of_jose_are_verified_with_keys_that_the_issuer_publishes_rotates_and_takes_along() {
    let made = made();
    let shop = Origin::says("shop").start();
    let issuer = Origin::answers(json(&made["first"]))
        .then_answers(json(&made["all"]))
        .start();
    let jwks = format!(
        "jwks = \"http://{}/keys\"\ncookie = \"session\"\n",
        issuer.address()
    );
    let mainstay = guarded(&shop, &jwks).start();
    for algorithm in ["RS256", "PS384", "ES256", "ES384"] {
        assert_eq!(
            status(&mainstay, &made["tokens"][algorithm]),
            200,
            "{algorithm}"
        );
    }
    for (name, wanted) in [("expired", 401), ("elsewhere", 403), ("forged", 401)] {
        assert_eq!(status(&mainstay, &made[name]), wanted, "{name}");
    }
    assert_eq!(status(&mainstay, &made["tokens"]["HS512"]), 401);
    mainstay
        .get_with("/", [("Authorization", "Bearer a.b.c")])
        .expect(401)
        .header_is(
            "www-authenticate",
            "Bearer realm=\"restricted\", error=\"invalid_token\", error_description=\"it is not accepted here\"",
        );
    let cookie = format!(
        "session={}",
        made["tokens"]["ES256"].as_str().expect("a token")
    );
    mainstay.get_with("/", [("Cookie", &*cookie)]).expect(200);
    for request in shop.received() {
        assert!(request.head.contains("x-user-id: anna"), "{}", request.head);
        assert!(request.head.contains("x-org: o-1"), "{}", request.head);
        assert!(
            !request.head.to_lowercase().contains("root"),
            "{}",
            request.head
        );
        assert!(!request.head.contains("authorization"), "{}", request.head);
    }
    // a key that came later is fetched when it is met, but not at every token that names one
    eventually("the new key", || {
        (status(&mainstay, &made["tokens"]["EdDSA"]) == 200).then_some(())
    });
    assert_eq!(issuer.received().len(), 2);
    drop(issuer);
    assert_eq!(status(&mainstay, &made["tokens"]["RS256"]), 200);
    mainstay
        .output_contains_eventually("\"user\":\"anna\"")
        .output_contains_eventually("\"reason\":\"token_expired\"")
        .output_lacks(made["tokens"]["RS256"].as_str().expect("a token"));
}

#[test]
fn an_issuer_that_was_never_there_lets_nobody_in_and_is_asked_again() {
    let made = made();
    let shop = Origin::says("shop").start();
    let issuer = Origin::answers("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
        .then_answers(json(&made["all"]))
        .start();
    let jwks = format!("jwks = \"http://{}/keys\"\n", issuer.address());
    let mainstay = guarded(&shop, &jwks).start();
    let token = &made["tokens"]["RS256"];
    // 503 or, once the second attempt has brought keys, 200: never 401 to a token that may be good
    let answers = std::iter::repeat_with(|| status(&mainstay, token));
    let answers: Vec<u16> = answers.take(2).collect();
    assert!(
        answers.iter().all(|status| matches!(status, 200 | 503)),
        "{answers:?}"
    );
    eventually("the keys", || {
        (status(&mainstay, token) == 200).then_some(())
    });
    mainstay.output_contains_eventually("cannot be fetched (the answer is 500");
}

#[test]
fn keys_of_files_and_of_the_environment_verify_their_own_signatures_only() {
    let made = made();
    let shop = Origin::says("shop").start();
    let pem = made["pem"]["ES384"].as_str().expect("a key");
    let mainstay = guarded(&shop, "key_file = \"issuer.pem\"\n")
        .file("issuer.pem", pem)
        .start();
    for (algorithm, wanted) in [("ES384", 200), ("ES256", 401), ("HS256", 401)] {
        assert_eq!(
            status(&mainstay, &made["tokens"][algorithm]),
            wanted,
            "{algorithm}"
        );
    }
    let mainstay = guarded(&shop, "secret_env = \"JWT_SECRET\"\n")
        .env("JWT_SECRET", SECRET)
        .start();
    for (algorithm, wanted) in [("HS256", 200), ("HS512", 200), ("RS256", 401)] {
        assert_eq!(
            status(&mainstay, &made["tokens"][algorithm]),
            wanted,
            "{algorithm}"
        );
    }
    mainstay.output_lacks(SECRET);
}
