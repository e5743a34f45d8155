//! The only `unsafe` of the program: what runs between fork and exec, descriptors that arrive by number, signals
//! that wait over an exec, and memory that processes share. No policy, no I/O of its own.
#![allow(unsafe_code)]

mod inherited;
mod pre_exec;
mod readable;
mod shared;
mod signals;

pub(crate) use inherited::duplicate;
pub use inherited::{inherited_fd, keep_from_children};
pub(crate) use pre_exec::{InChild, before_exec};
pub use readable::readable;
pub use shared::{SharedWords, shared_memory, written_words};
pub use signals::{hear_signals, hold_signals};
