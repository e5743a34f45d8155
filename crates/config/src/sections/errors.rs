//! `[errors]`: what becomes of an app's errors, and the pages that stand for errors. Reads the pages too: a file that is
//! not there is a mistake like any other. What is looked for in an error is in the pipeline's stage.

use std::path::PathBuf;

use mainstay_pipeline::{ErrorOptions, PageKind, PageOptions};
use mainstay_values::{BadValue, Problem, Size, StatusPattern};
use serde::{Deserialize, Serialize};

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value as _};

/// The longest page. Images and styles are files of their own.
const LONGEST_PAGE: Size = Size::kb(256);
/// All pages together: each thread of the gateway holds them.
const MOST_OF_ALL: Size = Size::mb(1);

/// A page for errors of a status, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSettings {
    /// Where it was read.
    pub file: PathBuf,
    /// The page itself.
    pub options: PageOptions,
}

/// What a preset says about errors.
pub(crate) fn of(preset: Preset) -> ErrorOptions {
    ErrorOptions {
        scrub: preset != Preset::Off,
        log: true,
        replace: Vec::new(),
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[errors]",
    doc: "What clients see of errors. Routes may differ: `[route.NAME.errors]`.",
    keys: &[
        Key {
            name: "scrub",
            kind: "`true` or `false`",
            default: "true (false in `off`, and in `safe` with `NODE_ENV=development`)",
            doc: "Whether an app's 5xx with a stack trace, SQL or a path of the machine in it is replaced by a page without.",
        },
        Key {
            name: "log",
            kind: "`true` or `false`",
            default: "true",
            doc: "Whether what was replaced is written to the log, as one JSON line with `\"type\":\"error\"`.",
        },
        Key {
            name: "replace",
            kind: "list of statuses of errors, `4xx` and `5xx`",
            default: "[]",
            doc: "The app's answers that get our page whatever they say.",
        },
        Key {
            name: "pages",
            kind: "section",
            default: "",
            doc: "Pages for errors; only at the top of the file.",
        },
    ],
    aliases: &[
        ("error_page", "pages"),
        ("error_pages", "pages"),
        ("intercept", "replace"),
        ("proxy_intercept_errors", "replace"),
    ],
    example: "\
[errors]
replace = [\"5xx\"]
",
};

pub(crate) const PAGES: Section = Section {
    heading: "[errors.pages]",
    doc: "Pages for errors, each `STATUS = \"file\"`; `4xx` and `5xx` are for all of a class. A file that ends in `.html` is for \
          browsers, one in `.json` for programs; a list names one of each. `{status}`, `{title}`, `{message}` and `{request_id}` in \
          a page are filled in.",
    keys: &[],
    aliases: &[],
    example: "\
[errors.pages]
404 = \"pages/not-found.html\"
5xx = [\"pages/error.html\", \"pages/error.json\"]
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut ErrorOptions) {
    section.set("scrub", &mut slot.scrub);
    section.set("log", &mut slot.log);
    if let Some(statuses) = section.list::<StatusPattern>("replace") {
        slot.replace = statuses;
    }
    if section.path() != "errors"
        && let Some(item) = section.item("pages")
    {
        item.push(
            Problem::new("a route has no pages of its own")
                .expected("`[errors.pages]` at the top of the file, for all routes"),
        );
    }
    section.finish();
}

/// The pages of the section at the top of the file.
pub(crate) fn read_pages(top: &Reader<'_>, slot: &mut Vec<PageSettings>) {
    let Some(errors) = top.section("errors", &SECTION) else {
        return;
    };
    let Some(pages) = errors.section("pages", &PAGES) else {
        return;
    };
    for (name, item) in pages.entries() {
        match name.get_ref().parse() {
            Ok(status) => slot.extend(item.elements().iter().filter_map(|item| page(item, status))),
            Err(cause) => item.push(Problem::bad_value(name.get_ref(), cause)),
        }
    }
    let all: usize = slot.iter().map(|page| page.options.text.len()).sum();
    if all as u64 > MOST_OF_ALL.as_bytes() {
        pages.reject(
            Problem::new("the pages are too long")
                .expected(format!("at most `{MOST_OF_ALL}` together"))
                .hint("let them load their images and styles from elsewhere"),
        );
    }
    for (index, page) in slot.iter().enumerate() {
        let is_same = |other: &PageSettings| {
            (other.options.status, other.options.kind) == (page.options.status, page.options.kind)
        };
        if slot[..index].iter().any(is_same) {
            let status = page.options.status;
            pages.reject(
                Problem::new(format!("`errors.pages.{status}` has two pages of one kind"))
                    .expected("one that ends in `.html`, and one in `.json`"),
            );
        }
    }
}

fn page(item: &Item<'_>, status: StatusPattern) -> Option<PageSettings> {
    let file = item.folder().join(String::read(item)?);
    let kind = match file.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => PageKind::Html,
        Some("json") => PageKind::Json,
        _ => {
            item.reject(BadValue::new(
                "a page",
                "a file that ends in `.html`, for browsers, or `.json`, for programs",
            ));
            return None;
        }
    };
    let (_, text) = item.text_of_file(LONGEST_PAGE.as_len())?;
    Some(PageSettings {
        file,
        options: PageOptions { status, kind, text },
    })
}
