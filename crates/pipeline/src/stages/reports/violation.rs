//! What a browser says was against the policy, as little of it as helps. Anybody may send anything here: what cannot be
//! of a browser is dropped, and nothing is kept that says who looked at what.

use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::CspEffect;

/// One kind of violation: the same ones are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The directive that does not allow it.
    pub directive: String,
    /// What it does not allow: an origin (`https://cdn.example`), a scheme (`data:`), `'self'`, `inline`, `eval` or
    /// `wasm-eval`.
    pub blocked: String,
    /// The path of the page; without its query.
    pub page: String,
    /// Whether it was loaded all the same.
    pub effect: CspEffect,
}

/// Reports of one body that are looked at; browsers send a handful together.
const MOST_REPORTS: usize = 50;
/// The longest host and port that are kept.
const LONGEST_ORIGIN: usize = 270;
/// As much of a page's path is kept.
const LONGEST_PAGE: usize = 120;

/// Every directive that can be violated (CSP 3, 6).
const DIRECTIVES: [&str; 23] = [
    "base-uri",
    "child-src",
    "connect-src",
    "default-src",
    "font-src",
    "form-action",
    "frame-ancestors",
    "frame-src",
    "img-src",
    "manifest-src",
    "media-src",
    "object-src",
    "require-trusted-types-for",
    "sandbox",
    "script-src",
    "script-src-attr",
    "script-src-elem",
    "style-src",
    "style-src-attr",
    "style-src-elem",
    "trusted-types",
    "webrtc",
    "worker-src",
];

impl Violation {
    /// What a body of `application/csp-report` tells (CSP 2, 4.4): one, or none that counts. `None`: it is
    /// no report.
    pub fn of_one(body: &[u8]) -> Option<Vec<Self>> {
        let report: Value = serde_json::from_slice(body).ok()?;
        let report = report.get("csp-report")?.as_object()?;
        let text = |name: &str| report.get(name).and_then(Value::as_str);
        let directive = text("effective-directive").or_else(|| text("violated-directive"));
        let found = violation(
            directive,
            text("blocked-uri"),
            text("document-uri"),
            text("disposition"),
        );
        Some(found.into_iter().collect())
    }

    /// What a body of `application/reports+json` tells (Reporting API, 3): several, and not of policies only. `None`: these are no
    /// reports.
    pub fn of_several(body: &[u8]) -> Option<Vec<Self>> {
        let reports: Value = serde_json::from_slice(body).ok()?;
        let reports = match &reports {
            Value::Array(reports) => reports.as_slice(),
            one @ Value::Object(_) => std::slice::from_ref(one),
            _ => return None,
        };
        let found = reports.iter().take(MOST_REPORTS).filter_map(|report| {
            if report.get("type")?.as_str()? != "csp-violation" {
                return None;
            }
            let body = report.get("body")?;
            let text = |name: &str| body.get(name).and_then(Value::as_str);
            violation(
                text("effectiveDirective"),
                text("blockedURL"),
                text("documentURL").or_else(|| report.get("url").and_then(Value::as_str)),
                text("disposition"),
            )
        });
        Some(found.collect())
    }
}

fn violation(
    directive: Option<&str>,
    blocked: Option<&str>,
    document: Option<&str>,
    disposition: Option<&str>,
) -> Option<Violation> {
    // older browsers write the whole directive
    let directive = directive?.split_ascii_whitespace().next()?;
    let directive = DIRECTIVES.iter().find(|known| **known == directive)?;
    let document: Option<Uri> = document.and_then(|uri| uri.parse().ok());
    let own = document.as_ref().and_then(origin_of);
    let page = document.as_ref().map_or("/", Uri::path);
    Some(Violation {
        directive: (*directive).to_owned(),
        blocked: blocked_by(directive, blocked.unwrap_or(""), own.as_deref())?,
        page: page.chars().take(LONGEST_PAGE).collect(),
        effect: if disposition == Some("report") {
            CspEffect::ReportOnly
        } else {
            CspEffect::Enforced
        },
    })
}

/// As a policy would name it. Nothing for what a policy is not about: a browser's extensions.
fn blocked_by(directive: &str, blocked: &str, own: Option<&str>) -> Option<String> {
    let is_code = directive.starts_with("script-src") || directive.starts_with("style-src");
    match blocked {
        "inline" | "eval" | "wasm-eval" => return Some(blocked.to_owned()),
        "" | "self" if is_code => return Some("inline".to_owned()),
        "" | "self" => return Some("'self'".to_owned()),
        "data" | "blob" | "filesystem" | "mediastream" => return Some(format!("{blocked}:")),
        _ => {}
    }
    if let Some(scheme) = ["data:", "blob:", "filesystem:", "mediastream:"]
        .iter()
        .find(|scheme| blocked.starts_with(**scheme))
    {
        return Some((*scheme).to_owned());
    }
    let origin = origin_of(&blocked.parse().ok()?)?;
    if own == Some(origin.as_str()) {
        return Some("'self'".to_owned());
    }
    Some(origin)
}

