//! A page of the user's, with places for what is only known when it is sent. Knows four names; whatever else stands in
//! braces is the page's own.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::wording;

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageKind {
    /// For browsers.
    Html,
    /// For programs.
    Json,
}

impl PageKind {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Status,
    Title,
    Message,
    RequestId,
}

const PLACES: [(&str, Place); 4] = [
    ("{status}", Place::Status),
    ("{title}", Place::Title),
    ("{message}", Place::Message),
    ("{request_id}", Place::RequestId),
];

/// A page, taken apart at its places.
#[derive(Debug)]
pub(super) struct Template {
    /// Text, and what follows it.
    parts: Vec<(String, Place)>,
    end: String,
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        let mut searched = 0;
        while let Some(brace) = rest[searched..].find('{') {
            let at = searched + brace;
            let found = PLACES.iter().find(|(word, _)| rest[at..].starts_with(word));
            if let Some((word, place)) = found {
                parts.push((rest[..at].to_owned(), *place));
                rest = &rest[at + word.len()..];
                searched = 0;
            } else {
                searched = at + 1;
            }
        }
        Self {
            parts,
            end: rest.to_owned(),
        }
    }

    /// The page. What comes into it is escaped for what it is written in.
    pub(super) fn fill(&self, kind: PageKind, status: StatusCode, request_id: &str) -> String {
        let mut out = String::new();
        for (text, place) in &self.parts {
            out.push_str(text);
            match place {
                Place::Status => out.push_str(status.as_str()),
                Place::Title => escape(&mut out, kind, wording::title(status)),
                Place::Message => escape(&mut out, kind, wording::message(status)),
                Place::RequestId => escape(&mut out, kind, request_id),
            }
        }
        out.push_str(&self.end);
        out
    }
}

fn escape(out: &mut String, kind: PageKind, text: &str) {
    for character in text.chars() {
        let escaped = match (kind, character) {
            (PageKind::Html, '<') => "&lt;",
            (PageKind::Html, '>') => "&gt;",
            (PageKind::Html, '&') => "&amp;",
            (PageKind::Html, '"') => "&quot;",
            (PageKind::Html, '\'') => "&#39;",
            (PageKind::Json, '"') => "\\\"",
            (PageKind::Json, '\\') => "\\\\",
            (_, character) if character.is_control() => continue,
            (_, character) => {
                out.push(character);
                continue;
            }
        };
        out.push_str(escaped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_filled_and_other_braces_stay() {
        let page = "a{color:red}{{status}} {title} {Status} {message}{request_id}{";
        for (kind, id, expected) in [
            (
                PageKind::Html,
                "<i>\"'&\n",
                "a{color:red}{404} Not Found {Status} There is nothing here.&lt;i&gt;&quot;&#39;&amp;{",
            ),
            (
                PageKind::Json,
                "<\"\\",
                "a{color:red}{404} Not Found {Status} There is nothing here.<\\\"\\\\{",
            ),
        ] {
            assert_eq!(
                Template::new(page).fill(kind, StatusCode::NOT_FOUND, id),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn a_page_without_places_is_sent_as_it_is(page in "[{}a-z<é]{0,60}") {
            prop_assume!(PLACES.iter().all(|(word, _)| !page.contains(word)));
            prop_assert_eq!(Template::new(&page).fill(PageKind::Html, StatusCode::NOT_FOUND, "x"), page);
        }
    }
}
