//! Bytes between sockets: listeners, upstream pool, balancing, forwarding
