//! The bundled sample app: a URL shortener.
//!
//! It is an app like any other: it listens nowhere by itself, knows nothing of Mainstay, and its workers share
//! one append-only file. What may not be here: dependencies on other crates of this workspace, sockets, clocks
//! that are waited for ([`Answer::delay`] is the caller's to spend).
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a page with a form and the latest links |
//! | `POST /links` | 201 for `{"url": "https://..."}` or a form; 400, 413, 415, 507 |
//! | `GET /links` | the latest fifty |
//! | `GET /links/ID` | one link and how often it was followed |
//! | `GET /ID` | 302 to its target |
//! | `GET /slow` | an answer that takes its time (`?ms=` up to 10000) |
//! | `GET /boom` | a 500 that tells more than it should, as apps do |

mod answer;
mod form;
mod links;
mod page;
mod shortener;
mod target;

pub use answer::Answer;
pub use links::{Link, LinkError, Links};
pub use shortener::Shortener;
pub use target::{Target, TargetError};
