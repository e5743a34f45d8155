//! Response headers: what every answer carries, refusals and hits too.
//!
//! - **Does**: sets security headers where the app did not (or over the app's, by option), removes what
//!   tells too much, adds `X-Request-Id`.
//! - **Refuses**: nothing.
//! - **Deployment caveat**: HSTS and `upgrade-insecure-requests` are sent over https only, and HSTS never
//!   for `localhost`: browsers remember it for all ports. One CSP is never put beside another:
//!   browsers would enforce both.
//! - **Follows**: helmet 8's default set, byte for byte, in the preset `strict`.

mod csp;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, HeaderName,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

pub use self::csp::{CspBase, CspEffect, CspOptions, Directive, REPORT_PATH};
use self::csp::{REPORT_GROUP, over_plain_http};
use crate::forwarding::{X_REQUEST_ID, strip_hop_by_hop};
use crate::name_set::NameSet;
use crate::stages::Quota;
use crate::varies::Varies;
use crate::{Exchange, Response, Scheme, Step};

/// Which set is taken as the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderPreset {
    /// Nothing: the app's own headers.
    Off,
    /// What breaks no correct app.
    #[default]
    Safe,
    /// helmet's whole set.
    Strict,
}

/// What is done when the app sent the header itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderMode {
    /// The app's stands.
    #[default]
    SetIfAbsent,
    /// Ours replaces it.
    Override,
}

/// What is configured for one header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderSetting {
    /// Not sent by us, whatever the preset says.
    Off,
    /// Sent with this value.
    Value(String),
}

/// Options of this stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderOptions {
    /// The set to start from.
    pub preset: HeaderPreset,
    /// What is done when the app sent the header itself.
    pub mode: HeaderMode,
    /// Headers by their lower-case names, over the preset's. A value that cannot be a header's is left out.
    pub set: BTreeMap<String, HeaderSetting>,
    /// Modes of single headers, over the one for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<String, HeaderMode>,
    /// The content security policy by directives, in place of one among the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csp: Option<CspOptions>,
    /// Headers that are removed from the app's answers, in lower case.
    pub remove: Vec<String>,
}

/// helmet's set without what depends on the connection, and whether the preset `safe` has it too.
const HELMET: [(&str, &str, Option<&str>); 12] = [
    (
        "content-security-policy",
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';\
         img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';\
         style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
        None,
    ),
    ("cross-origin-opener-policy", "same-origin", None),
    ("cross-origin-resource-policy", "same-origin", None),
    ("origin-agent-cluster", "?1", Some("?1")),
    (
        "referrer-policy",
        "no-referrer",
        Some("strict-origin-when-cross-origin"),
    ),
    (
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
        None,
    ),
    ("x-content-type-options", "nosniff", Some("nosniff")),
    ("x-dns-prefetch-control", "off", Some("off")),
    ("x-download-options", "noopen", Some("noopen")),
    ("x-frame-options", "SAMEORIGIN", None),
    ("x-permitted-cross-domain-policies", "none", Some("none")),
    ("x-xss-protection", "0", Some("0")),
];

const REPORTING_ENDPOINTS: HeaderName = HeaderName::from_static("reporting-endpoints");

#[derive(Debug)]
pub(crate) struct Headers {
    https: Arc<Block>,
    /// Over https to `localhost`: no HSTS.
    https_local: Arc<Block>,
    plain: Arc<Block>,
    remove: NameSet,
}

/// One of ours, and what is done when the app sent it.
#[derive(Clone, Debug)]
struct Field {
    name: HeaderName,
    value: HeaderValue,
    mode: HeaderMode,
}

/// Fields that are added as they stand.
#[derive(Debug)]
struct Block {
    fields: Vec<Field>,
    /// Whoever sends one of these gets none of it as it stands.
    names: NameSet,
    wire: Bytes,
}

/// The fields that an answer gets beside its own, most of them already written out: most answers get all of them, and
/// writing them anew each time would cost more than anything else that is done to a head.
#[derive(Clone, Debug)]
pub struct StandardFields {
    block: Arc<Block>,
    /// The client's budget, where it is told of one.
    quota: Option<Quota>,
    /// What is told in `Vary`.
    varies: Varies,
}

impl StandardFields {
    /// Writes all of them, `name: value` and CRLF each. The exchange's own are among them: its budget, what the cache did, its
    /// id.
    pub fn write(&self, exchange: &Exchange, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.block.wire);
        self.varies.write(out);
        if let Some(quota) = &self.quota {
            quota.write(out);
        }
        if let Some(note) = &exchange.cache {
            note.write(out);
        }
        out.extend_from_slice(b"x-request-id: ");
        out.extend_from_slice(exchange.request_id.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The names of all of them but the id's.
    pub(crate) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.block.fields.iter().map(|field| &field.name)
    }

    /// Adds all of them to a map.
    pub(crate) fn append(&self, exchange: &Exchange, headers: &mut HeaderMap) {
        for field in &self.block.fields {
            headers.append(field.name.clone(), field.value.clone());
        }
        self.varies.tell(headers);
        tell_own(exchange, self.quota.as_ref(), headers);
    }
}

/// The exchange's own fields in a map.
fn tell_own(exchange: &Exchange, quota: Option<&Quota>, headers: &mut HeaderMap) {
    if let Some(quota) = quota {
        quota.tell(headers);
    }
    if let Some(note) = &exchange.cache {
        note.tell(headers);
    }
    headers.insert(X_REQUEST_ID, exchange.request_id.clone());
}

