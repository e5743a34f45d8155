//! Facts in, text out: metrics, access records, timestamps; and what apps wrote, as people are to see it.
//!
//! Knows no HTTP server, no process and sends nothing. Counters are written by one thread each and
//! summed when somebody asks, so that counting costs a store and no lock.

mod access;
mod cache;
mod counter;
mod error;
mod exposition;
mod histogram;
mod json;
pub mod log;
pub mod names;
mod refusals;
mod requests;
mod timestamp;
mod totals;

pub use access::{AccessRecord, is_masked};
pub use cache::{CacheMetrics, CacheTotals};
pub use counter::{Counter, Gauge};
pub use error::ErrorRecord;
pub use exposition::Exposition;
pub use histogram::{BUCKETS, Histogram, HistogramSum};
pub use json::write_json_string;
pub use refusals::{Effect, NO_STEP, RefusalKey, RefusalKind, RefusalMetrics, RefusalTotals};
pub use requests::{NO_ROUTE, RequestMetrics, RequestTotals, SeriesKey, StatusSlot};
pub use timestamp::{Timestamp, TimestampCache};
pub use totals::Totals;
