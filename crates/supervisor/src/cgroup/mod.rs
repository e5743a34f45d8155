//! Control groups (cgroup v2, the kernel's `Documentation/admin-guide/cgroup-v2.rst`): one for each app whose processes
//! together may have only so much memory, CPU and processes. Below the group that the instance was started in:
//!
//! ```text
//! …/ what the instance was started in
//!    └─ mainstay-NAME.PID/       of the instance
//!         ├─ control/            the control plane, the gateway, the guard, apps without limits
//!         └─ app.API/            the workers of an app
//! ```
//!
//! A group that shares out to groups below it may hold no processes of its own, therefore `control`. What may not be here:
//! limits of single processes (`limits`), and looking at what died (`memory`).

mod app;
mod home;
mod limits;

pub(crate) use app::AppGroup;
pub use home::Groups;
pub(crate) use home::remove;
pub use limits::GroupLimits;
