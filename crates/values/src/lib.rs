//! Durations, sizes, hosts, networks, secrets and problems: parse and print, nothing else
