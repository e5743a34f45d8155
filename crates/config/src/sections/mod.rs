//! The sections of the file, one each: its settings, its keys with a sentence each, how it is read.

mod account;
mod app;
pub(crate) mod headers;
mod limits;
mod listen;
mod log;
mod preset;
mod reload;
mod route;
mod shutdown;
mod timeouts;
mod top;
mod upstream;

pub use app::{AppSettings, ReleaseSettings};
pub use limits::Limits;
pub use listen::ListenSettings;
pub use log::LogSettings;
pub use preset::{Layer, Preset};
pub use reload::{ReloadMode, ReloadSettings, Surge};
pub use route::RouteSettings;
pub use shutdown::ShutdownSettings;
pub use timeouts::Timeouts;
pub use upstream::UpstreamSettings;

pub(crate) use account::account;
pub(crate) use top::{SECTION as TOP, read};

/// Every section in the order of the reference.
pub(crate) const ALL: &[crate::Section] = &[
    top::SECTION,
    listen::SECTION,
    limits::SECTION,
    timeouts::SECTION,
    app::SECTION,
    reload::SECTION,
    shutdown::SECTION,
    upstream::SECTION,
    route::SECTION,
    headers::SECTION,
    headers::ADD,
    log::SECTION,
];
