//! `[headers.csp]`: the content security policy by directives. How they are laid over the defaults is in the pipeline's
//! stage.

mod source;

use mainstay_pipeline::{CspBase, CspEffect, CspOptions, Directive, REPORT_PATH};
use mainstay_values::{BadValue, Problem};

use self::source::Takes;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};

/// The longest policy; with all other headers a response head still fits where others read it.
const LONGEST_POLICY: usize = 4_096;

/// The longest path that reports may be sent to.
const LONGEST_PATH: usize = 200;

/// Every directive, and what it takes.
const DIRECTIVES: [(&str, Takes); 26] = [
    ("default-src", Takes::Sources),
    ("script-src", Takes::Sources),
    ("script-src-elem", Takes::Sources),
    ("script-src-attr", Takes::Sources),
    ("style-src", Takes::Sources),
    ("style-src-elem", Takes::Sources),
    ("style-src-attr", Takes::Sources),
    ("img-src", Takes::Sources),
    ("font-src", Takes::Sources),
    ("connect-src", Takes::Sources),
    ("media-src", Takes::Sources),
    ("object-src", Takes::Sources),
    ("frame-src", Takes::Sources),
    ("child-src", Takes::Sources),
    ("worker-src", Takes::Sources),
    ("manifest-src", Takes::Sources),
    ("base-uri", Takes::Sources),
    ("form-action", Takes::Sources),
    ("frame-ancestors", Takes::Ancestors),
    ("sandbox", Takes::Permissions),
    ("require-trusted-types-for", Takes::Sinks),
    ("trusted-types", Takes::Policies),
    ("upgrade-insecure-requests", Takes::Nothing),
    ("report-uri", Takes::Endpoints),
    ("report-to", Takes::Endpoints),
    ("webrtc", Takes::Endpoints),
];

const SOURCES: &str = "list, `false` for none, or `{ add = … }`";

