//! What this stage goes by, and the lists that stand for a word. Decides nothing.

use std::num::NonZeroU32;

use mainstay_values::{HostPattern, NamePattern, Network, PathPattern, Rate};
use serde::{Deserialize, Serialize};

use crate::{Algorithm, BanOptions, Enforcement, QuotaHeaders, RatePolicy, Sharing};

/// As which policy hits of traps are counted: in the form of a setting's path, which no policy of a user can have.
const TRAP_POLICY: &str = "filter.traps";

/// Options of this stage. The default turns nobody away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterOptions {
    /// Whether what is refused really is.
    pub enforcement: Enforcement,
    /// Who may ask; everybody if empty.
    pub allow: Vec<Network>,
    /// Who may not, even if allowed.
    pub deny: Vec<Network>,
    /// The hosts that are served; every host if empty.
    pub hosts: Vec<HostPattern>,
    /// The methods that are served.
    pub methods: MethodRule,
    /// Files and folders that are not there for anybody.
    pub hidden: HiddenFiles,
    /// Paths below which nothing is hidden.
    pub hidden_except: Vec<PathPattern>,
    /// Paths that only scanners ask for.
    pub traps: Traps,
    /// Who walked into traps so often is refused everything for a time.
    pub trap_ban: Option<BanOptions>,
}

impl FilterOptions {
    /// The policy by which clients are banned that walk into traps; none where nobody is. It is asked by the filter alone, and is
    /// for whoever lists policies, or lifts bans.
    pub fn trap_policy(&self) -> Option<RatePolicy> {
        let ban = self.trap_ban.filter(|_| self.traps != Traps::None)?;
        let rate = Rate {
            count: NonZeroU32::new(ban.after).unwrap_or(NonZeroU32::MIN),
            window: ban.lasts,
        };
        Some(RatePolicy {
            // a window ends before the ban that it led to
            algorithm: Algorithm::FixedWindow,
            enforcement: self.enforcement,
            ban: Some(ban),
            headers: vec![QuotaHeaders::None],
            sharing: Sharing::Machine,
            ..RatePolicy::new(TRAP_POLICY, rate)
        })
    }

    /// Whether whoever is turned away by `other` is by these, as far as that can be told without trying.
    pub(crate) fn is_as_strict_as(&self, other: &Self) -> bool {
        let methods = self.methods == other.methods
            || match (&self.methods, &other.methods) {
                (_, MethodRule::Any) => true,
                (MethodRule::Only(known), MethodRule::NoTrace) => !known
                    .iter()
                    .any(|known| known == "TRACE" || known == "TRACK"),
                _ => false,
            };
        let hidden = self.hidden == other.hidden
            || other.hidden == HiddenFiles::None
            || (&self.hidden, &other.hidden) == (&HiddenFiles::All, &HiddenFiles::Secrets);
        self.enforcement <= other.enforcement
            && (self.allow == other.allow || other.allow.is_empty())
            && other.deny.iter().all(|denied| self.deny.contains(denied))
            && (self.hosts == other.hosts || other.hosts.is_empty())
            && methods
            && hidden
            && self
                .hidden_except
                .iter()
                .all(|path| other.hidden_except.contains(path))
            && (self.traps == other.traps || other.traps == Traps::None)
            && (self.trap_ban == other.trap_ban || other.trap_policy().is_none())
    }
}

/// Which methods are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodRule {
    /// Every method.
    #[default]
    Any,
    /// Every method but `TRACE` and `TRACK`, which send a request's fields back (RFC 9110, 9.3.8).
    NoTrace,
    /// These, in upper case; `HEAD` with `GET`, and `OPTIONS` of a browser that asks before it sends one of them.
    Only(Vec<String>),
}

/// Which files and folders are hidden, by their names anywhere in a path. `/.well-known/` (RFC 8615) never is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenFiles {
    /// None.
    #[default]
    None,
    /// `.git*` and `.env*`.
    Secrets,
    /// Every name that begins with a dot, backups, editors' leavings, dumps and keys.
    All,
    /// These.
    Listed(Vec<NamePattern>),
}

impl HiddenFiles {
    /// The names, written out.
    pub fn names(&self) -> Vec<NamePattern> {
        let texts: &[&str] = match self {
            Self::None => &[],
            Self::Secrets => &SECRETS,
            Self::All => &ALL,
            Self::Listed(names) => return names.clone(),
        };
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

/// A repository gives away the whole history, an environment file the keys.
const SECRETS: [&str; 2] = [".git*", ".env*"];

/// What lies about in document roots and is asked for by scanners: what begins with a dot, then backups and what editors leave,
/// then dumps and databases, then keys, then servers' settings.
const ALL: [&str; 34] = [
    ".*",
    "*~",
    "*.bak*",
    "*_bak",
    "*.backup",
    "*.copy",
    "*.old",
    "*.orig",
    "*.original",
    "*.save",
    "*.swo",
    "*.swp",
    "*.temp",
    "*.tmp",
    "*.db",
    "*.dump",
    "*.mdb",
    "*.pgsql",
    "*.sql*",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.ppk",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "id_rsa*",
    "*htaccess",
    "*htpasswd",
    "wp-config.*",
];

/// Which paths are traps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traps {
    /// None.
    #[default]
    None,
    /// Those that scanners begin with, and that no app in Node or Python has.
    Known,
    /// These, and what is below them.
    Listed(Vec<PathPattern>),
}

impl Traps {
    /// The paths, written out.
    pub fn paths(&self) -> Vec<PathPattern> {
        match self {
            Self::None => Vec::new(),
            Self::Known => KNOWN.iter().filter_map(|text| text.parse().ok()).collect(),
            Self::Listed(paths) => paths.clone(),
        }
    }
}

const KNOWN: [&str; 18] = [
    "/.aws",
    "/.env",
    "/.git",
    "/.ssh",
    "/.svn",
    "/_ignition",
    "/boaform",
    "/cgi-bin",
    "/HNAP1",
    "/manager/html",
    "/myadmin",
    "/phpmyadmin",
    "/pma",
    "/vendor/phpunit",
    "/wp-admin",
    "/wp-includes",
    "/wp-login.php",
    "/xmlrpc.php",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_can_be_read() {
        assert_eq!(HiddenFiles::Secrets.names().len(), SECRETS.len());
        assert_eq!(HiddenFiles::All.names().len(), ALL.len());
        assert_eq!(Traps::Known.paths().len(), KNOWN.len());
    }
}
