//! The picture: what is where, and in which colour. Reads nothing but what it is given.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row as TableRow, Table, TableState};

use super::keys::Keys;
use super::view::{Mood, Row, Traffic, View};
use crate::commands::list::bytes;

/// So many lines of the app's output are seen, where there is room.
const LINES: u16 = 8;

pub(super) fn draw(frame: &mut Frame<'_>, view: &View, keys: &Keys) {
    let [head, table, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(4),
        Constraint::Length((LINES + 1).min(frame.area().height / 3)),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(traffic(view.traffic.as_ref())), head);
    rows(frame, table, view, keys);
    lines(frame, log, view);
    let style = if keys.asks() {
        Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD)
    } else {
        Style::new().add_modifier(Modifier::DIM)
    };
    frame.render_widget(Paragraph::new(Span::styled(keys.line(), style)), foot);
}

fn traffic(traffic: Option<&Traffic>) -> Line<'static> {
    let Some(traffic) = traffic else {
        return Line::from("no traffic counted yet");
    };
    let mut spans = vec![
        Span::styled(
            format!("{:.0} req/s", traffic.requests),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Span::raw(format!("  {} active", traffic.active)),
    ];
    if let Some([half, most, nearly_all]) = traffic.percentiles {
        spans.push(Span::raw(format!(
            "  p50 ≤{}  p95 ≤{}  p99 ≤{}",
            time(half),
            time(most),
            time(nearly_all)
        )));
    }
    let errors = format!("  {:.1} errors/s", traffic.errors);
    let style = if traffic.errors > 0.0 {
        Style::new().fg(Color::Red)
    } else {
        Style::new()
    };
    spans.push(Span::styled(errors, style));
    Line::from(spans)
}

/// Seconds, in the unit that is read most easily.
fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0}ms", seconds * 1_000.0)
    } else {
        format!("{seconds:.1}s")
    }
}

fn rows(frame: &mut Frame<'_>, area: Rect, view: &View, keys: &Keys) {
    if view.rows.is_empty() {
        let text = "nothing of yours runs; `mainstay start` starts something";
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let columns = columns(area.width);
    let name = std::iter::once(Constraint::Min(NAME));
    let others = columns
        .iter()
        .map(|column| Constraint::Length(column.width));
    let widths: Vec<Constraint> = name.chain(others).collect();
    let headings = std::iter::once("app").chain(columns.iter().map(|column| column.heading));
    let table = Table::new(view.rows.iter().map(|one| row(one, columns)), widths)
        .header(TableRow::new(headings).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(keys.selected()));
    frame.render_stateful_widget(table, area, &mut state);
}

/// The least room for a name.
const NAME: u16 = 18;

/// What is said of an app or worker, beside its name.
struct Column {
    heading: &'static str,
    width: u16,
    text: fn(&Row) -> String,
}

/// All of them have room on 80 columns.
const COLUMNS: [Column; 7] = [
    Column {
        heading: "state",
        width: 11,
        text: |row| row.state.clone(),
    },
    Column {
        heading: "cpu",
        width: 6,
        text: |row| format!("{:.0}%", row.cpu),
    },
    Column {
        heading: "memory",
        width: 9,
        text: |row| bytes(row.memory),
    },
    Column {
        heading: "lag",
        width: 7,
        text: |row| row.lag_ms.map_or("-".to_owned(), |lag| format!("{lag}ms")),
    },
    Column {
        heading: "busy",
        width: 6,
        text: |row| row.in_flight.to_string(),
    },
    Column {
        heading: "restarts",
        width: 8,
        text: |row| row.restarts.to_string(),
    },
    Column {
        heading: "up",
        width: 6,
        text: |row| row.uptime.clone(),
    },
];

/// Those that have room, where names have theirs; the last ones go first.
fn columns(width: u16) -> &'static [Column] {
    let mut left = width.saturating_sub(NAME);
    let fits = COLUMNS.iter().take_while(|column| {
        // with the gap in front of it
        let needed = column.width + 1;
        let fits = left >= needed;
        left = left.saturating_sub(needed);
        fits
    });
    &COLUMNS[..fits.count()]
}

