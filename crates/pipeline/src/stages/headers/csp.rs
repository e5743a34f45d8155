//! A content security policy made of directives, over helmet's. Checks no source: what is written was checked when the
//! settings were.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Where browsers send reports unless another path is said.
pub const REPORT_PATH: &str = "/.mainstay/csp";

/// The name of the endpoint in `Reporting-Endpoints`.
pub(super) const REPORT_GROUP: &str = "mainstay-csp";

/// What is said of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CspOptions {
    /// What the directives are laid over.
    pub base: CspBase,
    /// The directives, each once: those of the base are sent in its order, the others behind them in this one.
    pub directives: Vec<(String, Directive)>,
    /// What a browser does about what the policy does not allow.
    pub effect: CspEffect,
    /// The path that browsers send reports to; here they are collected. None: they send none.
    pub report: Option<String>,
}

impl Default for CspOptions {
    fn default() -> Self {
        Self {
            base: CspBase::Defaults,
            directives: Vec::new(),
            effect: CspEffect::Enforced,
            report: None,
        }
    }
}

/// What a policy begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CspBase {
    /// helmet's directives.
    Defaults,
    /// Nothing.
    Nothing,
}

/// What a browser does about what a policy does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CspEffect {
    /// It does not load it.
    Enforced,
    /// It loads it, and reports it.
    ReportOnly,
}

/// What is said of one directive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directive {
    /// Not sent, whatever the base says.
    Off,
    /// Sent with these; none for a directive that stands alone.
    Sources(Vec<String>),
    /// Sent with these, beside what would hold without it.
    Add(Vec<String>),
}

/// helmet's directives, in its order.
const DEFAULTS: [(&str, &[&str]); 11] = [
    ("default-src", &["'self'"]),
    ("base-uri", &["'self'"]),
    ("font-src", &["'self'", "https:", "data:"]),
    ("form-action", &["'self'"]),
    ("frame-ancestors", &["'self'"]),
    ("img-src", &["'self'", "data:"]),
    ("object-src", &["'none'"]),
    ("script-src", &["'self'"]),
    ("script-src-attr", &["'none'"]),
    ("style-src", &["'self'", "https:", "'unsafe-inline'"]),
    ("upgrade-insecure-requests", &[]),
];

/// What a browser goes by where a directive is missing: the first of these that is there (CSP 3, 6.8.3).
fn fallbacks(name: &str) -> &'static [&'static str] {
    match name {
        "script-src-elem" | "script-src-attr" => &["script-src", "default-src"],
        "style-src-elem" | "style-src-attr" => &["style-src", "default-src"],
        "worker-src" => &["child-src", "script-src", "default-src"],
        "frame-src" => &["child-src", "default-src"],
        "child-src" | "connect-src" | "font-src" | "img-src" | "manifest-src" | "media-src"
        | "object-src" | "script-src" | "style-src" => &["default-src"],
        _ => &[],
    }
}

impl CspOptions {
    /// What is said of a directive, if anything is.
    pub fn directive(&self, name: &str) -> Option<&Directive> {
        let mut said = self.directives.iter();
        said.find(|(known, _)| known == name).map(|(_, said)| said)
    }

    /// Says something of a directive, in place of what was said before. What is added to an addition is added too.
    pub fn set(&mut self, name: &str, said: Directive) {
        let Some((_, before)) = self.directives.iter_mut().find(|(known, _)| known == name) else {
            self.directives.push((name.to_owned(), said));
            return;
        };
        *before = match (std::mem::replace(before, Directive::Off), said) {
            (Directive::Add(mut before), Directive::Add(more)) => {
                extend(&mut before, &more);
                Directive::Add(before)
            }
            (Directive::Sources(mut before), Directive::Add(more)) => {
                extend(&mut before, &more);
                Directive::Sources(before)
            }
            (_, said) => said,
        };
    }

    /// What would hold for a directive if nothing were said of it; none if everything would be allowed.
    pub fn without(&self, name: &str) -> Option<Vec<String>> {
        let mut fallbacks = fallbacks(name).iter();
        self.of_base(name)
            .or_else(|| fallbacks.find_map(|next| self.sent(next)))
    }

    fn of_base(&self, name: &str) -> Option<Vec<String>> {
        let mut of_base = DEFAULTS.iter().filter(|_| self.base == CspBase::Defaults);
        let (_, sources) = of_base.find(|(known, _)| *known == name)?;
        Some(sources.iter().map(|&source| source.to_owned()).collect())
    }

    /// What is sent for a directive, if it is sent.
    fn sent(&self, name: &str) -> Option<Vec<String>> {
        match self.directive(name) {
            None => self.of_base(name),
            Some(Directive::Off) => None,
            Some(Directive::Sources(sources)) => Some(sources.clone()),
            Some(Directive::Add(more)) => {
                let mut sources = self.without(name).unwrap_or_default();
                extend(&mut sources, more);
                Some(sources)
            }
        }
    }

    /// Every directive with its sources, as they are sent over https.
    pub fn policy(&self) -> Vec<(String, Vec<String>)> {
        let of_base = DEFAULTS.iter().filter(|_| self.base == CspBase::Defaults);
        let of_base = of_base.map(|(name, _)| *name);
        let said = self.directives.iter().map(|(name, _)| name.as_str());
        let beside = said.filter(|name| of_base.clone().all(|known| known != *name));
        let is_only_reported = self.effect == CspEffect::ReportOnly;
        of_base
            .clone()
            .chain(beside)
            // browsers ignore it there, and complain
            .filter(|name| !is_only_reported || *name != "upgrade-insecure-requests")
            .filter_map(|name| Some((name.to_owned(), self.sent(name)?)))
            .collect()
    }

