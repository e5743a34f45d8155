//! What is in force of the top of the file. A store's address holds a password: it is hidden.

use super::{Effective, InForce, Lines};
use crate::sections;
use crate::settings::Settings;

pub(super) fn lines(settings: &Settings, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::TOP, "", out);
    lines.option("name", settings.name.as_ref());
    lines.value("preset", &settings.preset);
    if settings.trusted_proxies.is_none() {
        lines.list::<String>("trusted_proxies", &[]);
    } else {
        lines.value("trusted_proxies", &settings.trusted_proxies);
    }
    match settings.store {
        Some(_) => lines.push("store", InForce::Hidden),
        None => lines.unsaid("store"),
    }
    let authorities = settings.store_authorities.as_ref();
    lines.option(
        "store_ca_file",
        authorities.map(|authorities| &authorities.file),
    );
    lines.option("user", settings.user.as_ref());
    lines.option("group", settings.group.as_ref());
    let without: Vec<_> = settings.without.iter().copied().collect();
    lines.list("without", &without);
}
