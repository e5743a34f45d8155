//! The stages that have something to decide, one concern a file. Their order stands in `pipeline`.

mod admission;
mod authenticate;
mod body;
pub(crate) mod cache;
mod compress;
mod cors;
mod error_log;
mod filter;
mod headers;
mod health;
mod identify;
pub(crate) mod limit_rate;
pub(crate) mod overload;
mod pages;
mod record;
mod reports;
mod routes;
mod scrub;

pub(crate) use admission::Admission;
pub use admission::MaintenanceOptions;
pub use authenticate::{
    AuthMethod, AuthOptions, ForwardOptions, KeyHash, KeyOptions, PasswordHash, Seen, Verification,
    jwt, make_key,
};
pub(crate) use authenticate::{Authentication, Check};
pub use body::BodyOptions;
pub(crate) use body::LimitSize;
pub(crate) use cache::Cache;
pub use cache::{
    CacheMemory, CacheOptions, CacheOutcome, CacheState, Claim, Claimed, Credentials, Extent,
    Heuristic, Inventory, KeptAnswer, KeptResource, Later, Purge, PurgeMode, Put, QueryOrder,
    QueryRule, Reach, Refresh, RequestDirectives, Right, Shared, SharedAnswers, SharedName,
    SharedPlace, UnsafeSharing, Validators, cache_sentence, check_directives, check_entry,
};
pub use compress::{BreachGuard, Coding, CompressOptions, OriginCoding};
pub(crate) use compress::{Compress, Encoded, Wish};
pub(crate) use cors::Cors;
pub use cors::{CorsOptions, OriginPattern};
pub use error_log::ErrorLog;
pub(crate) use filter::Filter;
pub use filter::{FilterOptions, HiddenFiles, MethodRule, Traps};
pub(crate) use headers::Headers;
pub use headers::{
    CspBase, CspEffect, CspOptions, Directive, HeaderMode, HeaderOptions, HeaderPreset,
    HeaderSetting, REPORT_PATH, StandardFields,
};
pub(crate) use health::Health;
pub use health::HealthOptions;
pub(crate) use identify::Identify;
pub use limit_rate::{
    Algorithm, BanOptions, KeyPart, Listed, NotATable, QuotaHeaders, RatePolicies, RatePolicy,
    RateState, RateTable, SharedAnswer, SharedBudget, SharedBudgets, SharedKey, SharedTurn,
    SharedWords, Sharing, Skip, WithoutStore,
};
pub(crate) use limit_rate::{Guesses, LimitRate, Owed, Quota, TrapBans};
pub(crate) use overload::Overload;
pub use overload::{Adaptation, Connection, OverloadOptions, Priority, RouteAdmission};
pub(crate) use pages::Pages;
pub use pages::{PageKind, PageOptions};
pub use record::{AccessLog, Ending, Recorder};
pub(crate) use reports::Reports;
pub use reports::{Reported, Violation, Violations};
pub(crate) use routes::Routes;
pub use routes::{RouteOptions, RouteTimeouts};
pub(crate) use scrub::Scrub;
pub use scrub::{ErrorOptions, Leak};