    /// The field that carries it.
    pub fn field(&self) -> &'static str {
        match self.effect {
            CspEffect::Enforced => "content-security-policy",
            CspEffect::ReportOnly => "content-security-policy-report-only",
        }
    }

    /// The field's value, as it is sent over https.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, sources) in self.policy() {
            let separator = if text.is_empty() { "" } else { ";" };
            let _ = write!(text, "{separator}{name}");
            for source in sources {
                let _ = write!(text, " {source}");
            }
        }
        if let Some(path) = &self.report {
            let separator = if text.is_empty() { "" } else { ";" };
            let _ = write!(
                text,
                "{separator}report-uri {path};report-to {REPORT_GROUP}"
            );
        }
        text
    }
}

/// Adds what is not there yet. `'none'` only stands alone.
fn extend(sources: &mut Vec<String>, more: &[String]) {
    sources.retain(|source| source != "'none'");
    for source in more {
        if !sources.contains(source) {
            sources.push(source.clone());
        }
    }
}

/// The policy for plain http: without `upgrade-insecure-requests`, which would break the site, and without
/// `report-to`, which browsers only follow over https and prefer to `report-uri` all the same.
pub(super) fn over_plain_http(policy: &str) -> String {
    let kept: Vec<&str> = policy
        .split(';')
        .filter(|directive| {
            let mut words = directive.split_ascii_whitespace();
            let name = words.next().unwrap_or("");
            let is_ours =
                name.eq_ignore_ascii_case("report-to") && words.next() == Some(REPORT_GROUP);
            !is_ours && !name.eq_ignore_ascii_case("upgrade-insecure-requests")
        })
        .collect();
    kept.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    fn holds(options: &CspOptions, name: &str) -> Option<String> {
        let policy = options.policy();
        let found = policy.into_iter().find(|(known, _)| known == name);
        found.map(|(_, sources)| sources.join(" "))
    }

    #[test]
    fn nothing_said_is_helmets() {
        let helmet = super::super::HELMET[0];
        assert_eq!(helmet.0, "content-security-policy");
        assert_eq!(CspOptions::default().text(), helmet.1);
    }

    #[test]
    fn what_is_said_takes_the_place_of_the_base_and_the_rest_follows() {
        let mut options = CspOptions::default();
        options.set(
            "script-src",
            Directive::Sources(sources("'self' cdn.example")),
        );
        options.set("media-src", Directive::Sources(sources("'none'")));
        options.set("font-src", Directive::Off);
        let text = options.text();
        assert!(
            text.starts_with("default-src 'self';base-uri 'self';form-action"),
            "{text}"
        );
        assert!(
            text.contains(";script-src 'self' cdn.example;script-src-attr"),
            "{text}"
        );
        assert!(
            text.ends_with(";upgrade-insecure-requests;media-src 'none'"),
            "{text}"
        );
        assert_eq!(text.matches("script-src ").count(), 1);
        assert!(!text.contains("font-src"));
        options.base = CspBase::Nothing;
        assert_eq!(
            options.text(),
            "script-src 'self' cdn.example;media-src 'none'"
        );
    }

    #[test]
    fn adding_never_narrows() {
        let mut options = CspOptions::default();
        options.set("img-src", Directive::Add(sources("img.example")));
        options.set("object-src", Directive::Add(sources("'self'")));
        options.set("connect-src", Directive::Add(sources("api.example")));
        options.set("worker-src", Directive::Add(sources("blob:")));
        options.set("script-src-elem", Directive::Add(sources("cdn.example")));
        for (name, expected) in [
            ("img-src", "'self' data: img.example"),
            ("object-src", "'self'"),
            ("connect-src", "'self' api.example"),
            ("worker-src", "'self' blob:"),
            ("script-src-elem", "'self' cdn.example"),
        ] {
            assert_eq!(holds(&options, name).as_deref(), Some(expected), "{name}");
        }
        // a route adds to what holds for the whole file, and to what it falls back to
        options.set("default-src", Directive::Add(sources("a.example")));
        options.set(
            "img-src",
            Directive::Add(sources("more.example img.example")),
        );
        assert_eq!(
            holds(&options, "img-src").as_deref(),
            Some("'self' data: img.example more.example")
        );
        assert_eq!(
            holds(&options, "connect-src").as_deref(),
            Some("'self' a.example api.example")
        );
        options.base = CspBase::Nothing;
        assert_eq!(options.without("frame-ancestors"), None);
    }

    #[test]
    fn what_only_reports_upgrades_nothing() {
        let options = CspOptions {
            effect: CspEffect::ReportOnly,
            report: Some(REPORT_PATH.to_owned()),
            ..CspOptions::default()
        };
        let text = options.text();
        assert!(!text.contains("upgrade"), "{text}");
        assert!(
            text.ends_with(";report-uri /.mainstay/csp;report-to mainstay-csp"),
            "{text}"
        );
        assert!(over_plain_http(&text).ends_with(";report-uri /.mainstay/csp"));
        assert_eq!(
            over_plain_http("report-to mine; Upgrade-Insecure-Requests"),
            "report-to mine"
        );
    }
}
