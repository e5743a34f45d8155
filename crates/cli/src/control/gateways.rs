//! The gateways of an instance: one that serves, perhaps one that is about to, and those that finish what they
//! have. Started, replaced when they must or shall be, told alike, listened to as one. Knows nothing of workers
//! but who answers for a target.

mod agreement;
mod changes;
mod comeback;
mod counts;
mod generation;
mod handover;
mod holds;
mod inquiries;
mod news;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use mainstay_pipeline::{Reported, Suspension};
use mainstay_proxy::{DrainOptions, Tally};
use mainstay_store::Owing;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use self::agreement::Agreements;
use self::comeback::Comeback;
use self::counts::{Asker, Counts};
use self::generation::{Generation, Phase, Word, Words};
use self::holds::Holds;
use self::inquiries::Inquiries;
use super::fronts::Sockets;
use crate::failure::Failure;
use crate::protocol::{Beginning, CacheQuestion, Down, GatewaySettings, Member, PurgeReach, Scope};

pub(super) use agreement::Agreement;
pub(super) use generation::Place;
pub(super) use handover::GatewaysState;
pub(super) use inquiries::Inquired;

/// Words that may wait here before gateways have to.
const WAITING: usize = 64;
/// A gateway that has not said by then that it accepts is ended.
const START: Duration = Duration::from_secs(10);
/// Gateways that may be finishing at once; of more, the oldest is hurried.
const MOST_DRAINING: usize = 8;
/// Beyond the time it was given, a draining gateway gets so long to end.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// What the rest of the control plane must know.
#[derive(Debug)]
pub(super) enum Heard {
    /// The first gateway accepts.
    Ready,
    /// A planned successor accepts; the one before it finishes.
    Replaced,
    /// A planned successor ended like this before it accepted; the one before it goes on.
    NotReplaced { exit: String },
    /// No gateway works any more on these members, which left.
    Released(Vec<u64>),
    /// These members gave their first answer, at whichever gateway.
    Answered(Vec<u64>),
    /// What these members on trial answered since it was heard last, at one gateway.
    Trial(Vec<(u64, Tally)>),
    /// All gateways know what keeps new requests out, or had their time.
    Agreed(Agreement),
    /// Sentences for the operator.
    Notices(Vec<String>),
    /// What browsers reported against the content security policy.
    Violations(Reported),
    /// The one that served ended like this, with its connections; the next starts in a moment.
    Died { exit: String, restarts_in: Duration },
    /// One that was finishing ended like this, before it had finished.
    DiedDraining { exit: String },
    /// It dies again and again. Said once, until it has recovered.
    CrashLoop { deaths: u32, exit: String },
    /// After a crash loop, one has lived for a while.
    Recovered,
    /// All have ended, as they were told.
    Drained,
}

/// How the gateways stand, for `mainstay status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct GatewayState {
    /// The one that serves; none while there is none.
    pub(super) pid: Option<u32>,
    pub(super) phase: GatewayPhase,
    /// Those that finish what they have.
    pub(super) draining: Vec<u32>,
    /// Starts after a death, since the instance started.
    pub(super) restarts: u64,
    /// How the last that died ended.
    pub(super) last_exit: Option<String>,
    /// Until the next start, while it is put off.
    pub(super) next_start_ms: Option<u64>,
}

/// What the gateway as a whole is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GatewayPhase {
    Starting,
    Serving,
    /// It died again and again; the next start is put off.
    CrashLoop,
    Draining,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Gateways {
    place: Place,
    sockets: Sockets,
    beginning: Beginning,
    members: BTreeMap<String, Vec<Member>>,
    /// Members that gave an answer.
    answered: HashSet<u64>,
    generations: Vec<Generation>,
    next_number: u64,
    words: Words,
    heard: mpsc::Receiver<(u64, Word)>,
    /// News that nobody has heard yet.
    news: VecDeque<Heard>,
    holds: Holds,
    counts: Counts,
    agreements: Agreements,
    inquiries: Inquiries,
    comeback: Comeback,
    /// Whether one ended that knew of something which other machines do not.
    owing: Owing,
    has_been_ready: bool,
    /// A successor was asked for while another was starting.
    again: bool,
    /// When all must have ended, once they were told to.
    end: Option<Instant>,
}

impl Gateways {
    /// Starts the first gateway on the sockets. They are kept open for its successors.
    ///
    /// # Errors
    /// When the system starts no process.
    pub(super) fn start(
        place: Place,
        sockets: Sockets,
        mut beginning: Beginning,
    ) -> Result<Self, Failure> {
        let (words, heard) = mpsc::channel(WAITING);
        let mut gateways = Self {
            place,
            sockets,
            members: std::mem::take(&mut beginning.members),
            beginning,
            answered: HashSet::new(),
            generations: Vec::new(),
            next_number: 1,
            words,
            heard,
            news: VecDeque::new(),
            holds: Holds::default(),
            counts: Counts::default(),
            agreements: Agreements::default(),
            inquiries: Inquiries::default(),
            comeback: Comeback::default(),
            owing: Owing::Nothing,
            has_been_ready: false,
            again: false,
            end: None,
        };
        let first = gateways
            .generation()
            .map_err(|error| Failure::internal("starting the gateway", error))?;
        gateways.generations.push(first);
        Ok(gateways)
    }

