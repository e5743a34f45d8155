//! The content security policy that browsers' reports suggest. Asks nobody and prints nothing.
//!
//! What a policy allows safely, an origin, goes into the block that is suggested; what costs protection is told apart,
//! with the cost, and commented out: nobody shall paste that without having read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mainstay_pipeline::{CspBase, CspEffect, CspOptions, Directive, REPORT_PATH, Violation};
use serde::{Deserialize, Serialize};

/// What an instance has collected.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Collected {
    /// `[headers.csp]` as it is in force; none where nothing is said there.
    pub(crate) policy: Option<CspOptions>,
    /// Every kind of violation, the most frequent first.
    pub(crate) violations: Vec<Seen>,
    /// Reports that were too many, or of too many kinds.
    pub(crate) dropped: u64,
}

/// A kind of violation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    #[serde(flatten)]
    pub(crate) violation: Violation,
    /// Reports of it since the instance started.
    pub(crate) reports: u64,
    /// When the last of them came, as in the access log.
    pub(crate) last: String,
}

/// What would have to be allowed at a price.
#[derive(Debug, Default, Serialize)]
struct Risk {
    reports: u64,
    pages: BTreeSet<String>,
}

/// What the reports come to.
#[derive(Debug)]
pub(crate) struct Suggestion {
    options: CspOptions,
    /// By directive and source.
    risks: BTreeMap<(String, &'static str), Risk>,
    /// Directives that were violated in a way that no source cures.
    remarks: BTreeSet<String>,
    reports: u64,
}

/// Pages that are named for a risk.
const MOST_PAGES: usize = 5;

impl Suggestion {
    pub(crate) fn of(collected: &Collected) -> Self {
        let before = collected.policy.clone().unwrap_or_default();
        let mut suggestion = Self {
            options: before.clone(),
            risks: BTreeMap::new(),
            remarks: BTreeSet::new(),
            reports: collected.violations.iter().map(|seen| seen.reports).sum(),
        };
        let sent = before.policy();
        let mut sources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for Seen {
            violation, reports, ..
        } in &collected.violations
        {
            let directive = governing(&violation.directive, &sent);
            let source = source(&violation.blocked);
            let allowed = sent.iter().find(|(name, _)| name == directive);
            if allowed.is_some_and(|(_, sources)| sources.iter().any(|known| known == source)) {
                // reported before it was allowed
                continue;
            }
            if !takes_origins(directive) {
                suggestion.remarks.insert(directive.to_owned());
            } else if let Some((risky, _)) = cost(directive, source) {
                let key = (directive.to_owned(), risky);
                let risk = suggestion.risks.entry(key).or_default();
                risk.reports += reports;
                if risk.pages.len() < MOST_PAGES {
                    risk.pages.insert(violation.page.clone());
                }
            } else {
                let of_directive = sources.entry(directive.to_owned()).or_default();
                of_directive.insert(source.to_owned());
            }
        }
        for (directive, sources) in sources {
            let more = Directive::Add(sources.into_iter().collect());
            suggestion.options.set(&directive, more);
        }
        suggestion
    }

    /// A block for mainstay.toml, in the place of the one that may be there.
    pub(crate) fn toml(&self) -> String {
        let mut text = format!(
            "# suggested by {}; anybody can send reports: look at each source before it is allowed\n",
            counted(self.reports)
        );
        text.push_str(&block(&self.options));
        for ((directive, source), risk) in &self.risks {
            let Some((_, cost)) = cost(directive, source) else {
                continue;
            };
            let pages: Vec<_> = risk.pages.iter().map(|page| format!("`{page}`")).collect();
            let _ = write!(
                text,
                "\n# {directive} would take {source}: {} on {}\n# {cost}\n# {directive} = {{ add = [{}] }}\n",
                counted(risk.reports),
                pages.join(", "),
                quoted(source)
            );
        }
        for directive in &self.remarks {
            let _ = write!(
                text,
                "\n# {directive} was violated: no source cures that; `mainstay csp reports` tells on which pages\n"
            );
        }
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> String {
        let risks = self.risks.iter().map(|((directive, source), risk)| {
            serde_json::json!({
                "directive": directive,
                "source": source,
                "reports": risk.reports,
                "pages": risk.pages,
                "cost": cost(directive, source).map(|(_, cost)| cost),
            })
        });
        let told = serde_json::json!({
            "toml": block(&self.options),
            "policy": self.options.text(),
            "reports": self.reports,
            "risks": risks.collect::<Vec<_>>(),
            "incurable": self.remarks,
        });
        format!("{told:#}\n")
    }
}

impl Collected {
    /// A line for each kind.
    pub(crate) fn list(&self) -> String {
        if self.violations.is_empty() {
            return format!("{}\n", self.silence());
        }
        let mut text = String::new();
        for seen in &self.violations {
            let Violation {
                directive,
                blocked,
                page,
                effect,
            } = &seen.violation;
            let effect = match effect {
                CspEffect::Enforced => "blocked",
                CspEffect::ReportOnly => "would be blocked",
            };
            let (reports, last) = (seen.reports, &seen.last);
            let _ = writeln!(
                text,
                "{reports:>8}  {directive}  {blocked}  on {page}  {effect}, last {last}"
            );
        }
        if self.dropped > 0 {
            let _ = writeln!(text, "{:>8}  were too many to look at", self.dropped);
        }
        text
    }

