//! What is shown: rows, figures, lines. Plain values; gathers nothing and draws nothing.

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Apps, each followed by its workers.
    pub(super) rows: Vec<Row>,
    /// What all gateways served since the look before; none before the second look, and where nobody serves.
    pub(super) traffic: Option<Traffic>,
    /// The last lines of the app that is looked at.
    pub(super) lines: Vec<String>,
    /// Whose these are, and where they come from.
    pub(super) source: String,
}

impl View {
    /// The app of a row.
    pub(super) fn chosen(&self, row: usize) -> Option<Chosen> {
        let row = self.rows.get(row)?;
        Some(Chosen {
            instance: row.instance.clone(),
            app: row.app.clone(),
        })
    }
}

/// An app of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) instance: String,
    pub(super) app: String,
}

/// One line: an app with all its workers, or one of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) instance: String,
    pub(super) app: String,
    /// None: the app itself.
    pub(super) worker: Option<u32>,
    pub(super) state: String,
    pub(super) mood: Mood,
    /// In percent of one CPU.
    pub(super) cpu: f64,
    /// In bytes.
    pub(super) memory: u64,
    /// In milliseconds; of Node workers only, of an app that of the slowest.
    pub(super) lag_ms: Option<u64>,
    pub(super) in_flight: usize,
    pub(super) restarts: u64,
    /// In the largest unit; empty where nothing runs.
    pub(super) uptime: String,
}

/// How a state is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Pending,
    Bad,
}

/// What was served in a second, on average since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Traffic {
    pub(super) requests: f64,
    /// Answers with a status of 500 and above, in a second.
    pub(super) errors: f64,
    /// Within so many seconds half, 95 and 99 of a hundred answers were out; none where there were none.
    pub(super) percentiles: Option<[f64; 3]>,
    pub(super) active: i64,
}