const fn directive(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind: SOURCES,
        default,
        doc,
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[headers.csp]",
    doc: "The content security policy, directive by directive, over helmet's. A list takes the place of what holds without \
          it, `{ add = [\"cdn.example\"] }` adds to it and never narrows, `false` takes the directive out. A policy that the \
          app sends itself takes the place of this one unless `mode` says otherwise: nonces, which must be other ones for \
          each answer, are the app's.",
    keys: &[
        Key {
            name: "defaults",
            kind: "`true` or `false`",
            default: "true",
            doc: "Whether helmet's directives are there where nothing else is said of them.",
        },
        Key {
            name: "report_only",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether browsers load what the policy does not allow, and only report it.",
        },
        Key {
            name: "report",
            kind: "`true`, `false`, or path",
            default: "false",
            doc: "Whether browsers report what the policy does not allow; to `/.mainstay/csp`, or the path that is written. `mainstay csp` tells what they did.",
        },
        directive(
            "default-src",
            "(`'self'`)",
            "What may be loaded, where no other directive says more.",
        ),
        directive("script-src", "(`'self'`)", "Scripts."),
        directive(
            "script-src-elem",
            "(as `script-src`)",
            "Scripts in elements of their own.",
        ),
        directive(
            "script-src-attr",
            "(`'none'`)",
            "Scripts in attributes: `onclick` and the like.",
        ),
        directive("style-src", "(`'self' https: 'unsafe-inline'`)", "Styles."),
        directive(
            "style-src-elem",
            "(as `style-src`)",
            "Styles in elements of their own.",
        ),
        directive(
            "style-src-attr",
            "(as `style-src`)",
            "Styles in attributes.",
        ),
        directive("img-src", "(`'self' data:`)", "Images."),
        directive("font-src", "(`'self' https: data:`)", "Fonts."),
        directive(
            "connect-src",
            "(as `default-src`)",
            "What scripts may connect to.",
        ),
        directive("media-src", "(as `default-src`)", "Sound and film."),
        directive("object-src", "(`'none'`)", "Plug-ins."),
        directive("frame-src", "(as `child-src`)", "Frames in the page."),
        directive("child-src", "(as `default-src`)", "Frames and workers."),
        directive(
            "worker-src",
            "(as `child-src`, then `script-src`)",
            "Workers.",
        ),
        directive("manifest-src", "(as `default-src`)", "The app's manifest."),
        directive("base-uri", "(`'self'`)", "What `<base>` may say."),
        directive("form-action", "(`'self'`)", "Where forms may be sent."),
        directive(
            "frame-ancestors",
            "(`'self'`)",
            "Who may show the page in a frame.",
        ),
        Key {
            name: "sandbox",
            kind: "list of permissions, `true` for none of them, or `false`",
            default: "(not sandboxed)",
            doc: "Treats the page as in a sandboxed frame, with these permissions.",
        },
        directive(
            "require-trusted-types-for",
            "(none)",
            "`'script'`: no text where a script could be made of it.",
        ),
        directive(
            "trusted-types",
            "(any)",
            "Trusted Types policies that a page may make.",
        ),
        Key {
            name: "upgrade-insecure-requests",
            kind: "`true` or `false`",
            default: "true",
            doc: "Whether a page's `http:` addresses are asked over https; never sent over plain HTTP.",
        },
        directive(
            "report-uri",
            "(none)",
            "Somebody else's collector of reports, in place of `report`.",
        ),
        directive(
            "report-to",
            "(none)",
            "Somebody else's collector, by its name in `Reporting-Endpoints`.",
        ),
        directive("webrtc", "(allowed)", "`'allow'` or `'block'`."),
    ],
    aliases: &[
        (
            "directives",
            "the directives themselves below `[headers.csp]`",
        ),
        ("useDefaults", "defaults"),
        ("use_defaults", "defaults"),
        ("reportOnly", "report_only"),
        ("report-only", "report_only"),
        ("reportUri", "report-uri"),
        ("defaultSrc", "default-src"),
        ("scriptSrc", "script-src"),
        ("scriptSrcElem", "script-src-elem"),
        ("scriptSrcAttr", "script-src-attr"),
        ("styleSrc", "style-src"),
        ("styleSrcElem", "style-src-elem"),
        ("styleSrcAttr", "style-src-attr"),
        ("imgSrc", "img-src"),
        ("fontSrc", "font-src"),
        ("connectSrc", "connect-src"),
        ("mediaSrc", "media-src"),
        ("objectSrc", "object-src"),
        ("frameSrc", "frame-src"),
        ("childSrc", "child-src"),
        ("workerSrc", "worker-src"),
        ("manifestSrc", "manifest-src"),
        ("baseUri", "base-uri"),
        ("formAction", "form-action"),
        ("frameAncestors", "frame-ancestors"),
        ("upgradeInsecureRequests", "upgrade-insecure-requests"),
        ("block-all-mixed-content", "upgrade-insecure-requests"),
    ],
    example: "\
[headers.csp]
script-src = [\"'self'\", \"https://cdn.example\"]
img-src = { add = [\"https://images.example\"] }
object-src = false
report = true
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut CspOptions) {
    if let Some(defaults) = section.get("defaults") {
        slot.base = if defaults {
            CspBase::Defaults
        } else {
            CspBase::Nothing
        };
    }
    if let Some(only) = section.get("report_only") {
        slot.effect = if only {
            CspEffect::ReportOnly
        } else {
            CspEffect::Enforced
        };
    }
    if let Some(item) = section.item("report") {
        slot.report = report(&item);
    }
    for (name, item) in in_file_order(&section) {
        let takes = DIRECTIVES.iter().find(|(known, _)| *known == name);
        if let Some((_, takes)) = takes
            && let Some(said) = said(&item, *takes)
        {
            slot.set(name, said);
        }
    }
    check(&section, slot);
    section.finish();
}

/// The directives that are there, as they were written: what the base does not know is sent so.
fn in_file_order<'a>(section: &Reader<'a>) -> Vec<(&'static str, Item<'a>)> {
    let mut found: Vec<_> = DIRECTIVES
        .iter()
        .filter_map(|(name, _)| Some((*name, section.item(name)?)))
        .collect();
    found.sort_by_key(|(_, item)| item.value.span().start);
    found
}

fn said(item: &Item<'_>, takes: Takes) -> Option<Directive> {
    if item.is_false() {
        return Some(Directive::Off);
    }
    let stands_alone = matches!(takes, Takes::Nothing | Takes::Permissions);
    if stands_alone && item.value.get_ref().as_bool() == Some(true) {
        return Some(Directive::Sources(Vec::new()));
    }
    if takes == Takes::Nothing {
        item.reject(BadValue::new("on or off", "`true` or `false`"));
        return None;
    }
    let Some(table) = item.value.get_ref().as_table() else {
        return sources(item, takes).map(Directive::Sources);
    };
    let mut said = None;
    for (name, value) in table {
        let item = Item {
            path: format!("{}.{}", item.path, name.get_ref()),
            value,
            report: item.report,
        };
        if name.get_ref() == "add" {
            item.bound();
            said = sources(&item, takes).map(Directive::Add);
        } else {
            item.push(Problem::new(format!("`{}` is not a setting", item.path)).expected("`add`"));
        }
    }
    said
}

/// All of them, if all are sound.
fn sources(item: &Item<'_>, takes: Takes) -> Option<Vec<String>> {
    let elements = item.elements();
    let mut found: Vec<String> = Vec::new();
    for element in &elements {
        let text = String::read(element)?;
        if let Err(cause) = source::check(&text, takes) {
            element.reject(cause);
        } else if found.contains(&text) {
            element.push(Problem::new(format!("`{text}` is there twice")).expected("each once"));
        } else {
            found.push(text);
        }
    }
    if elements.is_empty() {
        item.reject(
            BadValue::new("a directive", "at least one source")
                .hint("for nothing at all write `\"'none'\"`, for no such directive `false`"),
        );
        return None;
    }
    if found.len() > 1 && found.iter().any(|source| source == "'none'") {
        item.reject(BadValue::new(
            "one policy",
            "`'none'` alone, or the others without it",
        ));
        return None;
    }
    (found.len() == elements.len()).then_some(found)
}

fn report(item: &Item<'_>) -> Option<String> {
    if let Some(is_on) = item.value.get_ref().as_bool() {
        return is_on.then(|| REPORT_PATH.to_owned());
    }
    let complaint = BadValue::new(
        "a path",
        "`true` for `/.mainstay/csp`, `false`, or a path such as `/reports/csp`",
    );
    let path = item.value.get_ref().as_str().unwrap_or("");
    let is_path = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= LONGEST_PATH
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    if is_path {
        return Some(path.to_owned());
    }
    item.reject(if path.contains("://") {
        complaint.hint("somebody else's collector is named by `report-uri`")
    } else {
        complaint
    });
    None
}

/// What can only be said of the policy as a whole.
fn check(section: &Reader<'_>, options: &CspOptions) {
    for (name, said) in &options.directives {
        let known = DIRECTIVES.iter().find(|(known, _)| known == name);
        let (Some((name, _)), Directive::Add(_)) = (known, said) else {
            continue;
        };
        if options.without(name).is_none()
            && let Some(item) = section.item(name)
        {
            item.push(
                Problem::new(format!("`{}` adds to nothing", item.path))
                    .expected("a list of all that is allowed")
                    .hint("without it everything is: with an addition only that would be"),
            );
        }
    }
    let elsewhere = ["report-uri", "report-to"];
    for name in elsewhere {
        if options.report.is_some()
            && matches!(
                options.directive(name),
                Some(Directive::Sources(_) | Directive::Add(_))
            )
            && let Some(item) = section.item(name).or_else(|| section.item("report"))
        {
            item.push(
                Problem::new(format!("`{}` and `report` are two collectors", item.path))
                    .expected("one of them")
                    .hint("browsers send reports to one only"),
            );
        }
    }
    if options.text().len() > LONGEST_POLICY {
        section.reject(
            Problem::new("the content security policy is too long")
                .expected(format!("at most {LONGEST_POLICY} bytes")),
        );
    }
    if options.text().is_empty() {
        section.reject(
            Problem::new(format!("`{}` allows everything", section.path()))
                .expected("a directive, or `enabled = false`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_has_its_key() {
        let keys: Vec<&str> = SECTION.keys.iter().map(|key| key.name).collect();
        for (name, _) in DIRECTIVES {
            assert!(keys.contains(&name), "{name}");
        }
        // and those of the policy itself
        assert_eq!(keys.len(), DIRECTIVES.len() + 3);
        for (name, _) in CspOptions::default().policy() {
            assert!(keys.contains(&&*name), "{name}");
        }
    }
}
