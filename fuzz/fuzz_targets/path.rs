//! Any text as a path: its readings stay within their bounds, a reading adds no others, and whoever decodes, resolves or
//! cuts in some order arrives at one of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_pipeline::{NormalPath, Readings};
use mainstay_values::PathPattern;

fuzz_target!(|text: &str| {
    if !text.starts_with('/') {
        return;
    }
    let readings = Readings::of(text);
    let count = readings.iter().count();
    assert!(count <= 65);
    let everything: PathPattern = "/".parse().expect("a pattern");
    assert!(readings.meet(&everything));
    let _ = NormalPath::is_sound(text);
    let normal = NormalPath::new(text);
    let again = NormalPath::new(normal.as_str());
    assert!(again.as_str().starts_with('/'));
    if !readings.are_complete() {
        return;
    }
    for reading in readings.iter().filter_map(|reading| str::from_utf8(reading).ok()) {
        assert!(Readings::of(reading).iter().all(|other| readings.any(|known| known == other)));
    }
    if let Ok(pattern) = normal.as_str().parse::<PathPattern>() {
        assert!(readings.meet(&pattern), "{text:?} is not what it is: {pattern}");
    }
});
