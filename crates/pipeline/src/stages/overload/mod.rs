//! What happens when more comes than can be worked on: how many requests may be under way, who waits, who is refused.
//!
//! - **Does**: bounds the connections of clients, in all and of each; bounds the requests that are under way on a route, and at the workers of a target; makes the excess wait for a
//!   short while, those of higher priority first.
//! - **Refuses**: 503 with `Retry-After`, at once when too many wait, else when the wait is over.
//! - **Deployment caveat**: every gateway process counts for itself; all its threads count together. Once an answer turns out
//!   to be an event stream or a tunnel, it counts no more.
//!
//! Knows nothing of what the requests are about: that is the routes' and their priorities'.

mod adaptive;
mod connections;
mod gate;
mod options;
mod queue;
mod stage;

use adaptive::Adaptive;
pub use connections::Connection;
pub(crate) use connections::Connections;
pub(crate) use gate::{Gates, Permits};
pub use options::{Adaptation, OverloadOptions, Priority, RouteAdmission};
pub(crate) use stage::Overload;
