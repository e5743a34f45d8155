//! Apps that are not started yet, because something that they wait for is not there: other apps of the instance, and
//! addresses of whatever runs elsewhere, which are asked until they answer. Starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use mainstay_config::{AppSettings, Awaited};
use mainstay_supervisor::WorkerId;
use mainstay_values::{Address, format_duration};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::handover::{at, until};
use super::prober::status;
use super::state::{Control, FIRST_RELEASE};
use crate::failure::Failure;
use crate::say;

/// The pause after the first attempt in vain; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Nobody wants to wait longer for what is there already, and one attempt in a second hurts nobody.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// One attempt, with the look-up of the name.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Waiting {
    apps: BTreeMap<String, Pending>,
    /// Who asks each address.
    asking: BTreeMap<Awaited, AbortHandle>,
    /// Why the last attempt at an address was in vain.
    vain: BTreeMap<Awaited, String>,
    attempts: mpsc::UnboundedReceiver<Attempt>,
    told: mpsc::UnboundedSender<Attempt>,
}

/// What became of asking an address.
type Attempt = (Awaited, Result<(), String>);

/// One app.
#[derive(Debug)]
struct Pending {
    left: BTreeSet<Awaited>,
    /// When it has waited too long. None: further away than the clock knows.
    until: Option<Instant>,
    /// How long it waits at most.
    patience: Duration,
    then: Then,
}

/// What follows when everything is there.
#[derive(Debug)]
pub(super) enum Then {
    /// The release that counts is started.
    Begin,
    /// A sequence goes on, which starts it.
    Tell(oneshot::Sender<Result<(), Failure>>),
}

/// What a sequence is told whose app waits.
#[derive(Debug)]
pub(super) struct Waits {
    /// For what.
    pub(super) left: String,
    /// How it ended.
    pub(super) over: oneshot::Receiver<Result<(), Failure>>,
}

/// An app whose waiting has an end.
#[derive(Debug)]
pub(super) struct Turn {
    app: String,
    then: Then,
    /// That everything is there, or the sentence about what is not.
    outcome: Result<(), String>,
}

/// An app that waits, for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitingState {
    app: String,
    left: BTreeSet<Awaited>,
    until: Option<Duration>,
    patience: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        let (told, attempts) = mpsc::unbounded_channel();
        Self {
            apps: BTreeMap::new(),
            asking: BTreeMap::new(),
            vain: BTreeMap::new(),
            attempts,
            told,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.asking.values().for_each(AbortHandle::abort);
    }
}

impl Waiting {
    /// An app waits for this from now on. Whoever waited for its turn before does no longer.
    fn add(&mut self, app: &AppSettings, left: BTreeSet<Awaited>, then: Then) {
        let patience = app.order.timeout;
        let pending = Pending {
            left,
            until: Instant::now().checked_add(patience),
            patience,
            then,
        };
        self.apps.insert(app.name().to_owned(), pending);
        self.ask();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }

    /// What an app waits for; nothing, if it does not.
    pub(super) fn of(&self, app: &str) -> Vec<String> {
        let left = self.apps.get(app).map(|pending| &pending.left);
        left.into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect()
    }

    /// Apps that wait for this one, or for one that does.
    pub(super) fn behind(&self, app: &str) -> BTreeSet<String> {
        let mut behind = BTreeSet::new();
        let mut found = vec![app.to_owned()];
        while let Some(first) = found.pop() {
            for (name, pending) in &self.apps {
                let waits = pending.left.iter().any(|left| left.app() == Some(&*first));
                if waits && behind.insert(name.clone()) {
                    found.push(name.clone());
                }
            }
        }
        behind
    }

    /// An app is not to be started after all.
    pub(super) fn cancel(&mut self, app: &str) {
        self.apps.remove(app);
        self.ask();
    }

    /// This is there.
    fn came(&mut self, awaited: &Awaited) {
        for pending in self.apps.values_mut() {
            pending.left.remove(awaited);
        }
        self.vain.remove(awaited);
        self.ask();
    }

