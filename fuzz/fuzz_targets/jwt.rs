//! Whatever is shown as a token, in parts or whole, is nobody's without the secret; whatever is read as a set of keys or as PEM
//! is read within bounds.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use mainstay_pipeline::Sealed;
use mainstay_pipeline::jwt::{KeySet, KeySource, TokenOptions, identify, keys_of_pem};

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn options(keys: KeySource) -> TokenOptions {
    TokenOptions {
        name: "fuzz".to_owned(),
        keys,
        source: (String::new(), String::new()),
        authorities_file: None,
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        leeway: Duration::ZERO,
        required: Vec::new(),
        matching: [].into(),
        claims: [].into(),
        cookie: None,
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(keys) = KeySet::default().publish(data) {
        assert!((1..=100).contains(&keys));
    }
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = keys_of_pem(text);
    let secret = KeySource::Secret(Sealed::new("nobody who fuzzes knows this secret".to_owned()));
    for keys in [secret, KeySource::Public(KEY.to_owned())] {
        let options = options(keys);
        for header in ["", "eyJhbGciOiJIUzI1NiJ9.", "eyJhbGciOiJFZERTQSJ9.", "eyJhbGciOiJub25lIn0."] {
            let token = format!("{header}{text}");
            assert!(identify(&token, &options, SystemTime::UNIX_EPOCH).is_err());
        }
    }
});
