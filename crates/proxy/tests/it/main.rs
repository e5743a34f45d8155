//! The data plane between a scripted client and a scripted origin, byte for byte, over real sockets.
//!
//! What may not be here: the program around it, processes (but the one that runs out of descriptors),
//! figures of absolute time.

mod clocks;
mod corpus;
mod descriptors;
mod drain;
mod ends;
mod flow;
mod framing;
mod harness;
mod interim;
mod keep;
mod leaving;
mod links;
mod members;
mod resend;
mod sizes;
mod swap;
mod tunnel;
