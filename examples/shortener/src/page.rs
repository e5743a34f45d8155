//! The app's two pages: plain HTML, one form, no script, nothing from elsewhere.
//!
//! What may not be here: text of others that was not escaped.

use std::fmt::Write as _;

use crate::Link;

/// The start page with the latest links.
pub(crate) fn home(latest: &[Link]) -> String {
    let mut rows = String::new();
    for link in latest {
        let (id, url, visits) = (escaped(&link.id), escaped(&link.url), link.visits);
        let _ = write!(
            rows,
            "<tr><td><a href=\"/{id}\">/{id}</a><td>{url}<td>{visits}"
        );
    }
    let table = if rows.is_empty() {
        "<p>No links yet.".to_owned()
    } else {
        format!("<table><tr><th>Link<th>Leads to<th>Visits{rows}</table>")
    };
    whole(&format!(
        "<form method=post action=/links><label>URL to shorten <input type=url name=url required maxlength=2048 \
         placeholder=\"https://example.com/a/long/path\"></label> <button>Shorten</button></form>{table}"
    ))
}

/// What the form shows once a link was made.
pub(crate) fn made(short: &str) -> String {
    let short = escaped(short);
    whole(&format!(
        "<p>Your link: <a href=\"{short}\">{short}</a><p><a href=\"/\">Another one</a>"
    ))
}

/// What the form shows for a URL that is none.
pub(crate) fn refused(message: &str) -> String {
    whole(&format!(
        "<p role=alert>{}<p><a href=\"/\">Back</a>",
        escaped(message)
    ))
}

fn whole(main: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Shortener</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}\
         input{{width:100%;padding:.5rem;margin:.5rem 0;box-sizing:border-box}}td,th{{text-align:left;padding:.25rem 1rem .25rem 0;\
         overflow-wrap:anywhere}}</style><h1>Shortener</h1><main>{main}</main></html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
