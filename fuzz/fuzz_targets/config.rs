//! Any bytes as settings files, one or three of them, with a profile or without: loading ends with settings or with
//! problems that can be shown, and sound settings survive the way to the gateway.

#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mainstay_config::{Flags, Included, SourceFile, Sources, Style, load, render};

/// Parts one file from the next: TOML has no place for it.
const NEXT_FILE: u8 = 0x1e;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == NEXT_FILE);
    let file = SourceFile::new("mainstay.toml", "/srv", parts.next().unwrap_or_default().to_vec());
    let others: BTreeMap<PathBuf, Vec<u8>> = ["/srv/a.toml", "/srv/b/c.toml"]
        .into_iter()
        .map(PathBuf::from)
        .zip(parts.map(<[u8]>::to_vec))
        .collect();
    let chosen = bytes.len() % 2 == 1;
    let sources = Sources {
        included: Included::by(&file, &others),
        file: Some(file),
        flags: Flags {
            env: chosen.then(|| "live".to_owned()),
            ..Flags::default()
        },
        folder: "/srv".into(),
        ..Sources::default()
    };
    match load(&sources) {
        Ok(settings) => {
            let sent = serde_json::to_vec(&settings).expect("settings are plain data");
            let received = serde_json::from_slice(&sent).expect("what was sent can be read");
            assert_eq!(settings, received);
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let text = render(&problems, &sources, Style::Plain);
            assert!(!text.contains('\u{1b}'));
        }
    }
});
