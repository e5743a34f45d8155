//! Facts in, text out: metrics, access records, events