    /// The sockets on which they listen.
    pub(super) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Who answers for a target from now on. Whoever is no longer there gets no new request; after
    /// `leave_within` whatever still runs on it is ended (zero: it takes its time), and then, or when nothing
    /// runs any more, it is [`Heard::Released`].
    pub(super) fn set_members(&mut self, target: &str, members: &[Member], leave_within: Duration) {
        let before = self
            .members
            .insert(target.to_owned(), members.to_vec())
            .unwrap_or_default();
        let living = self.generations.iter().map(|generation| generation.number);
        let free = self.holds.change(&before, members, &living.collect());
        self.tell(|| members_message(target, members, leave_within));
        self.released(free);
    }

    /// New settings for the running gateways and all that follow. Those that are finishing keep theirs.
    pub(super) fn settings(&mut self, settings: GatewaySettings) {
        self.beginning.settings = settings;
        let settings = &self.beginning.settings;
        for generation in &self.generations {
            // one that listens elsewhere, and is about to be replaced, has no use for them
            let is_like = generation.fronts == settings.fronts.len();
            if generation.phase != Phase::Draining && is_like {
                generation.tell(Down::Settings(Box::new(settings.clone())));
            }
        }
        let targets = &settings.targets;
        self.members.retain(|name, members| {
            !members.is_empty() || targets.iter().any(|target| target.name == *name)
        });
    }

    /// This keeps new requests out from now on, at every gateway and all that follow. When all of them know it, and
    /// what ran there has finished or this time is over, [`Heard::Agreed`] comes with the ticket.
    pub(super) fn suspend(&mut self, suspension: Suspension, within: Duration) -> u64 {
        self.beginning.suspension = suspension;
        let living = self.generations.iter().map(|generation| generation.number);
        let ticket = self.agreements.ask(living, within, Instant::now());
        self.tell(|| Down::Suspend {
            ticket,
            suspension,
            within_ms: milliseconds(within),
        });
        self.agreed();
        ticket
    }

    /// Starts a successor on the same sockets; when it accepts, the one that serves finishes what it has.
    pub(super) fn replace(&mut self) {
        if self.end.is_some() || self.comeback.due().is_some() {
            return;
        }
        if self.find(Phase::Starting).is_some() {
            self.again = true;
            return;
        }
        match self.generation() {
            Ok(next) => {
                self.generations.push(next);
                self.keep_company();
            }
            Err(error) => self.not_replaced(error.to_string()),
        }
    }

    /// Listens elsewhere from now on: a successor starts there with these settings. Places that are listened on no more
    /// are served until the one before it has finished.
    pub(super) fn move_to(&mut self, sockets: Sockets, beginning: Beginning) {
        self.sockets = sockets;
        self.beginning = Beginning {
            suspension: self.beginning.suspension,
            ..beginning
        };
        self.replace();
    }

    /// Ends all of them in order, with the instance. [`Heard::Drained`] comes when it is done, at the latest a
    /// moment after the time given; until then [`Gateways::hear`] must be called.
    pub(super) fn drain(&mut self, options: &DrainOptions) {
        self.comeback.cancel();
        // From now on the gateway alone holds the sockets: what waits in them is accepted, then they close.
        self.sockets.release();
        let somebody_serves = self.find(Phase::Serving).is_some();
        for generation in &mut self.generations {
            if generation.phase == Phase::Starting && somebody_serves {
                generation.kill();
            }
            generation.phase = Phase::Draining;
            generation.tell(drain_message(options, Scope::Instance, Vec::new()));
        }
        self.end = Some(Instant::now() + options.delay + options.grace + LAST_MOMENT);
        self.drained();
    }

    /// Ends all of them at once.
    pub(super) fn kill(&mut self) {
        self.comeback.cancel();
        self.end.get_or_insert_with(Instant::now);
        for generation in &self.generations {
            generation.kill();
        }
    }

    /// The metrics of all gateways, with what those counted that ended.
    pub(super) fn metrics(&mut self, asker: oneshot::Sender<String>) {
        self.ask(Asker::Admin(asker));
    }

    /// The caches of all gateways, by outcome and size, as JSON.
    pub(super) fn cache_counts(&mut self, asker: oneshot::Sender<String>) {
        self.ask(Asker::Cache(asker));
    }

