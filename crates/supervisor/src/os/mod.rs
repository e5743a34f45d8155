//! The only `unsafe` of the program: what runs between fork and exec, and descriptors that arrive by number.
//! No policy, no I/O of its own.
#![allow(unsafe_code)]

mod inherited;
mod pre_exec;
mod readable;

pub use inherited::{inherited_fd, keep_from_children};
pub(crate) use pre_exec::{InChild, before_exec};
pub(crate) use readable::readable;
