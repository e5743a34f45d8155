//! HTTP/1.1 messages to bytes and back, both sides, strict, without sockets