    /// Asks about kept answers: of a purge every gateway, of all else the one that serves. None while too many ask.
    pub(super) fn inquire(
        &mut self,
        question: &CacheQuestion,
    ) -> Option<oneshot::Receiver<Inquired>> {
        let is_asked = |generation: &&Generation| match question {
            CacheQuestion::Purge(..) => true,
            CacheQuestion::List { .. } => generation.phase == Phase::Serving,
        };
        let asked: Vec<_> = self.generations.iter().filter(is_asked).collect();
        let numbers = asked.iter().map(|generation| generation.number);
        let (ticket, answer) = self.inquiries.ask(numbers, Instant::now())?;
        for generation in asked {
            let mut question = question.clone();
            // one of them is enough to tell other machines
            if let CacheQuestion::Purge(_, reach) = &mut question
                && generation.phase != Phase::Serving
            {
                *reach = PurgeReach::Here;
            }
            generation.tell(Down::Cache { ticket, question });
        }
        self.inquiries.conclude(Instant::now());
        Some(answer)
    }

    /// A worker of this app was replaced for this reason.
    pub(super) fn count_replacement(&mut self, app: &str, reason: &'static str) {
        self.counts.replaced(app, reason);
    }

    /// Lines of an app's output were dropped.
    pub(super) fn count_dropped_lines(&mut self, app: &str, lines: u64) {
        self.counts.dropped(app, lines);
    }

    /// An app got one worker more or fewer by its work.
    pub(super) fn count_step(&mut self, app: &str, direction: &'static str) {
        self.counts.stepped(app, direction);
    }

    /// Requests that each member works on now, in all gateways.
    pub(super) fn in_flight(&self) -> BTreeMap<u64, usize> {
        let mut sums = BTreeMap::new();
        for (member, count) in self.generations.iter().flat_map(|one| &one.in_flight) {
            *sums.entry(*member).or_default() += count;
        }
        sums
    }

    /// By target, how long requests waited for a place at its members at most, since this was asked last.
    pub(super) fn take_waits(&mut self) -> BTreeMap<String, Duration> {
        let mut longest = BTreeMap::<String, Duration>::new();
        for (target, waited) in self
            .generations
            .iter_mut()
            .flat_map(|one| std::mem::take(&mut one.waits))
        {
            let known = longest.entry(target).or_default();
            *known = (*known).max(waited);
        }
        longest
    }

    /// How they stand.
    pub(super) fn state(&self) -> GatewayState {
        let serving = self.find(Phase::Serving);
        let draining = self.generations.iter();
        let next = self.comeback.due();
        GatewayState {
            pid: serving.map(Generation::pid),
            phase: if self.end.is_some() {
                GatewayPhase::Draining
            } else if self.comeback.is_looping() {
                GatewayPhase::CrashLoop
            } else if serving.is_some() {
                GatewayPhase::Serving
            } else {
                GatewayPhase::Starting
            },
            draining: draining
                .filter(|generation| generation.phase == Phase::Draining)
                .map(Generation::pid)
                .collect(),
            restarts: self.comeback.restarts(),
            last_exit: self.comeback.last_exit().map(str::to_owned),
            next_start_ms: next.map(|next| {
                let left = next.saturating_duration_since(Instant::now());
                u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
            }),
        }
    }

    /// The next thing that happens. Must be called all the time, since it also starts what is due; may be
    /// dropped at any point without losing anything.
    pub(super) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.news.pop_front() {
                return heard;
            }
            let due = self.due();
            tokio::select! {
                Some((number, word)) = self.heard.recv() => self.on_word(number, word),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.on_time(),
            }
        }
    }

    fn find(&self, phase: Phase) -> Option<&Generation> {
        self.generations
            .iter()
            .find(|generation| generation.phase == phase)
    }

    fn tell(&self, message: impl Fn() -> Down) {
        for generation in &self.generations {
            generation.tell(message());
        }
    }

    fn ask(&mut self, asker: Asker) {
        let living = self.generations.iter().map(|generation| generation.number);
        if let Some(ticket) = self.counts.ask(asker, living) {
            self.tell(|| Down::Metrics { ticket });
        }
        self.answer_askers();
    }

    fn released(&mut self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.answered.retain(|id| !ids.contains(id));
            self.news.push_back(Heard::Released(ids));
        }
    }

    /// A gateway that knows all that is known now.
    fn generation(&mut self) -> std::io::Result<Generation> {
        let number = self.next_number;
        let next = Generation::start(
            number,
            &self.place,
            &self.sockets,
            Beginning {
                members: self.members.clone(),
                name: self.place.name.clone(),
                ..self.beginning.clone()
            },
            self.words.clone(),
        )?;
        self.next_number += 1;
        self.again = false;
        Ok(next)
    }
}

fn members_message(target: &str, members: &[Member], leave_within: Duration) -> Down {
    Down::Members {
        target: target.to_owned(),
        members: members.to_vec(),
        leave_within_ms: milliseconds(leave_within),
    }
}

fn drain_message(options: &DrainOptions, scope: Scope, closing: Vec<usize>) -> Down {
    Down::Drain {
        grace_ms: milliseconds(options.grace),
        delay_ms: milliseconds(options.delay),
        idle_ms: milliseconds(options.idle),
        streams_ms: milliseconds(options.streams),
        scope,
        closing,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