    /// Why there may be nothing.
    pub(crate) fn silence(&self) -> &'static str {
        let reports = self.policy.as_ref().and_then(|csp| csp.report.as_ref());
        match reports {
            Some(_) => "no reports so far",
            None => {
                "no reports: browsers are not asked for any; write `report = true` below `[headers.csp]`, and \
                 `report_only = true` to try a policy out"
            }
        }
    }
}

/// The directive of the policy that was violated: what a browser calls `script-src-elem` is governed by `script-src`
/// where a policy has none of its own.
fn governing<'a>(directive: &'a str, sent: &[(String, Vec<String>)]) -> &'a str {
    let outer = directive
        .strip_suffix("-elem")
        .or_else(|| directive.strip_suffix("-attr"));
    match outer {
        Some(outer) if sent.iter().all(|(name, _)| name != directive) => outer,
        _ => directive,
    }
}

/// What would allow it.
fn source(blocked: &str) -> &str {
    match blocked {
        "inline" => "'unsafe-inline'",
        "eval" => "'unsafe-eval'",
        "wasm-eval" => "'wasm-unsafe-eval'",
        origin => origin,
    }
}

fn takes_origins(directive: &str) -> bool {
    let others = [
        "frame-ancestors",
        "require-trusted-types-for",
        "sandbox",
        "trusted-types",
        "webrtc",
    ];
    !others.contains(&directive)
}

/// What a source costs, where it costs something.
fn cost(directive: &str, source: &str) -> Option<(&'static str, &'static str)> {
    let is_script = directive.starts_with("script-src") || directive == "default-src";
    Some(match source {
        "'unsafe-inline'" if directive == "script-src-attr" => (
            "'unsafe-inline'",
            "handlers in attributes that somebody manages to inject would run: set them from a script",
        ),
        "'unsafe-inline'" if is_script => (
            "'unsafe-inline'",
            "every script that somebody manages to inject would run, against which a policy is there: move scripts to \
             files, or let the app send the policy with a nonce",
        ),
        "'unsafe-inline'" => (
            "'unsafe-inline'",
            "injected styles can cover or read out parts of a page; many sites take that",
        ),
        "'unsafe-eval'" => (
            "'unsafe-eval'",
            "text that somebody slips in could become a script: look for a build of the library that does without",
        ),
        "'wasm-unsafe-eval'" => (
            "'wasm-unsafe-eval'",
            "WebAssembly may be compiled, and nothing else: usually fine",
        ),
        "data:" if is_script || directive == "object-src" => (
            "data:",
            "an address can hold a whole script: it allows what 'unsafe-inline' does",
        ),
        _ => return None,
    })
}

fn block(options: &CspOptions) -> String {
    let mut text = String::from("[headers.csp]\n");
    if options.base == CspBase::Nothing {
        text.push_str("defaults = false\n");
    }
    if options.effect == CspEffect::ReportOnly {
        text.push_str("report_only = true\n");
    }
    match options.report.as_deref() {
        Some(REPORT_PATH) => text.push_str("report = true\n"),
        Some(path) => {
            let _ = writeln!(text, "report = {}", quoted(path));
        }
        None => {}
    }
    for (name, said) in &options.directives {
        let said = match said {
            Directive::Off => "false".to_owned(),
            Directive::Sources(sources) if sources.is_empty() => "true".to_owned(),
            Directive::Sources(sources) => format!("[{}]", listed(sources)),
            Directive::Add(sources) => format!("{{ add = [{}] }}", listed(sources)),
        };
        let _ = writeln!(text, "{name} = {said}");
    }
    text
}

fn listed(sources: &[String]) -> String {
    let sources: Vec<_> = sources.iter().map(|source| quoted(source)).collect();
    sources.join(", ")
}

/// Sources are visible ASCII, of which TOML and JSON spell strings alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn counted(reports: u64) -> String {
    let plural = if reports == 1 { "" } else { "s" };
    format!("{reports} report{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(directive: &str, blocked: &str, page: &str) -> Seen {
        Seen {
            violation: Violation {
                directive: directive.to_owned(),
                blocked: blocked.to_owned(),
                page: page.to_owned(),
                effect: CspEffect::ReportOnly,
            },
            reports: 2,
            last: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn origins_are_suggested_and_what_costs_is_told_apart() {
        let mut policy = CspOptions {
            effect: CspEffect::ReportOnly,
            report: Some(REPORT_PATH.to_owned()),
            ..CspOptions::default()
        };
        let own = ["'self'", "https://known.example"].map(str::to_owned);
        policy.set("img-src", Directive::Sources(own.to_vec()));
        let collected = Collected {
            policy: Some(policy),
            violations: vec![
                seen("script-src-elem", "https://cdn.example", "/"),
                seen("script-src-elem", "inline", "/"),
                seen("script-src-elem", "inline", "/about"),
                seen("script-src", "eval", "/"),
                seen("connect-src", "wss://live.example", "/"),
                seen("img-src", "data:", "/"),
                seen("img-src", "https://known.example", "/"),
                seen("frame-ancestors", "https://a.example", "/"),
            ],
            dropped: 0,
        };
        let suggestion = Suggestion::of(&collected);
        let text = suggestion.toml();
        let active: Vec<&str> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        assert_eq!(
            active,
            [
                "[headers.csp]",
                "report_only = true",
                "report = true",
                "img-src = [\"'self'\", \"https://known.example\", \"data:\"]",
                "connect-src = { add = [\"wss://live.example\"] }",
                "script-src = { add = [\"https://cdn.example\"] }",
            ]
        );
        for told in [
            "# suggested by 16 reports;",
            "# script-src would take 'unsafe-eval': 2 reports on `/`",
            "# script-src would take 'unsafe-inline': 4 reports on `/`, `/about`",
            "# script-src = { add = [\"'unsafe-inline'\"] }",
            "# frame-ancestors was violated",
        ] {
            assert!(text.contains(told), "{told} in\n{text}");
        }
        assert!(suggestion.json().contains("\"cost\""));
    }
}
