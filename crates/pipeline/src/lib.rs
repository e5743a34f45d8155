//! One request to one response, in the fixed order.
//!
//! No sockets, no processes, no configuration files, and no clock but the exchange's. Everything
//! that is *decided* about a request is decided here; moving its bytes is somebody else's work.
//! The order itself stands in [`Pipeline`], its names in [`Step`].

mod body;
mod debug;
mod enforcement;
mod exchange;
mod forwarding;
mod identity;
mod interim;
mod layers;
mod name_set;
mod normal_path;
mod notices;
mod origin;
mod peer;
mod pipeline;
mod protected_fields;
mod readings;
mod refusal;
mod request_id;
mod sealed;
mod stages;
mod standing;
mod step;
mod suspension;
mod varies;

pub use body::{Body, BodyBroken, Frame, FrameSender, Frames, hand_off};
pub use debug::{DEBUG_FIELD, DebugToken};
pub use enforcement::Enforcement;
pub use exchange::{Exchange, Scheme};
pub use forwarding::{Forwarding, is_told_by_us, strip_hop_by_hop};
pub use identity::{Identity, IdentityKind};
pub use interim::{Interim, InterimHead};
pub use layers::Layers;
pub use normal_path::NormalPath;
pub use notices::Notices;
pub use origin::{Origin, Request, Response};
pub use peer::Peer;
pub use pipeline::{Answer, Options, Pipeline};
pub use readings::Readings;
pub use refusal::{Fault, Refusal};
pub use sealed::Sealed;
pub use stages::{
    AccessLog, Adaptation, AuthMethod, AuthOptions, BodyOptions, BreachGuard, CacheMemory,
    CacheOptions, CacheOutcome, CacheState, Coding, CompressOptions, Connection, CorsOptions,
    Credentials, CspBase, CspEffect, CspOptions, Directive, Ending, ErrorLog, ErrorOptions, Extent,
    FilterOptions, ForwardOptions, HeaderMode, HeaderOptions, HeaderPreset, HeaderSetting,
    HealthOptions, Heuristic, HiddenFiles, Inventory, KeptAnswer, KeptResource, KeyHash,
    KeyOptions, Leak, MaintenanceOptions, MethodRule, OriginCoding, OriginPattern, OverloadOptions,
    PageKind, PageOptions, PasswordHash, Priority, Purge, PurgeMode, QueryOrder, QueryRule,
    REPORT_PATH, Recorder, Refresh, Reported, RequestDirectives, RouteAdmission, RouteOptions,
    RouteTimeouts, Seen, StandardFields, Traps, UnsafeSharing, Validators, Verification, Violation,
    Violations, cache_sentence, jwt, make_key,
};
pub use stages::{
    Algorithm, BanOptions, KeyPart, Listed, NotATable, QuotaHeaders, RatePolicies, RatePolicy,
    RateState, RateTable, SharedAnswer, SharedBudget, SharedBudgets, SharedKey, SharedTurn,
    SharedWords, Sharing, Skip, WithoutStore,
};
pub use stages::{
    Claim, Claimed, Later, Put, Reach, Right, Shared, SharedAnswers, SharedName, SharedPlace,
    check_directives, check_entry,
};
pub use standing::{Phase, Place, Standing, Target, TargetKind, WaitOptions};
pub use step::{Step, Trail};
pub use suspension::Suspension;
