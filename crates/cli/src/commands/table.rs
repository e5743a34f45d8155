//! Text in columns, as narrow as it can be: those of least use are left out where the line would be too long. Knows no
//! column's meaning.

use anstyle::{AnsiColor, Style};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) side: Side,
    /// Columns of the highest number go first; those of 0 never do.
    pub(super) leave_out: u8,
}

/// To which side its cells are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Text, and how it looks on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::new(),
        }
    }

    /// All is well.
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self::coloured(text, AnsiColor::Green)
    }

    /// Somebody should look at it.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::coloured(text, AnsiColor::Red)
    }

    /// On its way to being well.
    pub(super) fn pending(text: impl Into<String>) -> Self {
        Self::coloured(text, AnsiColor::Yellow)
    }

    fn coloured(text: impl Into<String>, colour: AnsiColor) -> Self {
        Self {
            text: text.into(),
            style: colour.on_default(),
        }
    }
}

/// What stands between columns.
const GAP: usize = 2;

/// The rows below a line of headings, no wider than `width` where leaving columns out can achieve it.
pub(super) fn render(columns: &[Column], rows: &[Vec<Cell>], width: usize) -> String {
    let cell_width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let widest = cells.map(|cell| cell.text.chars().count()).max();
        widest
            .unwrap_or_default()
            .max(columns[index].heading.chars().count())
    };
    let mut shown: Vec<(usize, usize)> = (0..columns.len())
        .map(|index| (index, cell_width(index)))
        .collect();
    let total = |shown: &[(usize, usize)]| {
        let cells: usize = shown.iter().map(|(_, width)| width).sum();
        cells + GAP * shown.len().saturating_sub(1)
    };
    while total(&shown) > width {
        let least = shown
            .iter()
            .map(|(index, _)| columns[*index].leave_out)
            .max()
            .unwrap_or_default();
        if least == 0 {
            break;
        }
        shown.retain(|(index, _)| columns[*index].leave_out != least);
    }
    let headings: Vec<Cell> = columns
        .iter()
        .map(|column| Cell {
            text: column.heading.to_owned(),
            style: Style::new().bold(),
        })
        .collect();
    let lines = std::iter::once(&headings).chain(rows);
    lines.map(|row| line(columns, row, &shown)).collect()
}

fn line(columns: &[Column], row: &[Cell], shown: &[(usize, usize)]) -> String {
    let mut text = String::new();
    for (place, (index, width)) in shown.iter().enumerate() {
        let Some(cell) = row.get(*index) else {
            continue;
        };
        let free = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        let is_last = place + 1 == shown.len();
        let Cell { text: words, style } = cell;
        let styled = format!("{style}{words}{style:#}");
        match columns[*index].side {
            Side::Right => text.extend([free, styled]),
            Side::Left if is_last => text.push_str(&styled),
            Side::Left => text.extend([styled, free]),
        }
        if !is_last {
            text.push_str(&" ".repeat(GAP));
        }
    }
    text.push('\n');
    text
}

/// Columns of the terminal that is written to; as many as every terminal has, where it is none.
pub(super) fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let columns = size
        .map(|size| usize::from(size.ws_col))
        .unwrap_or_default();
    if columns == 0 { 80 } else { columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_least_use_go_first() {
        let column = |heading, side, leave_out| Column {
            heading,
            side,
            leave_out,
        };
        let columns = [
            column("name", Side::Left, 0),
            column("mode", Side::Left, 2),
            column("cpu", Side::Right, 1),
            column("where", Side::Left, 0),
        ];
        let row = |words: [&str; 4]| words.map(Cell::new).to_vec();
        let rows = [
            row(["shop", "fork", "3%", ":80"]),
            row(["a-long-name", "cluster", "100%", "127.0.0.1:3000"]),
        ];
        let plain = |width| {
            let text = render(&columns, &rows, width);
            anstream::adapter::strip_str(&text).to_string()
        };
        let wide = "name         mode      cpu  where\n\
                    shop         fork       3%  :80\n\
                    a-long-name  cluster  100%  127.0.0.1:3000\n";
        assert_eq!(plain(80), wide);
        let lines = |width| plain(width).lines().next().unwrap().to_owned();
        assert_eq!(lines(41), "name          cpu  where");
        assert_eq!(
            lines(20),
            "name         where",
            "the rest is never left out"
        );
    }
}
