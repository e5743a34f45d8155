//! The lines of `[filter]`, for the whole file or one route.

use mainstay_pipeline::{FilterOptions, HiddenFiles, MethodRule, Traps};

use super::{Effective, InForce, Lines};
use crate::sections;
use crate::value::quoted;

pub(super) fn lines(path: &str, options: &FilterOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::FILTER, path, out);
    if options.allow.is_empty() {
        lines.unsaid("allow");
    } else {
        lines.list("allow", &options.allow);
    }
    lines.list("deny", &options.deny);
    if options.hosts.is_empty() {
        lines.unsaid("hosts");
    } else {
        lines.list("hosts", &options.hosts);
    }
    match &options.methods {
        MethodRule::Any => lines.push("methods", InForce::Unsaid("(all)")),
        MethodRule::NoTrace => lines.push("methods", InForce::Unsaid("(all but TRACE and TRACK)")),
        MethodRule::Only(known) => lines.list("methods", known),
    }
    let word = |word: &str| InForce::Value(quoted(word));
    match &options.hidden {
        HiddenFiles::None => lines.push("hidden_files", word("none")),
        HiddenFiles::Secrets => lines.push("hidden_files", word("secrets")),
        HiddenFiles::All => lines.push("hidden_files", word("all")),
        HiddenFiles::Listed(names) => lines.list("hidden_files", names),
    }
    lines.list("hidden_except", &options.hidden_except);
    match &options.traps {
        Traps::None => lines.push("traps", word("none")),
        Traps::Known => lines.push("traps", word("known")),
        Traps::Listed(paths) => lines.list("traps", paths),
    }
    match &options.trap_ban {
        Some(ban) if options.traps != Traps::None => {
            lines.value("trap_ban_after", &ban.after);
            lines.value("trap_ban_for", &ban.lasts);
        }
        // without traps nobody asks
        Some(_) => {}
        None => {
            lines.value("trap_ban_after", &false);
            lines.unsaid("trap_ban_for");
        }
    }
    lines.value("dry_run", &options.enforcement);
}
