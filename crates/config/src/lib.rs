//! mainstay.toml, environment and flags to checked settings, and every complaint
