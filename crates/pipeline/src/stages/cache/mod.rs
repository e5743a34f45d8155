//! The shared cache: answers that origins allow to be kept, for all who ask the same.
//!
//! - **Does**: answers from memory while an answer is fresh; asks once for many who ask the same, and hands the body to all of them
//!   as it comes; asks whether an old answer still holds; uses one after its time where that is allowed. Cuts out ranges, answers
//!   conditions and HEAD. Forgets what unsafe methods change.
//! - **Leaves alone**: requests that may be one person's (`Cookie`, `Authorization`, a verified sender), requests with a body or with
//!   fields that some servers take for the method or path; answers with `Set-Cookie`, `private`, `no-store`, `Vary: *`, broken ones,
//!   and those that do not say how long they are fresh.
//! - **Refuses**: 504 where a client wants a kept answer or none (`only-if-cached`).
//! - **Deployment caveat**: what an app says to be fresh is believed. One that says so of a page with a name on it shows it to all.
//! - **Follows**: RFC 9111, 9110 (13 to 15), 9211, 9213, 5861, 8246.
//!
//! Bodies are kept as the origin sent them; codings are added beside them where they are first needed (`compress`).

mod answer;
mod conditions;
mod date;
mod directives;
mod fetch;
mod fill;
mod flight;
mod inventory;
mod keeping;
mod key;
mod leading;
mod memory;
mod note;
mod options;
mod passing;
mod purge;
mod ranges;
mod request;
mod sentence;
mod stage;
mod stored;
mod structured;
mod tag;
mod terms;
mod together;
mod usage;

pub(crate) use answer::{Kept, KnownCoding};
pub use directives::check_directives;
pub use fetch::Refresh;
pub(crate) use fetch::{Fetch, Found, Outcome};
pub(crate) use fill::Reader;
pub use inventory::{Inventory, KeptAnswer, KeptResource};
pub use memory::CacheMemory;
pub use note::CacheOutcome;
pub(crate) use note::{CACHE_STATUS, Note};
pub use options::{
    CacheOptions, CacheState, Credentials, Heuristic, QueryOrder, QueryRule, Reach,
    RequestDirectives, UnsafeSharing, Validators,
};
pub use purge::{Extent, Purge, PurgeMode};
pub use sentence::cache_sentence;
pub(crate) use stage::{Cache, Meeting, On, Search};
pub use together::{
    Claim, Claimed, Later, Put, Right, Shared, SharedAnswers, SharedName, SharedPlace, check_entry,
};

#[cfg(test)]
mod tests;