fn row(row: &Row, columns: &[Column]) -> TableRow<'static> {
    let name = match row.worker {
        Some(worker) => format!("  {}:{worker}", row.app),
        None if row.instance == row.app => row.app.clone(),
        None => format!("{} ({})", row.app, row.instance),
    };
    let mood = Style::new().fg(match row.mood {
        Mood::Good => Color::Green,
        Mood::Pending => Color::Yellow,
        Mood::Bad => Color::Red,
    });
    let said = columns.iter().enumerate().map(|(number, column)| {
        let text = (column.text)(row);
        // the first is the state
        if number == 0 {
            Span::styled(text, mood)
        } else {
            Span::raw(text)
        }
    });
    TableRow::new(std::iter::once(Span::raw(name)).chain(said))
}

fn lines(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(view.source.clone());
    let room = usize::from(area.height.saturating_sub(1));
    let from = view.lines.len().saturating_sub(room);
    let shown = view.lines[from..].iter();
    let text: Vec<Line<'_>> = shown.map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

#[cfg(test)]
pub(super) mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    pub(in crate::commands::top) fn view() -> View {
        let row = |app: &str, worker, state: &str, mood| Row {
            instance: "shop".to_owned(),
            app: app.to_owned(),
            worker,
            state: state.to_owned(),
            mood,
            cpu: 41.6,
            memory: 85 << 20,
            lag_ms: worker.map(|_| 12),
            in_flight: 3,
            restarts: 1,
            uptime: "2h".to_owned(),
        };
        View {
            rows: vec![
                row("api", None, "2/2 ready", Mood::Good),
                row("api", Some(0), "ready", Mood::Good),
                row("api", Some(1), "ready", Mood::Good),
                row("mail", None, "crash loop", Mood::Bad),
            ],
            traffic: Some(Traffic {
                requests: 1_234.4,
                errors: 0.5,
                percentiles: Some([0.003, 0.05, 2.5]),
                active: 7,
            }),
            lines: (0..30).map(|number| format!("line {number}")).collect(),
            source: "api".to_owned(),
        }
    }

    fn drawn(view: &View, keys: &Keys, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| draw(frame, view, keys))
            .expect("a picture");
        terminal.backend().to_string()
    }

    #[test]
    fn all_of_it_has_room_on_80_by_24() {
        let picture = drawn(&view(), &Keys::default(), 80, 24);
        for part in [
            "1234 req/s  7 active  p50 ≤3ms  p95 ≤50ms  p99 ≤2.5s  0.5 errors/s",
            "state       cpu    memory    lag     busy   restarts up",
            "api (shop)",
            "2/2 ready   42%    85 MiB    -       3      1        2h",
            "  api:1",
            "12ms",
            "crash loop",
            "line 29",
            "r reload  + - scale  s stop  q quit",
        ] {
            assert!(picture.contains(part), "{part} in\n{picture}");
        }
        assert!(!picture.contains("line 20\""), "{picture}");
    }

    #[test]
    fn no_size_is_too_small_to_be_drawn() {
        for (width, height) in [(1, 1), (10, 3), (40, 10), (200, 60)] {
            let _ = drawn(&view(), &Keys::default(), width, height);
            let _ = drawn(&View::default(), &Keys::default(), width, height);
        }
        let narrow = drawn(&view(), &Keys::default(), 60, 12);
        assert!(
            narrow.contains("api (shop)") && narrow.contains("memory"),
            "{narrow}"
        );
        let nothing = drawn(&View::default(), &Keys::default(), 80, 24);
        assert!(nothing.contains("nothing of yours runs"), "{nothing}");
    }
}
