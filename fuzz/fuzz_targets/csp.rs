//! Any text as a source of a directive: what is let through stays one source of one directive of one policy.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_config::{Flags, SourceFile, Sources, Style, load, render};

/// A basic string of TOML (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if letter.is_control() => format!("\\u{:04X}", letter as u32),
        letter => letter.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let directive = parts.next().unwrap_or_default();
    let sources = parts.map(quoted).collect::<Vec<_>>().join(", ");
    let file = format!(
        "[app.api]\ncommand = \"node x.js\"\n[headers.csp]\ndefaults = false\n{} = [{sources}]\n",
        quoted(directive)
    );
    let sources = Sources {
        file: Some(SourceFile::new("mainstay.toml", "/srv", file.into_bytes())),
        flags: Flags::default(),
        folder: "/srv".into(),
        ..Sources::default()
    };
    match load(&sources) {
        Ok(settings) => {
            let policy = settings.layers.headers.csp.expect("a policy").policy();
            assert!(policy.len() <= 1, "{policy:?}");
            for (directive, sources) in &policy {
                let words = std::iter::once(directive.as_str()).chain(sources.iter().map(String::as_str));
                for word in words {
                    assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()));
                    assert!(!word.contains([';', ',']), "{word}");
                }
            }
        }
        Err(problems) => {
            let text = render(&problems, &sources, Style::Plain);
            assert!(!text.contains('\u{1b}'));
        }
    }
});
