//! Drives one worker through its life: `lifecycle` decides, this acts. One task per worker.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::drain::Output;
use crate::events::{Cause, Event, Note, WorkerId};
use crate::guard::Guarded;
use crate::handover::Carried;
use crate::heard::Heard;
use crate::hung::Watch;
use crate::lifecycle::{self, Action, Life, Moment, State, step};
use crate::node::speech::Said;
use crate::options::{AppKind, Farewell, Ready, SILENCE};
use crate::output::Room;
use crate::plan::Plan;
use crate::probe::{Pulse, Silence};
use crate::process::Exit;
use crate::report::not_started;
use crate::running::{Happened, Haste, Looking, Running, run_out};
use crate::signal::Signal;
use crate::socket::Files;

/// What the rest of the program wants of a worker, or knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Wish {
    /// Be given nothing new.
    Withdraw,
    /// Nothing is under way any more.
    Released,
    /// Something was answered.
    Answered,
    /// Probes have not been answered for so long.
    Suspect(Duration),
    /// Be sent a signal.
    Signal(Signal),
    Stop,
    Kill,
    /// Look after the process no more: somebody else will.
    PutDown,
}

/// What a worker's task waits for.
enum Next {
    Event(lifecycle::Event),
    PutDown,
}

/// What the workers of an app share with the rest of the program, and with each other.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) guarded: Guarded,
    /// Only one worker of an app is replaced at a time for not reacting.
    pub(crate) turn: Arc<Semaphore>,
}

