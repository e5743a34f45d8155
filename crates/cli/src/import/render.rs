//! An ecosystem file in our words, as the text of a `mainstay.toml`: each line with the field it came from.

use std::fmt::Write as _;

use mainstay_config::ecosystem::{Line, Source, Translation};

use crate::init::write_lines;

/// The whole file. `is_open` says of a variable, by name and value, whether its value may be written down.
pub(crate) fn render(
    file: &str,
    translation: &Translation,
    is_open: &dyn Fn(&str, &str) -> bool,
) -> String {
    let mut text = format!(
        "# Written by `mainstay import pm2` from {file}: behind each line stands the field that it came from.\n"
    );
    for (heading, lines) in translation.lines.sections() {
        let _ = write!(text, "\n[{heading}]\n");
        if heading.rsplit('.').next() != Some("env") {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| (setting(line), reason(line)))
                .collect();
            write_lines(&lines, &mut text);
            continue;
        }
        let mut kept_back = Vec::new();
        for line in lines {
            // a basic string of TOML, as we write it, is one of JSON
            let value = serde_json::from_str(&line.value).unwrap_or_default();
            let value: String = value;
            if is_open(&line.key, &value) {
                let _ = writeln!(text, "{}", setting(line));
            } else {
                kept_back.push(line.key.as_str());
            }
        }
        if !kept_back.is_empty() {
            text.push_str("# not written down, since they may be secrets; set them where `mainstay` is started:\n");
            for names in kept_back.chunks(8) {
                let _ = writeln!(text, "#   {}", names.join(", "));
            }
        }
    }
    if !translation.notes.is_empty() {
        text.push_str("\n# Not taken over:\n");
        for note in &translation.notes {
            let line = format!("{}: {}", note.what.join(", "), note.why);
            let line: String = line
                .chars()
                .map(|letter| if letter.is_control() { ' ' } else { letter })
                .collect();
            let _ = writeln!(text, "#   {line}");
        }
    }
    text
}

fn setting(line: &Line) -> String {
    format!("{} = {}", line.key, line.value)
}

fn reason(line: &Line) -> String {
    match &line.source {
        Source::Field(place) => {
            let field = place.rsplit('.').next().unwrap_or(place);
            format!("`{field}`")
        }
        Source::Usual(_) if line.key == "kill_signal" => {
            "PM2's signal; Mainstay's own default is SIGTERM".to_owned()
        }
        Source::Usual(_) => "PM2's default; leave it out for Mainstay's own".to_owned(),
        Source::Unknown(_) => {
            "PM2 does not tell; `true` or `false` is better than finding out".to_owned()
        }
        Source::Several(_) => "the port that it asks for, as before".to_owned(),
    }
}
