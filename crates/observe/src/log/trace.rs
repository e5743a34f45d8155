//! Which lines belong together: a stack trace, or whatever else is indented below the line that it is about. Knows one
//! source's lines one after the other; keeps none of them.

/// Lines that are joined at most: of a longer trace, the rest begins anew.
const MOST: usize = 256;

/// Where one worker's stream is between two lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    state: State,
    joined: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    #[default]
    Nothing,
    /// A line, with or without what is indented below it.
    Line,
    /// The last line was indented: a bracket that closes may follow.
    Indented,
    /// Python's heading of a trace has come: what ends it is not indented.
    PythonOpen,
    /// Python's last line of a trace has come: another trace may be chained to it.
    PythonDone,
    /// Python has said that another trace follows.
    PythonChained,
    /// Node has shown the place in the code (`^`): the error itself follows.
    NodePlace,
    /// A line that the next one belongs to in any case.
    Awaits,
}

impl Trace {
    /// Whether this line goes on with what the lines before began. To be asked once for each line, without its newline.
    pub fn joins(&mut self, line: &str) -> bool {
        let (joins, state) = step(self.state, line);
        self.state = state;
        if joins && self.joined < MOST {
            self.joined += 1;
            true
        } else {
            self.joined = 1;
            false
        }
    }
}

fn step(before: State, line: &str) -> (bool, State) {
    use State::{
        Awaits, Indented, Line, NodePlace, Nothing, PythonChained, PythonDone, PythonOpen,
    };
    let is_blank = line.trim().is_empty();
    let is_indented = !is_blank && line.starts_with([' ', '\t']);
    let is_carets = is_indented && line.trim().bytes().all(|byte| byte == b'^');
    match before {
        Nothing => (false, begun(line)),
        PythonOpen if is_indented || is_blank => (true, PythonOpen),
        PythonOpen => (true, PythonDone),
        PythonDone | PythonChained if is_blank => (true, before),
        PythonDone if is_chained(line) => (true, PythonChained),
        PythonChained if is_python(line) => (true, PythonOpen),
        NodePlace if is_blank => (true, Awaits),
        Awaits if !is_blank => (true, Line),
        _ if is_carets => (true, NodePlace),
        _ if is_indented || line.starts_with("Caused by: ") => (true, Indented),
        Indented if closes(line) => (true, Line),
        _ => (false, begun(line)),
    }
}

fn begun(line: &str) -> State {
    if is_python(line) {
        State::PythonOpen
    } else {
        State::Line
    }
}

fn is_python(line: &str) -> bool {
    line.starts_with("Traceback (most recent call last):")
}

fn is_chained(line: &str) -> bool {
    line.starts_with("During handling of the above exception")
        || line.starts_with("The above exception was the direct cause")
}

/// Nothing but brackets, with what may stand behind them.
fn closes(line: &str) -> bool {
    let closing = |character| "]})".contains(character);
    line.starts_with(closing)
        && line
            .chars()
            .all(|character| closing(character) || ",; ".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as the number of its lines.
    fn entries(text: &str) -> Vec<usize> {
        let mut trace = Trace::default();
        let mut counts: Vec<usize> = Vec::new();
        for line in text.lines() {
            match counts.last_mut() {
                Some(count) if trace.joins(line) => *count += 1,
                Some(_) => counts.push(1),
                None => {
                    assert!(!trace.joins(line), "{line}");
                    counts.push(1);
                }
            }
        }
        counts
    }

    #[test]
    fn traces_are_joined_with_the_line_they_belong_to() {
        let node = "listening\nError: boom\n    at a (/x.js:1:2)\n    at b {\n  code: 'E'\n}\nnext";
        let uncaught = "/app/x.js:3\n  throw new Error('boom');\n  ^\n\nError: boom\n    at x\n\nNode.js v20.1.0";
        let python = "before\nTraceback (most recent call last):\n  File \"x.py\", line 1\n    f()\nValueError: no\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"x.py\"\nKeyError: 'a'\nafter";
        let java = "Exception in thread \"main\" java.lang.X: no\n\tat a.b.C(C.java:1)\nCaused by: java.lang.Y\n\tat d\n\t... 12 more\nnext";
        for (text, expected) in [
            (node, &[1, 5, 1][..]),
            (uncaught, &[6, 1, 1]),
            (python, &[1, 10, 1]),
            (java, &[5, 1]),
            ("one\ntwo\n\nthree", &[1, 1, 1, 1]),
            ("}\n{\n  a: 1\n},\nx", &[1, 3, 1]),
            ("  indented first\nnext", &[1, 1]),
        ] {
            assert_eq!(entries(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_joined_is_bounded() {
        let text = format!("head\n{}", "  more\n".repeat(1_000));
        let counts = entries(&text);
        assert!(counts.iter().all(|count| *count <= MOST));
        assert_eq!(counts.iter().sum::<usize>(), 1_001);
    }
}
