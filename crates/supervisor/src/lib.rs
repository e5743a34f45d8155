//! Processes: start, watch, stop, and their output
