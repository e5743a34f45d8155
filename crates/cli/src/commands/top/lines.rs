//! What an app wrote last, as its instance remembers it. Draws nothing.

use std::collections::VecDeque;

use crate::commands::instance::Instance;
use crate::said::{LogWish, Word};

/// More than fits on any screen.
const MOST: usize = 100;

/// The last lines of an app; none of an instance that does not tell.
pub(super) fn last_lines(instance: &Instance, app: &str) -> Vec<String> {
    let wish = LogWish {
        apps: vec![app.to_owned()],
        follow: false,
    };
    let mut last = VecDeque::new();
    let told = instance.stream("/logs", &wish).into_iter().flatten();
    let words = told.map_while(|line| serde_json::from_str(&line.ok()?).ok());
    for word in words {
        match word {
            Word::Line(said) => {
                last.push_back(harmless(&said.text));
                if last.len() > MOST {
                    last.pop_front();
                }
            }
            Word::Memory(_) | Word::Missed(_) => {}
            Word::Now => break,
        }
    }
    last.into()
}

/// Nothing that a terminal acts on.
fn harmless(line: &str) -> String {
    let visible = line.chars().map(|c| match c {
        '\t' => ' ',
        c if c.is_control() => '·',
        c => c,
    });
    visible.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown_and_not_done() {
        assert_eq!(harmless("a\x1b[31mb\tc\u{9b}2J"), "a·[31mb c·2J");
    }
}
