//! The sections of the file, one each: its settings, its keys with a sentence each, how it is read.

mod account;
mod app;
pub(crate) mod auth;
mod authorities;
pub(crate) mod body;
mod cache;
mod compress;
mod cors;
mod csp;
pub(crate) mod errors;
pub(crate) mod filter;
pub(crate) mod headers;
pub(crate) mod layers;
mod limits;
mod listen;
mod log;
mod maintenance;
mod overload;
mod preset;
pub(crate) mod rate_limit;
mod reload;
mod route;
mod shutdown;
mod timeouts;
mod top;
mod upstream;

pub(crate) use app::Cpus;
pub(crate) use app::is_nowhere;
pub use app::{
    AppListen, AppSettings, Awaited, LogForm, LogPlace, LogSharing, MaxMemory, OutputSettings,
    Ranks, Reach, ReleaseSettings, StartOrder, UpkeepSettings,
};
pub use authorities::Authorities;
pub use errors::PageSettings;
pub use limits::Limits;
pub use listen::ListenSettings;
pub use log::LogSettings;
pub use preset::{Layer, Preset};
pub use reload::{Percent, ReloadMode, ReloadSettings, Surge};
pub use route::RouteSettings;
pub use shutdown::ShutdownSettings;
pub use timeouts::Timeouts;
pub use upstream::UpstreamSettings;

/// The keys of each section that is there at most once, or once for each name.
pub(crate) mod keys {
    pub(crate) use super::app::SECTION as APP;
    pub(crate) use super::auth::{
        FORWARD as AUTH_FORWARD, JWT as AUTH_JWT, KEY as AUTH_KEY, SECTION as AUTH,
    };
    pub(crate) use super::body::SECTION as BODY;
    pub(crate) use super::cache::SECTION as CACHE;
    pub(crate) use super::compress::SECTION as COMPRESS;
    pub(crate) use super::cors::SECTION as CORS;
    pub(crate) use super::csp::SECTION as CSP;
    pub(crate) use super::errors::SECTION as ERRORS;
    pub(crate) use super::filter::SECTION as FILTER;
    pub(crate) use super::headers::SECTION as HEADERS;
    pub(crate) use super::limits::SECTION as LIMITS;
    pub(crate) use super::listen::SECTION as LISTEN;
    pub(crate) use super::log::SECTION as LOG;
    pub(crate) use super::maintenance::SECTION as MAINTENANCE;
    pub(crate) use super::overload::SECTION as OVERLOAD;
    pub(crate) use super::rate_limit::SECTION as RATE_LIMIT;
    pub(crate) use super::reload::SECTION as RELOAD;
    pub(crate) use super::route::SECTION as ROUTE;
    pub(crate) use super::shutdown::SECTION as SHUTDOWN;
    pub(crate) use super::timeouts::SECTION as TIMEOUTS;
    pub(crate) use super::upstream::SECTION as UPSTREAM;
}

pub(crate) use account::account;
pub(crate) use top::{SECTION as TOP, check, read};

/// Every section in the order of the reference.
pub(crate) const ALL: &[crate::Section] = &[
    top::SECTION,
    top::PROFILE,
    listen::SECTION,
    limits::SECTION,
    timeouts::SECTION,
    app::SECTION,
    reload::SECTION,
    shutdown::SECTION,
    upstream::SECTION,
    route::SECTION,
    maintenance::SECTION,
    overload::SECTION,
    filter::SECTION,
    cors::SECTION,
    auth::SECTION,
    auth::USERS,
    auth::KEY,
    rate_limit::SECTION,
    auth::JWT,
    auth::FORWARD,
    body::SECTION,
    cache::SECTION,
    compress::SECTION,
    headers::SECTION,
    csp::SECTION,
    headers::ADD,
    errors::SECTION,
    errors::PAGES,
    log::SECTION,
];