/// One worker, from its first start to its last end.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is remembered of a life; no two of them exclude each other"
)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) plan: Arc<Plan>,
    /// The moment from which its life's times are counted.
    pub(crate) born: Instant,
    pub(crate) files: Arc<Files>,
    pub(crate) shared: Shared,
    /// Absent once nobody can wish any more.
    pub(crate) wishes: Option<UnboundedReceiver<Wish>>,
    /// Whether it shall be put down, as soon as nothing is in between.
    put_down: bool,
    pub(crate) room: Arc<Room>,
    /// Of the last start.
    pub(crate) output: Arc<Output>,
    pub(crate) starts: u32,
    pub(crate) running: Option<Running>,
    pub(crate) timer: Option<Instant>,
    /// When it is ready without listening, where nobody knows whether it will.
    pub(crate) silence: Option<Instant>,
    /// The last start that was ready was so without listening.
    pub(crate) is_silent: bool,
    /// What is known of the present start.
    pub(crate) heard: Heard,
    /// Asks whether it is ready, where that is wanted.
    pub(crate) probing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Asks whether it is still there, where that is wanted.
    pub(crate) pulse: Option<Pulse>,
    /// Its own reports.
    pub(crate) watch: Watch,
    /// The answers to probes, as others saw them.
    pub(crate) suspicion: Watch,
    /// When its silence is looked at next.
    pub(crate) next_look: Option<Instant>,
    /// Held while it is replaced for not reacting.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
    /// Dead starts whose trees are still being taken down.
    burials: JoinSet<()>,
    pub(crate) exit: Option<Exit>,
    pub(crate) uptime: Duration,
    /// Why there was no process, or why it was killed.
    pub(crate) cause: Option<Cause>,
    pub(crate) ever_ready: bool,
    pub(crate) failure_told: bool,
}

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        plan: Arc<Plan>,
        files: Files,
        shared: Shared,
        wishes: UnboundedReceiver<Wish>,
    ) -> Self {
        Self {
            id,
            born: Instant::now(),
            watch: Watch::new(plan.options.hang_timeout),
            suspicion: Watch::new(plan.options.hang_timeout),
            plan,
            files: Arc::new(files),
            shared,
            wishes: Some(wishes),
            put_down: false,
            room: Arc::default(),
            output: Arc::default(),
            starts: 0,
            running: None,
            timer: None,
            silence: None,
            is_silent: false,
            heard: Heard::default(),
            probing: None,
            pulse: None,
            next_look: None,
            turn: None,
            burials: JoinSet::new(),
            exit: None,
            uptime: Duration::ZERO,
            cause: None,
            ever_ready: false,
            failure_told: false,
        }
    }

    /// Lives until it is stopped, or put down: then somebody else goes on.
    pub(crate) async fn live(self) -> Option<io::Result<Carried>> {
        let begin = VecDeque::from([lifecycle::Event::Start]);
        self.live_on(Life::default(), begin).await
    }

    /// As above, where it has lived before.
    pub(crate) async fn live_on(
        mut self,
        mut life: Life,
        mut pending: VecDeque<lifecycle::Event>,
    ) -> Option<io::Result<Carried>> {
        while life.state != State::Stopped {
            let event = match pending.pop_front() {
                Some(event) => event,
                None => match self.next_event().await {
                    Next::Event(event) => event,
                    Next::PutDown => return Some(self.put_down(life).await),
                },
            };
            let moment = Moment {
                now: self.born.elapsed(),
                jitter: chance(),
            };
            let (next, actions) = step(life, event, moment, &self.plan.policy);
            life = next;
            for action in actions {
                pending.extend(self.act(action));
            }
        }
        self.finish().await;
        None
    }

    /// Does what was decided; what comes of it at once is the next event.
    fn act(&mut self, action: Action) -> Option<lifecycle::Event> {
        match action {
            Action::Spawn => return self.spawn(),
            Action::SetTimer(time) => self.timer = Some(Instant::now() + time),
            Action::ClearTimer => self.timer = None,
            Action::Announce => self.announce(),
            Action::ReportDraining(why) => self.report_draining(why),
            Action::ReportEnd(pause) => self.report_end(pause),
            Action::ReportFinished => self.report_finished(),
            Action::ReportTimeout => self.report_timeout(),
            Action::ReportKill => return self.note(Note::Killed),
            Action::ReportCrashLoop => self.report_crash_loop(),
            Action::ReportRecovery => self.report_recovery(),
            Action::ReportGivenUp => self.report_given_up(),
            Action::Signal => {
                self.heard.leaving = true;
                let listener = self.heard.listening.as_ref().map(|heard| heard.pid);
                if let Some(running) = &mut self.running {
                    let options = &self.plan.options;
                    let told = options.farewell == Farewell::Message && running.say_goodbye();
                    if !told {
                        running.ask_to_end(options.kill_signal.raw(), listener);
                    }
                }
            }
            Action::Kill => {
                if let Some(running) = &mut self.running {
                    running.kill();
                }
            }
            Action::Finish => {} // told when everything is taken down
        }
        None
    }

    /// How long it may take to listen before it is ready without. One that never did has shown what it is: it is held to
    /// nothing more than to stay up.
    fn longest_silence(&self) -> Duration {
        if self.is_silent {
            SILENCE.min(self.plan.options.lives.min_uptime)
        } else {
            SILENCE
        }
    }

    fn spawn(&mut self) -> Option<lifecycle::Event> {
        self.starts = self.starts.wrapping_add(1);
        if self.heard.announced {
            self.is_silent = self.heard.listening.is_none();
        }
        self.heard = Heard::default();
        let may_be_silent = self.plan.options.kind == AppKind::Either;
        self.silence = may_be_silent.then(|| Instant::now() + self.longest_silence());
        self.watch.pause();
        self.suspicion.pause();
        self.exit = None;
        self.cause = None;
        let awaited = match &self.plan.options.ready {
            Ready::Log(text) => Some(text.clone()),
            _ => None,
        };
        self.output = Arc::new(Output::new(Arc::clone(&self.room), awaited));
        let prepared = self.plan.prepare(self.id.index, self.starts, &self.files);
        let program = prepared
            .as_ref()
            .map(|prepared| prepared.spawn.program.to_string_lossy().into_owned());
        let program = program.unwrap_or_default();
        let started = prepared.and_then(|prepared| {
            let (output, events) = (&self.output, &self.shared.events);
            Running::start(prepared, self.starts, &self.id, output, events)
        });
        match started {
            Ok(running) => {
                let pid = running.id();
                self.shared.guarded.add(&running.tree);
                self.running = Some(running);
                self.tell(Event::Started {
                    worker: self.id.clone(),
                    pid,
                });
                None
            }
            Err(error) => {
                self.files.remove(self.starts);
                self.cause = Some(Cause::NotStarted(not_started(&program, &error)));
                Some(self.over(Exit::Unknown))
            }
        }
    }

    /// Waits for whatever comes first: a wish, the timer, something said, found or ended.
    async fn next_event(&mut self) -> Next {
        loop {
            // what is being taken down has nobody else who would
            if self.put_down && self.burials.is_empty() {
                return Next::PutDown;
            }
            let looking = if self.heard.listening.is_none() {
                Looking::Yes
            } else {
                Looking::No
            };
            let event = tokio::select! {
                biased;
                wish = wished(&mut self.wishes) => self.heed(wish),
                () = run_out(self.timer) => {
                    self.timer = None;
                    Some(lifecycle::Event::TimedOut)
                }
                () = run_out(self.silence) => {
                    self.silence = None;
                    self.heard.silent = true;
                    self.came_up()
                }
                () = probed(&mut self.probing) => {
                    self.probing = None;
                    self.heard.answer = true;
                    self.came_up()
                }
                happened = happening(&mut self.running, looking) => match happened {
                    Happened::Said(Said::Ready) => {
                        self.heard.ready_word = true;
                        self.came_up()
                    }
                    Happened::Said(Said::Message(message)) => self.hear(message),
                    Happened::Found(found) => self.find(found),
                    Happened::Written => {
                        self.heard.line = true;
                        self.came_up()
                    }
                    Happened::Ended => Some(self.end().await),
                },
                () = run_out(self.next_look) => self.look(),
                silence = silent(&mut self.pulse) => self.suspect(silence),
                Some(_) = self.burials.join_next(), if self.put_down => None,
            };
            if let Some(event) = event {
                return Next::Event(event);
            }
        }
    }

    fn heed(&mut self, wish: Wish) -> Option<lifecycle::Event> {
        Some(match wish {
            Wish::Withdraw => lifecycle::Event::Withdraw,
            Wish::Released => lifecycle::Event::Released,
            Wish::Answered => lifecycle::Event::Answered,
            Wish::Signal(signal) => {
                let listener = self.heard.listening.as_ref().map(|heard| heard.pid);
                if let Some(running) = &self.running {
                    running.signal(signal.raw(), listener);
                }
                return None;
            }
            Wish::PutDown => {
                self.put_down = true;
                return None;
            }
            Wish::Stop => lifecycle::Event::Stop,
            Wish::Kill => lifecycle::Event::Kill,
            Wish::Suspect(lasted) => {
                let late = Duration::ZERO;
                return self.suspect(Silence { lasted, late });
            }
        })
    }

    async fn end(&mut self) -> lifecycle::Event {
        self.probing = None;
        self.silence = None;
        self.pulse = None;
        self.next_look = None;
        let Some(mut running) = self.running.take() else {
            return self.over(Exit::Unknown);
        };
        self.uptime = running.started.elapsed();
        let haste = if self.heard.announced {
            self.tell(Event::Gone {
                worker: self.id.clone(),
            });
            Haste::Yes
        } else {
            Haste::No
        };
        let exit = running.exit(haste).await;
        self.exit = Some(exit);
        let (files, guarded) = (Arc::clone(&self.files), self.shared.guarded.clone());
        let burial = async move {
            let (pid, start) = (running.id(), running.start);
            running.bury().await;
            guarded.remove(pid);
            files.remove(start);
        };
        // What is left of the tree may hold the port that the next start needs.
        if self.plan.options.port.is_some() || self.heard.own_port {
            burial.await;
        } else {
            self.burials.spawn(burial);
        }
        self.over(exit)
    }

    /// What an end like this is in the life of such a worker.
    fn over(&self, exit: Exit) -> lifecycle::Event {
        if self.plan.options.lives.is_over(exit) {
            lifecycle::Event::Finished
        } else {
            lifecycle::Event::Ended
        }
    }

    /// Everything of it is gone when its end is told.
    async fn finish(mut self) {
        while self.burials.join_next().await.is_some() {}
        let event = Event::Stopped {
            worker: self.id,
            exit: self.exit,
        };
        drop(self.files);
        let _ = self.shared.events.send(event);
    }

    pub(crate) fn note(&self, note: Note) -> Option<lifecycle::Event> {
        self.tell(Event::Note {
            worker: self.id.clone(),
            note,
        });
        None
    }

    /// Nobody listens any more only when the program ends.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.shared.events.send(event);
    }
}

async fn happening(running: &mut Option<Running>, looking: Looking) -> Happened {
    match running {
        Some(running) => running.happening(looking).await,
        None => std::future::pending().await,
    }
}

async fn probed(probing: &mut Option<Pin<Box<dyn Future<Output = ()> + Send>>>) {
    match probing {
        Some(probing) => probing.await,
        None => std::future::pending().await,
    }
}

async fn silent(pulse: &mut Option<Pulse>) -> Silence {
    match pulse {
        Some(pulse) => pulse.silence().await,
        None => std::future::pending().await,
    }
}

/// The next wish; when nobody can wish any more, the end, once. Cancel-safe.
async fn wished(wishes: &mut Option<UnboundedReceiver<Wish>>) -> Wish {
    let Some(receiver) = wishes else {
        return std::future::pending().await;
    };
    let wish = receiver.recv().await;
    wish.unwrap_or_else(|| {
        *wishes = None;
        Wish::Kill
    })
}

/// A number between -1 and 1 that nobody needs to be unable to guess.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let hash = RandomState::new().hash_one(0) >> 32;
    let hash = u32::try_from(hash).unwrap_or_default();
    f64::from(hash) / f64::from(u32::MAX) * 2.0 - 1.0
}
