//! Whatever origins and clients say of caching, and whatever machines find in a store, is read without harm; what is no whole entry about
//! that URL is none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_pipeline::{check_directives, check_entry};

fuzz_target!(|data: &[u8]| {
    check_directives(data);
    // another URL's is none, whatever it is
    if check_entry(data, "api", "http://a.example/") {
        assert!(!check_entry(data, "api", "http://a.example/other"));
        assert!(!check_entry(data, "web", "http://a.example/"));
    }
});
