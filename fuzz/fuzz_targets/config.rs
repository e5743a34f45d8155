//! Any bytes as a settings file: loading ends with settings or with problems that can be shown,
//! and sound settings survive the way to the gateway.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_config::{SourceFile, Sources, Style, load, render};

fuzz_target!(|bytes: &[u8]| {
    let sources = Sources {
        file: Some(SourceFile::new("mainstay.toml", "/srv", bytes.to_vec())),
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