/// Scheme, host and port of an address of the web.
fn origin_of(uri: &Uri) -> Option<String> {
    let scheme = uri
        .scheme_str()
        .filter(|s| ["http", "https", "ws", "wss"].contains(s))?;
    let host = uri.host()?.to_ascii_lowercase();
    let is_host = !host.is_empty()
        && host.len() <= LONGEST_ORIGIN
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte));
    let usual = if matches!(scheme, "https" | "wss") {
        443
    } else {
        80
    };
    let port = match uri.port_u16() {
        Some(port) if port != usual => format!(":{port}"),
        _ => String::new(),
    };
    is_host.then(|| format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(directive: &str, blocked: &str) -> Option<String> {
        let body = serde_json::json!({ "csp-report": {
            "document-uri": "https://shop.example/cart/7?token=secret#x",
            "effective-directive": directive,
            "blocked-uri": blocked,
            "disposition": "report",
            "script-sample": "alert(1)",
        }});
        let found = Violation::of_one(body.to_string().as_bytes()).expect("a report");
        let found = found.into_iter().next()?;
        assert_eq!(
            (found.page.as_str(), found.effect),
            ("/cart/7", CspEffect::ReportOnly)
        );
        Some(found.blocked)
    }

    #[test]
    fn what_was_blocked_is_named_as_a_policy_would() {
        for (directive, blocked, expected) in [
            (
                "script-src",
                "https://CDN.example/a.js?user=7",
                Some("https://cdn.example"),
            ),
            (
                "connect-src",
                "wss://live.example:8443/x",
                Some("wss://live.example:8443"),
            ),
            (
                "img-src",
                "https://a.example:443/x",
                Some("https://a.example"),
            ),
            ("img-src", "https://shop.example/x.png", Some("'self'")),
            ("img-src", "data", Some("data:")),
            ("img-src", "data:image/png;base64,AAAA", Some("data:")),
            ("script-src-elem", "inline", Some("inline")),
            ("script-src", "", Some("inline")),
            ("script-src", "eval", Some("eval")),
            ("script-src", "chrome-extension://abc/x.js", None),
            ("script-src", "moz-extension", None),
            ("script-src", "https://a b", None),
            ("not-a-directive", "https://a.example", None),
            (
                "script-src 'self' a.example",
                "https://a.example/",
                Some("https://a.example"),
            ),
        ] {
            assert_eq!(
                one(directive, blocked).as_deref(),
                expected,
                "{directive} {blocked}"
            );
        }
    }

    #[test]
    fn several_come_together_and_others_with_them() {
        let body = serde_json::json!([
            { "type": "deprecation", "url": "https://shop.example/", "body": {} },
            { "type": "csp-violation", "url": "https://shop.example/x?y", "body": {
                "documentURL": "https://shop.example/x?y",
                "effectiveDirective": "style-src-elem",
                "blockedURL": "https://fonts.example/css?family=x",
                "disposition": "enforce",
            }},
            { "type": "csp-violation" },
            7,
        ]);
        let found = Violation::of_several(body.to_string().as_bytes()).expect("reports");
        let [found] = &found[..] else {
            panic!("one of them: {found:?}");
        };
        assert_eq!(found.blocked, "https://fonts.example");
        assert_eq!(
            (found.page.as_str(), found.effect),
            ("/x", CspEffect::Enforced)
        );
    }

    proptest! {
        /// Whatever is sent, what is kept is short, of one line, and no address with a query.
        #[test]
        fn whatever_is_sent_little_is_kept(
            directive in "[a-z-]{0,12}|script-src|img-src",
            blocked in "\\PC{0,60}|https?://\\PC{0,40}",
            document in "\\PC{0,60}|https://a\\.example/\\PC{0,300}",
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = (Violation::of_one(&noise), Violation::of_several(&noise));
            if let Some(found) = violation(Some(&directive), Some(&blocked), Some(&document), None) {
                prop_assert!(DIRECTIVES.contains(&&*found.directive));
                prop_assert!(found.blocked.len() <= LONGEST_ORIGIN + 20);
                prop_assert!(found.blocked.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!found.blocked.contains(['?', '#', ';', ',', '"', '\\']));
                prop_assert!(found.page.chars().count() <= LONGEST_PAGE && !found.page.contains('?'));
            }
        }
    }
}
