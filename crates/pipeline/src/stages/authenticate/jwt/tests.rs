//! Vectors of the RFCs, and tokens that must not get through.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::hmac;
use serde_json::json;

use super::*;
use crate::Sealed;

/// RFC 7515, A.2 and A.3: the same claims of `joe`, to 1300819380.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RS256: (&str, &str) = (
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);
const ES256: (&str, &str) = (
    "eyJhbGciOiJFUzI1NiJ9",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
);
const SECRET: &str = "a secret of more than sixty-four bytes, which is what HS512 asks of it";

fn published() -> Vec<u8> {
    json!({ "keys": [
        { "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
        { "kty": "RSA", "kid": "for encryption", "use": "enc", "n": "AQAB", "e": "AQAB" },
        { "kty": "RSA", "kid": "rsa", "e": "AQAB",
          "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
        { "kty": "EC", "crv": "P-256", "alg": "ES256",
          "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
        { "kty": "EC", "crv": "P-521" }, { "kty": 7 }, "nothing",
    ]})
    .to_string()
    .into_bytes()
}

fn options(keys: KeySource) -> TokenOptions {
    TokenOptions {
        name: "test".to_owned(),
        keys,
        source: (String::new(), String::new()),
        authorities_file: None,
        issuer: Some("joe".to_owned()),
        audience: Vec::new(),
        algorithms: Vec::new(),
        leeway: Duration::from_secs(30),
        required: vec!["exp".to_owned()],
        matching: [].into(),
        claims: [].into(),
        cookie: None,
    }
}

fn fetched() -> Issuer {
    let sets = KeySets::default();
    let (url, authorities) = ("https://id.example/keys".to_owned(), None);
    assert_eq!(sets.of(&url).publish(&published()), Ok(2));
    Issuer::new(options(KeySource::Fetched { url, authorities }), &sets)
}

fn shared(change: impl FnOnce(&mut TokenOptions)) -> Issuer {
    let mut options = options(KeySource::Secret(Sealed::new(SECRET.to_owned())));
    change(&mut options);
    Issuer::new(options, &KeySets::default())
}

fn outcome(issuer: &Issuer, token: &str, now: u64) -> Result<String, Flaw> {
    let now = UNIX_EPOCH + Duration::from_secs(now);
    match verify(std::slice::from_ref(issuer), token, now).0 {
        Verdict::Good(identity) => Ok(identity.name.to_string()),
        Verdict::Bad(flaw) => Err(flaw),
        Verdict::Unknown(_) => Err(Flaw::UnknownKey),
        Verdict::NoKeys(_) => panic!("there are keys"),
    }
}

/// Signed with our secret, whatever the header says.
fn signed(header: &serde_json::Value, claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let hash = match header["alg"].as_str() {
        Some("HS384") => hmac::HMAC_SHA384,
        Some("HS512") => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(hash, SECRET.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const BEFORE: u64 = 1_300_819_000;

#[test]
fn the_vectors_of_rfc_7515_verify_and_nothing_near_them_does() {
    let issuer = fetched();
    for (header, signature) in [RS256, ES256] {
        let token = format!("{header}.{CLAIMS}.{signature}");
        assert_eq!(outcome(&issuer, &token, BEFORE), Ok(String::new()));
        assert_eq!(outcome(&issuer, &token, BEFORE + 1_000), Err(Flaw::Expired));
        let other = CLAIMS.replacen("eyJpc3Mi", "eyJpc3Nj", 1);
        let token = format!("{header}.{other}.{signature}");
        assert!(outcome(&issuer, &token, BEFORE).is_err());
        let other = if signature.starts_with('D') { 'E' } else { 'D' };
        let token = format!("{header}.{CLAIMS}.{other}{}", &signature[1..]);
        assert_eq!(outcome(&issuer, &token, BEFORE), Err(Flaw::Signature));
    }
    // each with the other's signature
    let token = format!("{}.{CLAIMS}.{}", RS256.0, ES256.1);
    assert_eq!(outcome(&issuer, &token, BEFORE), Err(Flaw::Signature));
}

#[test]
fn the_vector_of_rfc_8037_verifies() {
    let key = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    let keys = key::keys_of_set(key.to_string().as_bytes()).expect("a set");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    assert!(keys[0].fits(Algorithm::EdDsa) && !keys[0].fits(Algorithm::Hs256));
    assert!(keys[0].verifies(Algorithm::EdDsa, message, &signature));
    assert!(!keys[0].verifies(Algorithm::EdDsa, &message[1..], &signature));
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let claims = json!({ "iss": "joe", "sub": "anna", "exp": BEFORE });
    let issuer = shared(|_| ());
    for name in ["HS256", "HS384", "HS512"] {
        let token = signed(&json!({ "alg": name }), &claims);
        assert_eq!(
            outcome(&issuer, &token, BEFORE),
            Ok("anna".to_owned()),
            "{name}"
        );
    }
    for (header, flaw) in [
        (json!({ "alg": "none" }), Flaw::Algorithm),
        (json!({ "alg": "hs256" }), Flaw::Algorithm),
        (json!({ "alg": "RS256" }), Flaw::Algorithm),
        (json!({ "alg": "" }), Flaw::Algorithm),
        (json!({}), Flaw::Malformed),
        (
            json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 }),
            Flaw::Malformed,
        ),
        (json!({ "alg": ["HS256"] }), Flaw::Malformed),
    ] {
        let token = signed(&header, &claims);
        assert_eq!(outcome(&issuer, &token, BEFORE), Err(flaw), "{header}");
        let unsigned = token.rsplit_once('.').expect("three parts").0;
        assert!(outcome(&issuer, &format!("{unsigned}."), BEFORE).is_err());
    }
    // the public key is known to everybody: it is no secret
    let token = signed(&json!({ "alg": "HS256", "kid": "rsa" }), &claims);
    assert_eq!(outcome(&fetched(), &token, BEFORE), Err(Flaw::UnknownKey));
    // of those that fit the key, only those that the settings name
    let strict = shared(|options| options.algorithms = vec![Algorithm::Hs512]);
    let token = signed(&json!({ "alg": "HS256" }), &claims);
    assert_eq!(outcome(&strict, &token, BEFORE), Err(Flaw::Algorithm));
    // a secret that is shorter than the hash
    let short =
        shared(|options| options.keys = KeySource::Secret(Sealed::new(SECRET[..31].to_owned())));
    assert_eq!(outcome(&short, &token, BEFORE), Err(Flaw::Algorithm));
}

#[test]
fn claims_are_demanded() {
    let issuer = shared(|options| {
        options.audience = vec!["api".to_owned(), "web".to_owned()];
        options.required.push("sub".to_owned());
    });
    let good = json!({ "iss": "joe", "sub": "anna", "aud": "api", "exp": BEFORE, "nbf": BEFORE });
    for (change, now, outcome_wanted) in [
        (json!({}), BEFORE, Ok("anna".to_owned())),
        (json!({}), BEFORE + 29, Ok("anna".to_owned())),
        (json!({}), BEFORE + 30, Err(Flaw::Expired)),
        (json!({}), BEFORE - 30, Ok("anna".to_owned())),
        (json!({}), BEFORE - 31, Err(Flaw::NotYet)),
        (
            json!({ "exp": BEFORE as f64 + 0.5 }),
            BEFORE + 30,
            Ok("anna".to_owned()),
        ),
        (json!({ "exp": 1e300 }), BEFORE, Ok("anna".to_owned())),
        (json!({ "exp": -1 }), BEFORE, Err(Flaw::Expired)),
        (json!({ "exp": "never" }), BEFORE, Err(Flaw::Malformed)),
        (json!({ "exp": null }), BEFORE, Err(Flaw::Malformed)),
        (
            json!({ "aud": ["x", "web"] }),
            BEFORE,
            Ok("anna".to_owned()),
        ),
        (json!({ "aud": ["x"] }), BEFORE, Err(Flaw::Audience)),
        (json!({ "aud": "apix" }), BEFORE, Err(Flaw::Audience)),
        (json!({ "aud": {} }), BEFORE, Err(Flaw::Audience)),
        (json!({ "iss": "Joe" }), BEFORE, Err(Flaw::Issuer)),
        (json!({ "iss": ["joe"] }), BEFORE, Err(Flaw::Issuer)),
    ] {
        let mut claims = good.clone();
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let token = signed(&json!({ "alg": "HS256" }), &claims);
        assert_eq!(
            outcome(&issuer, &token, now),
            outcome_wanted,
            "{change} {now}"
        );
    }
    for missing in ["exp", "sub", "aud", "iss"] {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(missing);
        let token = signed(&json!({ "alg": "HS256" }), &claims);
        assert!(outcome(&issuer, &token, BEFORE).is_err(), "{missing}");
    }
}

#[test]
fn sets_are_bounded_and_bad_ones_change_nothing() {
    let set = KeySet::default();
    assert_eq!(set.publish(&published()), Ok(2));
    let many = json!({ "keys": vec![json!({ "kty": "RSA" }); 101] });
    for bytes in [
        "",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        &many.to_string(),
    ] {
        assert!(set.publish(bytes.as_bytes()).is_err(), "{bytes:.40}");
    }
    assert_eq!(set.keys().map(|keys| keys.len()), Some(2));
}

#[test]
fn keys_in_pem_are_told_from_what_is_none() {
    // `openssl genpkey -algorithm ed25519 | openssl pkey -pubout`, and the like of P-256
    let ed25519 = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let keys = keys_of_pem(&format!("a remark\n{ed25519}{ed25519}")).expect("two keys");
    assert!(keys.len() == 2 && keys[0].fits(Algorithm::EdDsa));
    for (text, part) in [
        ("", "no `-----BEGIN"),
        (&ed25519.replace("PUBLIC KEY", "PRIVATE KEY"), "private key"),
        (&ed25519.replace("PUBLIC KEY", "CERTIFICATE"), "certificate"),
        (
            &ed25519.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
            "another kind",
        ),
        (&ed25519.replace("MCow", "MCox"), "none of RSA"),
        (&ed25519.replace("MCow", "!!!!"), "base64"),
        (&ed25519[..60], "end is missing"),
    ] {
        let fault = keys_of_pem(text).expect_err(text);
        assert!(fault.contains(part), "{text}: {fault}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[A-Za-z0-9_.=-]{0,80}", header in "\\PC{0,40}", claims in "\\PC{0,40}") {
        let issuer = shared(|_| ());
        prop_assert!(outcome(&issuer, &text, BEFORE).is_err());
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{text}", part(&header), part(&claims));
        prop_assert!(outcome(&issuer, &token, BEFORE).is_err());
    }

    #[test]
    fn no_other_signature_is_taken(byte in 0_usize..32, bit in 0_u8..8) {
        let token = signed(&json!({ "alg": "HS256" }), &json!({ "iss": "joe", "exp": BEFORE }));
        let (text, signature) = token.rsplit_once('.').expect("three parts");
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        bytes[byte] ^= 1 << bit;
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert_eq!(outcome(&shared(|_| ()), &token, BEFORE), Err(Flaw::Signature));
    }
}
