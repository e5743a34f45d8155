//! Any text as a rule that names requests, hosts, paths, files, origins, keys or clients: what is read prints as what is read to the
//! same, and asking it ends.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use mainstay_pipeline::{KeyPart, Listed, OriginPattern, Readings};
use mainstay_values::{HostPattern, NamePattern, Network, PathPattern, Rate, RequestPattern};

fn read<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let printed = value.to_string();
    match printed.parse::<T>() {
        Ok(again) => assert_eq!(again, value, "{printed:?}"),
        Err(_) => panic!("{printed:?} was printed and cannot be read"),
    }
    Some(value)
}

fuzz_target!(|text: &str| {
    let (rule, asked) = text.split_once('\n').unwrap_or((text, "/"));
    read::<Network>(rule);
    read::<Rate>(rule);
    read::<KeyPart>(rule);
    read::<Listed>(rule);
    if let Some(pattern) = read::<RequestPattern>(rule) {
        let readings = Readings::of(asked);
        let _ = pattern.matches("GET", asked, |path| readings.meet(path));
    }
    if let Some(pattern) = read::<PathPattern>(rule) {
        // whoever reads loosely finds whatever is found by the letter
        if pattern.matches(asked) && !asked.contains('%') {
            assert!(pattern.covers(asked.as_bytes()), "{pattern} {asked:?}");
        }
    }
    if let Some(pattern) = read::<HostPattern>(rule) {
        let is_meant = pattern.matches(asked);
        assert_eq!(pattern.matches(&asked.to_ascii_uppercase()), is_meant);
    }
    if let Some(pattern) = read::<NamePattern>(rule) {
        let _ = pattern.matches(asked.as_bytes());
    }
    if let Some(pattern) = read::<OriginPattern>(rule) {
        let _ = pattern.matches(asked);
    }
});