impl Block {
    fn new(fields: Vec<Field>) -> Arc<Self> {
        let mut wire = Vec::new();
        for field in &fields {
            wire.extend_from_slice(field.name.as_str().as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(field.value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        let names = fields.iter().map(|field| field.name.clone());
        let names = NameSet::new(names.chain(Quota::FIELDS));
        Arc::new(Self {
            fields,
            names,
            wire: wire.into(),
        })
    }

    /// For an app that sent some of them itself.
    fn merge_into(&self, headers: &mut HeaderMap) {
        for Field { name, value, mode } in &self.fields {
            match mode {
                HeaderMode::Override => drop(headers.insert(name.clone(), value.clone())),
                // a list of endpoints: the app's and ours stand beside each other (RFC 9651, 3.2)
                HeaderMode::SetIfAbsent if *name == REPORTING_ENDPOINTS => {
                    headers.append(name.clone(), value.clone());
                }
                HeaderMode::SetIfAbsent => {
                    headers.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
    }
}

impl Headers {
    pub(crate) fn new(options: &HeaderOptions) -> Self {
        let https = options.fields();
        let without_hsts = https
            .iter()
            .filter(|field| field.name != STRICT_TRANSPORT_SECURITY);
        let https_local: Vec<Field> = without_hsts.cloned().collect();
        let plain = https_local.iter().filter_map(Field::over_plain_http);
        let plain = plain.collect();
        let mut remove: Vec<HeaderName> = options
            .removed()
            .iter()
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .collect();
        // ours takes its place
        remove.push(X_REQUEST_ID);
        Self {
            https: Block::new(https),
            https_local: Block::new(https_local),
            plain: Block::new(plain),
            remove: NameSet::new(remove),
        }
    }

    /// Sets and removes; gives the fields that are to be added as they stand. A switch of protocols keeps
    /// its own fields and gets nothing but the id.
    pub(crate) fn set(
        &self,
        exchange: &mut Exchange,
        response: &mut Response,
    ) -> Option<StandardFields> {
        exchange.pass(Step::Headers);
        let is_switch = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        let quota = exchange.quota.take();
        if is_switch {
            for name in [
                CONTENT_LENGTH,
                TRANSFER_ENCODING,
                HeaderName::from_static("keep-alive"),
            ] {
                headers.remove(name);
            }
            tell_own(exchange, quota.as_ref(), headers);
            return None;
        }
        strip_hop_by_hop(headers);
        self.remove.remove_from(headers);
        let block = match exchange.scheme {
            Scheme::Http => &self.plain,
            Scheme::Https if is_local(exchange.host_name()) => &self.https_local,
            Scheme::Https => &self.https,
        };
        let mut varies = exchange.varies;
        if varies != Varies::NOTHING && headers.keys().any(|name| *name == VARY) {
            varies.tell(headers);
            varies = Varies::NOTHING;
        }
        if headers.keys().any(|name| block.names.contains(name)) {
            block.merge_into(headers);
            varies.tell(headers);
            tell_own(exchange, quota.as_ref(), headers);
            return None;
        }
        Some(StandardFields {
            block: Arc::clone(block),
            quota,
            varies,
        })
    }
}

impl Field {
    /// The same as it is sent in the clear, if it is.
    fn over_plain_http(&self) -> Option<Self> {
        if self.name == REPORTING_ENDPOINTS {
            return None;
        }
        let is_policy = self.name == CONTENT_SECURITY_POLICY
            || self.name == CONTENT_SECURITY_POLICY_REPORT_ONLY;
        let mut field = self.clone();
        if is_policy && let Ok(text) = self.value.to_str() {
            field.value = HeaderValue::from_str(&over_plain_http(text)).ok()?;
        }
        (!field.value.is_empty()).then_some(field)
    }
}

impl HeaderOptions {
    /// The same as types. What cannot be a field was refused when the settings were checked.
    fn fields(&self) -> Vec<Field> {
        let parsed = |(name, value): (String, String)| {
            Some(Field {
                name: HeaderName::from_bytes(name.as_bytes()).ok()?,
                value: HeaderValue::from_str(&value).ok()?,
                mode: self.modes.get(&name).copied().unwrap_or(self.mode),
            })
        };
        self.resolved().into_iter().filter_map(parsed).collect()
    }

    /// Names of what is taken out of the app's answers, after preset and settings; each once, in lower case.
    pub fn removed(&self) -> Vec<String> {
        let of_preset: &[&str] = match self.preset {
            HeaderPreset::Off => &[],
            HeaderPreset::Safe => &["x-powered-by"],
            HeaderPreset::Strict => &["x-powered-by", "server"],
        };
        let mut names: Vec<String> = of_preset.iter().map(|&name| name.to_owned()).collect();
        names.extend(self.remove.iter().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Names and values after preset and settings, as they are sent over https.
    pub fn resolved(&self) -> BTreeMap<String, String> {
        let mut set: BTreeMap<String, String> = HELMET
            .iter()
            .filter_map(|(name, strict, safe)| {
                let value = match self.preset {
                    HeaderPreset::Off => None,
                    HeaderPreset::Safe => *safe,
                    HeaderPreset::Strict => Some(*strict),
                };
                value.map(|value| ((*name).to_owned(), value.to_owned()))
            })
            .collect();
        for (name, setting) in &self.set {
            match setting {
                HeaderSetting::Off => set.remove(name),
                HeaderSetting::Value(value) => set.insert(name.clone(), value.clone()),
            };
        }
        if let Some(csp) = &self.csp {
            // one of them, never both: browsers would enforce the one and report the other
            set.remove(CONTENT_SECURITY_POLICY.as_str());
            set.insert(csp.field().to_owned(), csp.text());
            if let Some(path) = &csp.report {
                let endpoint = format!("{REPORT_GROUP}=\"{path}\"");
                set.entry(REPORTING_ENDPOINTS.as_str().to_owned())
                    .and_modify(|others| *others = format!("{others}, {endpoint}"))
                    .or_insert(endpoint);
            }
        }
        set
    }
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests;
