//! What keys mean: which row is chosen, what is asked, what is ordered. Carries nothing out.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Wish;
use super::view::{Chosen, View};

/// What somebody has typed so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    selected: usize,
    question: Option<Question>,
    said: String,
}

/// Something that is asked before it is done.
#[derive(Clone, Debug)]
struct Question {
    whom: Chosen,
    wish: Wish,
}

/// What follows from a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Quit,
    Order(Chosen, Wish),
}

impl Keys {
    /// The row that is chosen.
    pub(super) fn selected(&self) -> usize {
        self.selected
    }

    /// There are so many rows now.
    pub(super) fn keep_within(&mut self, rows: usize) {
        self.selected = self.selected.min(rows.saturating_sub(1));
    }

    /// Something is said in the last line.
    pub(super) fn say(&mut self, sentence: String) {
        self.said = sentence;
    }

    /// The last line: a question, what was said last, else what the keys are.
    pub(super) fn line(&self) -> String {
        match &self.question {
            Some(Question { whom, wish }) => {
                let what = match wish {
                    Wish::Stop => "stop",
                    Wish::Reload => "reload",
                    Wish::More | Wish::Fewer => "scale",
                };
                format!("{what} `{}`? y/n", whom.app)
            }
            None if !self.said.is_empty() => self.said.clone(),
            None => "↑↓ choose  r reload  + - scale  s stop  q quit".to_owned(),
        }
    }

    /// Whether an answer is waited for.
    pub(super) fn asks(&self) -> bool {
        self.question.is_some()
    }

    pub(super) fn press(&mut self, key: KeyEvent, view: &View) -> Act {
        if key.kind == KeyEventKind::Release {
            return Act::Nothing;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            return Act::Quit;
        }
        if let Some(Question { whom, wish }) = self.question.take() {
            // whatever is no clear yes is a no
            return if matches!(key.code, KeyCode::Char('y' | 'Y')) {
                Act::Order(whom, wish)
            } else {
                Act::Nothing
            };
        }
        self.said.clear();
        let rows = view.rows.len();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Quit,
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = rows,
            KeyCode::Char('r') => return self.order(Wish::Reload, view),
            KeyCode::Char('+') => return self.order(Wish::More, view),
            KeyCode::Char('-') => return self.order(Wish::Fewer, view),
            KeyCode::Char('s') => {
                self.question = view.chosen(self.selected).map(|whom| Question {
                    whom,
                    wish: Wish::Stop,
                });
            }
            _ => {}
        }
        self.keep_within(rows);
        Act::Nothing
    }

    fn order(&self, wish: Wish, view: &View) -> Act {
        match view.chosen(self.selected) {
            Some(whom) => Act::Order(whom, wish),
            None => Act::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::tests::view;
    use super::*;

    fn press(keys: &mut Keys, code: KeyCode) -> Act {
        keys.press(KeyEvent::new(code, KeyModifiers::NONE), &view())
    }

    #[test]
    fn nothing_is_stopped_without_a_yes() {
        let mut keys = Keys::default();
        for answer in ['n', 'x', 's', '\n'] {
            assert_eq!(press(&mut keys, KeyCode::Char('s')), Act::Nothing);
            assert_eq!(keys.line(), "stop `api`? y/n");
            assert_eq!(press(&mut keys, KeyCode::Char(answer)), Act::Nothing);
            assert!(!keys.asks());
        }
        press(&mut keys, KeyCode::Char('s'));
        let whom = view().chosen(0).expect("a row");
        let yes = press(&mut keys, KeyCode::Char('y'));
        assert_eq!(yes, Act::Order(whom, Wish::Stop));
    }

    #[test]
    fn the_row_that_is_chosen_is_always_there() {
        let mut keys = Keys::default();
        let rows = view().rows.len();
        for _ in 0..rows + 5 {
            press(&mut keys, KeyCode::Down);
        }
        assert_eq!(keys.selected(), rows - 1);
        press(&mut keys, KeyCode::Home);
        press(&mut keys, KeyCode::Up);
        assert_eq!(keys.selected(), 0);
        keys.keep_within(0);
        assert_eq!(keys.selected(), 0);
        let nobody = keys.press(
            KeyEvent::new(KeyCode::Char('r'), KeyModifiers::NONE),
            &View::default(),
        );
        assert_eq!(nobody, Act::Nothing);
    }

    #[test]
    fn whoever_types_control_c_wants_out() {
        let mut keys = Keys::default();
        press(&mut keys, KeyCode::Char('s'));
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys.press(key, &view()), Act::Quit);
    }
}
