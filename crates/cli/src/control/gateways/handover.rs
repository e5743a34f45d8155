//! Gateways on their way over an upgrade: they serve on, nobody speaks to them or listens for a moment, and no word is lost.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mainstay_observe::Totals;
use mainstay_proxy::{Address, Bound, BoundState};
use mainstay_store::Owing;
use mainstay_supervisor::Descriptors;
use mainstay_supervisor::process::Process;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::agreement::Agreements;
use super::comeback::ComebackState;
use super::counts::CountsState;
use super::generation::{Generation, Link, Phase, Place, Resting};
use super::holds::Holds;
use super::inquiries::Inquiries;
use super::{Gateways, Heard, WAITING};
use crate::control::fronts::{Sockets, SocketsState};
use crate::control::handover::{ago, at, until};
use crate::protocol::{Beginning, Company, Down, Member};

/// All that the next program must know of them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::control) struct GatewaysState {
    sockets: SocketsState,
    members: BTreeMap<String, Vec<Member>>,
    answered: HashSet<u64>,
    generations: Vec<GenerationState>,
    next_number: u64,
    holds: Holds,
    counts: CountsState,
    next_agreement: u64,
    next_inquiry: u64,
    comeback: ComebackState,
    owing: Owing,
    has_been_ready: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct GenerationState {
    number: u64,
    phase: Phase,
    age: Duration,
    ready: Option<Duration>,
    addresses: Vec<(Address, usize)>,
    fronts: usize,
    has_drained: bool,
    ends_by: Option<Duration>,
    counted: Totals,
    owing: Owing,
    company: Company,
    pid: i32,
    socket: RawFd,
    come: Vec<u8>,
    /// Each as it would have been sent.
    to_tell: Vec<Down>,
}

impl Gateways {
    /// Nobody speaks to them or listens any more, from between two messages on. Whoever waits for metrics gets what is
    /// known.
    pub(in crate::control) async fn put_down(&mut self) {
        self.counts.hurry();
        self.answer_askers();
        // what one says last may start another
        while let Some((number, tasks)) = self.next_to_rest() {
            let mut rests = std::pin::pin!(tasks.rest());
            let resting = loop {
                tokio::select! {
                    resting = &mut rests => break resting,
                    Some((number, word)) = self.heard.recv() => self.on_word(number, word),
                }
            };
            let mut generations = self.generations.iter_mut();
            if let Some(generation) = generations.find(|one| one.number == number) {
                generation.link.resting = resting;
            }
        }
        while let Ok((number, word)) = self.heard.try_recv() {
            self.on_word(number, word);
        }
    }

    fn next_to_rest(&mut self) -> Option<(u64, super::generation::Tasks)> {
        let mut generations = self.generations.iter_mut();
        generations.find_map(|one| Some((one.number, one.link.put_down()?)))
    }

    /// What has happened and nobody has heard yet.
    pub(in crate::control) fn take_news(&mut self) -> Vec<Heard> {
        self.news.drain(..).collect()
    }

    /// What the next program must know of those that were put down, with what must stay open for it.
    pub(in crate::control) fn described(
        &mut self,
        descriptors: &mut Descriptors,
    ) -> io::Result<GatewaysState> {
        let mut generations = Vec::new();
        for generation in &mut self.generations {
            let Some(resting) = &mut generation.link.resting else {
                continue;
            };
            resting.settle();
            generations.push(GenerationState {
                number: generation.number,
                phase: generation.phase,
                age: generation.started.elapsed(),
                ready: generation.ready.map(|ready| ready.elapsed()),
                addresses: generation.addresses.clone(),
                fronts: generation.fronts,
                has_drained: generation.has_drained,
                ends_by: until(generation.ends_by),
                counted: generation.counted.clone(),
                owing: generation.owing,
                company: generation.company,
                pid: generation.process.pid().as_raw_nonzero().get(),
                socket: descriptors.keep(resting.socket.as_fd().try_clone_to_owned()?),
                come: resting.come.clone(),
                to_tell: resting.to_tell.iter().cloned().collect(),
            });
        }
        Ok(GatewaysState {
            sockets: self.sockets.state(descriptors)?,
            members: self.members.clone(),
            answered: self.answered.clone(),
            generations,
            next_number: self.next_number,
            holds: self.holds.clone(),
            counts: self.counts.state(),
            next_agreement: self.agreements.next_ticket(),
            next_inquiry: self.inquiries.next_ticket(),
            comeback: self.comeback.state(),
            owing: self.owing,
            has_been_ready: self.has_been_ready,
        })
    }

    /// Speaks and listens again: nothing has come of it.
    pub(in crate::control) fn resume(&mut self) {
        for generation in &mut self.generations {
            if let Some(mut resting) = generation.link.resting.take() {
                resting.settle();
                let words = self.words.clone();
                generation.link =
                    Link::open(generation.number, resting, &generation.process, words);
            }
        }
    }

    /// Goes on where the program before has put them down. `beginning` is what the next gateway is told, by the sockets.
    ///
    /// # Errors
    /// A process or descriptor that is not there.
    pub(in crate::control) fn take_up(
        state: GatewaysState,
        descriptors: &mut Descriptors,
        place: Place,
        beginning: impl FnOnce(&Sockets) -> Beginning,
    ) -> io::Result<Self> {
        let (words, heard) = mpsc::channel(WAITING);
        let mut generations = Vec::new();
        for one in state.generations {
            let pid = Pid::from_raw(one.pid).ok_or(io::ErrorKind::InvalidData)?;
            let process = Arc::new(Process::watch(pid)?);
            let socket = descriptors.take(one.socket)?;
            let socket = UnixStream::from_std(socket.into())?;
            let resting = Resting::of(socket, one.come, one.to_tell.into());
            generations.push(Generation {
                number: one.number,
                phase: one.phase,
                started: ago(one.age),
                ready: one.ready.map(ago),
                addresses: one.addresses,
                fronts: one.fronts,
                holdings: Vec::new(),
                has_drained: one.has_drained,
                ends_by: at(one.ends_by),
                counted: one.counted,
                owing: one.owing,
                company: one.company,
                in_flight: Vec::new(),
                waits: BTreeMap::new(),
                link: Link::open(one.number, resting, &process, words.clone()),
                process,
            });
        }
        let sockets = Sockets::take_up(state.sockets, descriptors)?;
        for generation in &mut generations {
            if generation.phase != Phase::Draining {
                generation.holdings = sockets.bound().map(Bound::holding).collect();
            }
        }
        Ok(Self {
            place,
            beginning: beginning(&sockets),
            sockets,
            members: state.members,
            answered: state.answered,
            generations,
            next_number: state.next_number,
            words,
            heard,
            news: std::collections::VecDeque::new(),
            holds: state.holds,
            counts: state.counts.into(),
            agreements: Agreements::after(state.next_agreement),
            inquiries: Inquiries::after(state.next_inquiry),
            comeback: state.comeback.into(),
            owing: state.owing,
            has_been_ready: state.has_been_ready,
            again: false,
            end: None,
        })
    }
}

impl Sockets {
    fn state(&self, descriptors: &mut Descriptors) -> io::Result<SocketsState> {
        let mut state = |bound: &Bound| -> io::Result<BoundState> {
            bound.state(|descriptor| descriptors.keep(descriptor))
        };
        self.put_down(&mut state)
    }

    fn take_up(state: SocketsState, descriptors: &mut Descriptors) -> io::Result<Self> {
        let mut take = |state: BoundState| Bound::take_up(state, |number| descriptors.take(number));
        Self::taken_up(state, &mut take)
    }
}
