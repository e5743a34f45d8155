//! What apps write, understood as far as that is safe: JSON of the usual loggers as [`Message`], lines of one stack trace
//! as one, and text that a terminal does not act on. Changes no byte that is kept, and opens nothing.

mod level;
mod message;
mod shown;
mod trace;

pub use level::Level;
pub use message::{MOST_FIELDS, Message};
pub use shown::{Colours, shown};
pub use trace::Trace;