    /// Exactly the addresses that somebody waits for are asked.
    fn ask(&mut self) {
        let apps = self.apps.values();
        let wanted: BTreeSet<&Awaited> = apps
            .flat_map(|pending| &pending.left)
            .filter(|awaited| awaited.app().is_none())
            .collect();
        self.asking.retain(|awaited, asker| {
            let is_wanted = wanted.contains(awaited);
            if !is_wanted {
                asker.abort();
            }
            is_wanted
        });
        for awaited in wanted {
            if !self.asking.contains_key(awaited) {
                let asker = tokio::spawn(ask(awaited.clone(), self.told.clone()));
                self.asking.insert(awaited.clone(), asker.abort_handle());
            }
        }
    }

    /// Waits for the next app whose waiting has an end. Cancel-safe.
    pub(super) async fn turn(&mut self) -> Turn {
        loop {
            let mut apps = self.apps.iter();
            let free = apps.find(|(_, pending)| pending.left.is_empty());
            if let Some(app) = free.map(|(app, _)| app.clone())
                && let Some(pending) = self.apps.remove(&app)
            {
                return Turn {
                    app,
                    then: pending.then,
                    outcome: Ok(()),
                };
            }
            let times = self.apps.iter();
            let times = times.filter_map(|(app, pending)| Some((pending.until?, app.clone())));
            let next = times.min();
            tokio::select! {
                Some((awaited, outcome)) = self.attempts.recv() => match outcome {
                    Ok(()) => self.came(&awaited),
                    Err(why) => drop(self.vain.insert(awaited, why)),
                },
                app = run_out(next) => if let Some(turn) = self.late(app) {
                    return turn;
                },
            }
        }
    }

    /// An app has waited too long. Whoever ordered its start is told so; otherwise it is said, and the app is started when what
    /// is missing comes after all.
    fn late(&mut self, app: String) -> Option<Turn> {
        let why = self.too_late(&app)?;
        let pending = self.apps.get_mut(&app)?;
        pending.until = None;
        let then = match pending.then {
            Then::Begin => Then::Begin,
            Then::Tell(_) => {
                let pending = self.apps.remove(&app)?;
                self.ask();
                pending.then
            }
        };
        let outcome = Err(why);
        Some(Turn { app, then, outcome })
    }

    fn too_late(&self, app: &str) -> Option<String> {
        let pending = self.apps.get(app)?;
        let left = pending.left.iter().map(|awaited| match awaited {
            Awaited::App(name) => format!("`{name}` (not ready)"),
            address => match self.vain.get(address) {
                Some(why) => format!("`{address}` ({why})"),
                None => format!("`{address}` (no answer yet)"),
            },
        });
        Some(format!(
            "app `{app}` was not started: after {} it still waits for {}; start what is missing, or give it longer with \
             `after_timeout`",
            format_duration(pending.patience),
            left.collect::<Vec<_>>().join(" and for ")
        ))
    }

    pub(super) fn state(&self) -> Vec<WaitingState> {
        let apps = self.apps.iter();
        let state = |(app, pending): (&String, &Pending)| WaitingState {
            app: app.clone(),
            left: pending.left.clone(),
            until: until(pending.until),
            patience: pending.patience,
        };
        apps.map(state).collect()
    }

    pub(super) fn take_up(state: Vec<WaitingState>) -> Self {
        let mut waiting = Self::default();
        for one in state {
            let pending = Pending {
                left: one.left,
                until: at(one.until),
                patience: one.patience,
                then: Then::Begin,
            };
            waiting.apps.insert(one.app, pending);
        }
        waiting.ask();
        waiting
    }
}

/// Waits for a moment, and gives what was to happen then. Never, without one.
async fn run_out(next: Option<(Instant, String)>) -> String {
    let Some((moment, app)) = next else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until(moment).await;
    app
}

/// Asks an address until it answers as it should, and tells of each attempt.
async fn ask(awaited: Awaited, told: mpsc::UnboundedSender<Attempt>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = tokio::time::timeout(PATIENCE, attempt(&awaited));
        let outcome = match attempt.await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {}", format_duration(PATIENCE))),
        };
        let is_there = outcome.is_ok();
        if told.send((awaited.clone(), outcome)).is_err() || is_there {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(awaited: &Awaited) -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    match awaited {
        // of those the supervisor tells
        Awaited::App(_) => std::future::pending().await,
        Awaited::Accepts(Address::Unix(path)) => {
            UnixStream::connect(path).await.map(drop).map_err(words)
        }
        Awaited::Accepts(address) => connect(address).await.map(drop).map_err(words),
        Awaited::Answers { at, target } => {
            let stream = connect(at).await.map_err(words)?;
            match status(stream, &at.to_string(), target).await {
                Ok(Some(200..=399)) => Ok(()),
                Ok(Some(status)) => Err(format!("it answers {status}")),
                Ok(None) => Err("what it answers is no HTTP".to_owned()),
                Err(error) => Err(words(error)),
            }
        }
    }
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    TcpStream::connect(address.to_string()).await
}

