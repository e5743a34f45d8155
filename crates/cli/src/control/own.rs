//! This very program as another process of the instance: gateway, guard. Starts nothing itself.

use std::ffi::OsString;

use mainstay_supervisor::process::Spawn;

/// The allocator asks the kernel for pages of 2 MiB unless told otherwise: processes that do little would hold
/// megabytes of which they need a tenth, and a busy gateway pays nothing more per request for small ones.
pub(super) const SMALL_PAGES: (&str, &str) = ("MIMALLOC_ALLOW_THP", "0");

/// The program, even if its file was replaced meanwhile, as `mainstay ROLE NAME`. It gets nothing of our
/// environment, and a word for its allocator.
pub(super) fn process(role: &str, name: &str) -> Spawn {
    let mut spawn = Spawn::new("/proc/self/exe");
    spawn.title = Some(OsString::from("mainstay"));
    spawn.arguments = vec![role.into(), name.into()];
    spawn.env = vec![(SMALL_PAGES.0.into(), SMALL_PAGES.1.into())];
    spawn
}
