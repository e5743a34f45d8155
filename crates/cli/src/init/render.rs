//! Findings as the text of a file: short, each line with its reason.

use std::fmt::Write as _;

use super::find::{Findings, Line};

/// Longer reasons are cut: they quote what others wrote.
const LONGEST_REASON: usize = 100;

/// Values up to here have their reasons in one column.
const WIDEST: usize = 40;

/// The whole file.
pub(crate) fn render(found: &Findings) -> String {
    let mut text = "# Written by `mainstay init` from what is in this folder. All that is not said here has a default.\n".to_owned();
    if !found.top.is_empty() {
        text.push('\n');
        lines(&found.top, &mut text);
    }
    for (heading, own) in &found.sections {
        let _ = write!(text, "\n[{heading}]\n");
        lines(own, &mut text);
    }
    text
}

fn lines(lines: &[Line], text: &mut String) {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                format!("{} = {}", line.key, line.value),
                line.reason.clone(),
            )
        })
        .collect();
    write_lines(&lines, text);
}

/// Settings, each with its reason behind it.
pub(crate) fn write_lines(lines: &[(String, String)], text: &mut String) {
    let width = lines
        .iter()
        .map(|(setting, _)| setting.chars().count())
        .filter(|width| *width <= WIDEST)
        .max();
    let width = width.unwrap_or(0);
    for (setting, reason) in lines {
        let _ = writeln!(text, "{setting:width$}  # {}", one_line(reason));
    }
}

/// TOML forbids control characters in comments, and a comment is for a glance.
fn one_line(reason: &str) -> String {
    let mut plain: String = reason
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST_REASON)
        .collect();
    if reason.chars().count() > LONGEST_REASON {
        plain.push('…');
    }
    plain
}
