//! `[compress]`: which answers are made smaller, and how. The stage that does it is in the pipeline.

use mainstay_pipeline::{BreachGuard, Coding, CompressOptions, OriginCoding};
use mainstay_values::Size;

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::word::Word;

/// What a preset says about compression.
pub(crate) fn of(preset: Preset) -> CompressOptions {
    match preset {
        Preset::Off => CompressOptions::off(),
        Preset::Safe | Preset::Strict => CompressOptions::default(),
    }
}

impl Word for Coding {
    const WANTED: &'static str = "a content coding";
    const WORDS: &'static [(&'static str, Self)] =
        &[("zstd", Self::Zstd), ("br", Self::Br), ("gzip", Self::Gzip)];
}

impl Word for OriginCoding {
    const WANTED: &'static str = "what origins are asked for";
    const WORDS: &'static [(&'static str, Self)] = &[("plain", Self::Plain), ("pass", Self::Pass)];
}

pub(crate) const SECTION: Section = Section {
    heading: "[compress]",
    doc: "Which answers are made smaller on their way. Text, JSON, SVG, fonts and the like are, from 1 KiB on; what is encoded already, \
          ranges, and whatever says `no-transform` stay as they are. Answers that come in pieces are encoded in pieces, and can \
          be read as far as they came whenever the app pauses. On in `safe` and `strict`.",
    keys: &[
        Key {
            name: "codings",
            kind: "list of `zstd`, `br` and `gzip`",
            default: "[\"zstd\", \"br\", \"gzip\"]",
            doc: "What clients are offered; of those they like alike the first is taken.",
        },
        Key {
            name: "minimum",
            kind: "size, up to 1mb",
            default: "\"1kb\"",
            doc: "Shorter answers stay as they are; those whose length is not known beforehand do not count as short.",
        },
        Key {
            name: "gzip_level",
            kind: "1 to 9",
            default: "6",
            doc: "How hard gzip tries, on the scale of zlib and nginx.",
        },
        Key {
            name: "br_level",
            kind: "0 to 11",
            default: "4",
            doc: "How hard Brotli tries; from 5 on an answer costs several times as much.",
        },
        Key {
            name: "zstd_level",
            kind: "1 to 19",
            default: "3",
            doc: "How hard Zstandard tries.",
        },
        Key {
            name: "origins",
            kind: "`plain` or `pass`",
            default: "\"plain\"",
            doc: "What apps and upstreams are asked for: plain content, so that it is encoded here and not in the app, or whatever the client accepts.",
        },
        Key {
            name: "breach",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether answers to requests that another site's page caused (`Sec-Fetch-Site: cross-site`) stay as they are, so that their length tells nothing of a secret in them.",
        },
    ],
    aliases: &[
        ("threshold", "minimum"),
        ("min_length", "minimum"),
        ("gzip_min_length", "minimum"),
        ("level", "gzip_level"),
        ("gzip_comp_level", "gzip_level"),
        ("brotli_level", "br_level"),
        ("algorithms", "codings"),
        ("encodings", "codings"),
        ("pass", "origins = \"pass\""),
    ],
    example: "\
[compress]
codings = [\"br\", \"gzip\"]
minimum = \"2kb\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut CompressOptions) {
    if let Some(codings) = section.list("codings") {
        slot.codings = codings;
    } else if slot.codings.is_empty() {
        // the section is there, so it is meant, whatever the preset says
        slot.codings = Coding::ALL.to_vec();
    }
    let bounds = Size::bytes(0)..=Size::mb(1);
    if let Some(minimum) = section.get_within("minimum", &bounds) {
        slot.minimum = minimum.as_bytes();
    }
    section.set_within("gzip_level", &(1..=9), &mut slot.gzip_level);
    section.set_within("br_level", &(0..=11), &mut slot.br_level);
    section.set_within("zstd_level", &(1..=19), &mut slot.zstd_level);
    section.set("origins", &mut slot.origins);
    if let Some(guard) = section.get("breach") {
        slot.breach = if guard {
            BreachGuard::On
        } else {
            BreachGuard::Off
        };
    }
    section.finish();
}
