//! The program as a stranger meets it: a command line, an address, lines of text.
//!
//! What may not be here: calls into our crates. Whatever is tested here is tested through a process.

mod apps;
mod authentication;
mod check;
mod client_side;
mod compress;
mod container;
mod cors;
mod csp;
mod demo;
mod documents;
mod explain;
mod filters;
mod forwarding;
mod gateways;
mod headers;
mod help;
mod init;
mod kills;
mod layers;
mod lives;
mod measure;
mod mistakes;
mod overload;
mod pages;
mod processes;
mod python;
mod rates;
mod reload;
mod routing;
mod servers;
mod settings_reload;
mod several_files;
mod shortener;
mod soak;
mod start;
mod stop;
mod support;
mod suspension;
mod titles;
mod trial;
mod unharmed;
mod unix_sockets;
mod upstream_faults;
mod watching;
