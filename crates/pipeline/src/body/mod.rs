//! What a message carries: [`Body`], and the bounded hand-off that streams it.

mod frames;
mod kind;

pub use frames::{BodyBroken, Frame, FrameSender, Frames, hand_off};
pub use kind::Body;
