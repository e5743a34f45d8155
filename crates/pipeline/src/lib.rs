//! One request to one response, in the fixed order
