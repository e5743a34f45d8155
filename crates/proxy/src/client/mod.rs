//! Client connections: heads in, answers out, bodies both ways.

mod connection;
mod head;
mod inbound;
mod outbound;

pub(crate) use connection::serve;
