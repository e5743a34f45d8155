//! What the codec accepts hyper's server accepts too, and reads the same in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/codec/tests/differential/judge.rs"]
mod judge;

fuzz_target!(|input: &[u8]| {
    if let Some(ours) = judge::read(input) {
        assert_eq!(Some(ours), judge::hyper_read(input));
    }
});
