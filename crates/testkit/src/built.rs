//! Where our own programs are: beside the running test, as cargo built them.
//!
//! What may not be here: building them. `cargo xtask test` does that; a test that finds none fails and says so.

use std::path::{Path, PathBuf};

/// The program under test: `MAINSTAY_BIN`, else the one that was built with this test.
#[track_caller]
pub(crate) fn mainstay() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "an installed or instrumented program can be tested too"
    )]
    let named = std::env::var_os("MAINSTAY_BIN");
    named.map_or_else(
        || beside_the_test("mainstay", "mainstay-cli"),
        PathBuf::from,
    )
}

/// The app that misbehaves on request.
#[track_caller]
pub(crate) fn testapp() -> PathBuf {
    beside_the_test("mainstay-testapp", "mainstay-testapp")
}

/// A test is `target/PROFILE/deps/TEST`, an example or a doc test's program one folder further up.
#[track_caller]
fn beside_the_test(name: &str, package: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    let mut folders = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder: &Path| folder.join(name));
    let found = folders.find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no `{name}` beside {}; run `cargo build -p {package}`",
            test.display()
        )
    })
}
