//! Whatever is sent to the collector of policy reports, what is kept of it is short, visible, and no address with a query.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_pipeline::Violation;

fuzz_target!(|data: &[u8]| {
    let one = Violation::of_one(data).into_iter().flatten();
    let several = Violation::of_several(data).into_iter().flatten();
    for found in one.chain(several) {
        assert!(found.directive.len() <= 32 && found.blocked.len() <= 300);
        assert!(found.blocked.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!found.blocked.contains(['?', '#', ';', ',', '"', '\\']));
        assert!(found.page.chars().count() <= 120 && !found.page.contains('?'));
    }
});
