//! Where the packages of the test apps are.
//!
//! What may not be here: installing. `cargo xtask test` does that, once, from the lock files of `tests/apps`;
//! a test that finds nothing fails and says so.

use std::path::{Path, PathBuf};

/// The workspace, from this crate's own place in it.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The source of one app of `tests/apps`.
#[track_caller]
pub(crate) fn app(name: &str) -> PathBuf {
    existing(&workspace().join("tests/apps").join(name), "no such app")
}

/// The source of one app of `examples`.
#[track_caller]
pub(crate) fn example(name: &str) -> PathBuf {
    existing(&workspace().join("examples").join(name), "no such example")
}

/// The installed Node packages.
#[track_caller]
pub(crate) fn node_modules() -> PathBuf {
    existing(
        &cache("node/node_modules"),
        "the Node packages of the test apps are not installed; run `cargo xtask test` once",
    )
}

/// PM2's program, to be run by Node.
#[track_caller]
pub fn pm2() -> PathBuf {
    existing(
        &cache("pm2/node_modules/pm2/bin/pm2"),
        "PM2, with which Mainstay is compared, is not installed; run `cargo xtask test` once",
    )
}

/// The folder with `uvicorn`, `gunicorn` and their Python.
#[track_caller]
pub(crate) fn python() -> PathBuf {
    existing(
        &cache("python/bin"),
        "the Python packages of the test apps are not installed; run `cargo xtask test` once",
    )
}

/// The paths that scanners ask for, as the package `dirsearch` lists them: without the slash in front, some with queries.
#[track_caller]
pub fn scanner_paths() -> Vec<String> {
    let list = existing(
        &cache("lists/dirsearch/db/dicc.txt"),
        "the lists that tests read are not installed; run `cargo xtask test` once",
    );
    let text = std::fs::read(list).expect("a list");
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::to_owned).collect()
}

fn cache(name: &str) -> PathBuf {
    workspace().join("target/test-packages").join(name)
}

#[track_caller]
fn existing(path: &Path, otherwise: &str) -> PathBuf {
    path.canonicalize()
        .unwrap_or_else(|_| panic!("{otherwise} ({})", path.display()))
}