impl Control {
    /// Starts the apps that wait for nothing; the others wait from now on.
    pub(super) fn begin_all(&mut self) -> Result<(), Failure> {
        self.tell_unheld();
        let (free, later): (Vec<_>, Vec<_>) = self
            .settings
            .apps
            .clone()
            .into_iter()
            .partition(|app| app.order.after.is_empty());
        for app in &free {
            self.begin(app.name())?;
        }
        self.nodes.ask(self.supervisor.node_questions());
        for app in &later {
            let left: BTreeSet<Awaited> = app.order.after.iter().cloned().collect();
            self.waiting.add(app, left, Then::Begin);
            let left = self.waiting.of(app.name());
            say::note(&format!("app `{}` waits for {}", app.name(), listed(&left)));
        }
        Ok(())
    }

    /// What of the limits of apps the machine does not let us hold.
    pub(super) fn tell_unheld(&self) {
        for sentence in self.supervisor.take_unheld() {
            say::warning(&sentence);
        }
    }

    /// Starts the workers of the release of an app that counts.
    fn begin(&mut self, app: &str) -> Result<(), Failure> {
        for (name, workers) in self.supervisor.apps() {
            if &*name != app {
                continue;
            }
            for index in 0..workers {
                self.roster.expect(&WorkerId {
                    app: name.clone(),
                    release: FIRST_RELEASE,
                    index,
                    incarnation: 0,
                });
            }
        }
        Ok(self.supervisor.begin(app)?)
    }

    /// A sequence is about to start an app. One that runs already is started beside itself, for which nobody waits.
    pub(super) fn await_turn(
        &mut self,
        app: &AppSettings,
        answer: oneshot::Sender<Result<Option<Waits>, Failure>>,
    ) {
        let name = app.name();
        let after = app.order.after.iter();
        let left: BTreeSet<Awaited> = after
            .filter(|awaited| !awaited.app().is_some_and(|app| self.is_there(app)))
            .cloned()
            .collect();
        let mut apps = left.iter().filter_map(Awaited::app);
        let outcome = if self.roster.has(name) || left.is_empty() {
            // whoever asked starts it
            self.waiting.cancel(name);
            Ok(None)
        } else if let Some(stopped) = apps.find(|app| self.by_hand.halted(app).is_some()) {
            Err(Failure::usage(format!(
                "`{name}` is started after `{stopped}`, which is stopped; `mainstay start {stopped}` starts it"
            )))
        } else {
            let (tell, over) = oneshot::channel();
            self.waiting.add(app, left, Then::Tell(tell));
            Ok(Some(Waits {
                left: listed(&self.waiting.of(name)),
                over,
            }))
        };
        let _ = answer.send(outcome);
    }

    /// Whether an app is ready, or has done its work.
    fn is_there(&self, app: &str) -> bool {
        self.came_up.contains(app) && self.by_hand.halted(app).is_none()
    }

    /// An app is ready, or has done its work: those that wait for it need not any more.
    pub(super) fn tell_waiting(&mut self, app: &str) {
        self.waiting.came(&Awaited::App(app.to_owned()));
    }

    /// An app has what it waited for, or has waited too long.
    pub(super) fn on_turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let Turn { app, then, outcome } = turn;
        match (then, outcome) {
            (Then::Begin, Ok(())) => self.begin(&app),
            (Then::Tell(answer), Ok(())) => {
                let _ = answer.send(Ok(()));
                Ok(())
            }
            (_, Err(why)) if self.awaited.contains(&app) => self.on_failed_start(&app, why),
            (Then::Tell(answer), Err(why)) => {
                let _ = answer.send(Err(Failure::app(why)));
                Ok(())
            }
            (Then::Begin, Err(why)) => {
                say::warning(&why);
                Ok(())
            }
        }
    }
}

/// `db`, `db and tcp://…`.
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
