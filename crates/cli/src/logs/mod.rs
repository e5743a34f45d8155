//! What workers wrote, for `mainstay logs`: lines become entries, entries become text. Asks no instance; that is the
//! command's.

mod entry;
mod file;
mod print;
mod time;

pub(crate) use entry::{Assembly, Entry};
pub(crate) use file::tail;
pub(crate) use print::{Form, Printer};
pub(crate) use time::{Since, shown_time};
