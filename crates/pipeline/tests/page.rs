//! `docs/life-of-a-request.md` says what `Step` says. `UPDATE=1` writes the page.

use std::fmt::Write as _;
use std::path::Path;

use mainstay_pipeline::Step;

const BEFORE: &str = "\
# The life of a request

Every request passes these steps, always in this order; no setting changes it. A step that is off says yes. The steps a
request took are its trail.

| | step | what it does | may answer with |
|---|---|---|---|
";

const AFTER: &str = "
What the reader of messages refuses before any step (400, 408, 414, 417, 431, 501, 505) goes through `pages`, `headers` and `record` all the
same: a refusal is an answer like any other, with a request id and an access line.

Some steps are in place and have nothing to do yet; the [README](../README.md#what-is-not-there-yet) names them.

*Made from `Step` in `crates/pipeline/src/step.rs` by `cargo xtask generate`; edit it there.*
";

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/life-of-a-request.md");
    if update_asked() {
        std::fs::write(&path, page()).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("docs/life-of-a-request.md");
    assert!(found == page(), "run `cargo xtask generate`");
}

fn page() -> String {
    let mut page = BEFORE.to_owned();
    for (number, step) in Step::ALL.into_iter().enumerate() {
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} |",
            number + 1,
            step.name(),
            step.sentence(),
            step.statuses()
        );
    }
    page + AFTER
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite the page"
)]
fn update_asked() -> bool {
    std::env::var_os("UPDATE").is_some()
}
