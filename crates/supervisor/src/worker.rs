//! Drives one worker through its life: `lifecycle` decides, this acts. One task per worker.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use crate::events::{Cause, Endpoint, Event, Note, ReadyWorker, WorkerId};
use crate::guard::Guarded;
use crate::heard::{Heard, Listening};
use crate::lifecycle::{self, Action, Life, Moment, State, step};
use crate::node::message::Message;
use crate::node::speech::Said;
use crate::output::Output;
use crate::plan::Plan;
use crate::process::Exit;
use crate::ready::Found;
use crate::report::not_started;
use crate::running::{Happened, Looking, Running, run_out};
use crate::socket::Files;

/// What the rest of the program wants of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Be given nothing new.
    Withdraw,
    /// Nothing is under way any more.
    Released,
    /// Something was answered.
    Answered,
    Stop,
    Kill,
}

/// What all workers share with the rest of the program.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) guarded: Guarded,
}

/// One worker, from its first start to its last end.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) plan: Arc<Plan>,
    /// The moment from which its life's times are counted.
    born: Instant,
    files: Files,
    shared: Shared,
    /// Absent once nobody can wish any more.
    wishes: Option<UnboundedReceiver<Wish>>,
    pub(crate) output: Arc<Output>,
    starts: u32,
    running: Option<Running>,
    timer: Option<Instant>,
    /// What is known of the present start.
    pub(crate) heard: Heard,
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
            plan,
            files,
            shared,
            wishes: Some(wishes),
            output: Arc::default(),
            starts: 0,
            running: None,
            timer: None,
            heard: Heard::default(),
            exit: None,
            uptime: Duration::ZERO,
            cause: None,
            ever_ready: false,
            failure_told: false,
        }
    }

    /// Lives until it is stopped.
    pub(crate) async fn live(mut self) {
        let mut life = Life::default();
        let mut pending = VecDeque::from([lifecycle::Event::Start]);
        while life.state != State::Stopped {
            let event = match pending.pop_front() {
                Some(event) => event,
                None => self.next_event().await,
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
            Action::ReportTimeout => self.report_timeout(),
            Action::ReportKill => return self.note(Note::Killed),
            Action::ReportCrashLoop => self.report_crash_loop(),
            Action::ReportRecovery => self.report_recovery(),
            Action::ReportGivenUp => self.report_given_up(),
            Action::Signal => {
                let listener = self.heard.listening.as_ref().map(|heard| heard.pid);
                if let Some(running) = &mut self.running {
                    running.ask_to_end(self.plan.options.kill_signal.raw(), listener);
                }
            }
            Action::Kill => {
                if let Some(running) = &self.running {
                    running.kill();
                }
            }
            Action::Finish => self.tell(Event::Stopped {
                worker: self.id.clone(),
                exit: self.exit,
            }),
        }
        None
    }

    fn spawn(&mut self) -> Option<lifecycle::Event> {
        self.starts = self.starts.wrapping_add(1);
        self.heard = Heard::default();
        self.exit = None;
        self.cause = None;
        self.output.begin();
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
                self.shared.guarded.add(pid);
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
                Some(lifecycle::Event::Ended)
            }
        }
    }

    /// Waits for whatever comes first: a wish, the timer, something said, found or ended.
    async fn next_event(&mut self) -> lifecycle::Event {
        loop {
            let happened = {
                let looking = if self.heard.listening.is_none() {
                    Looking::Yes
                } else {
                    Looking::No
                };
                tokio::select! {
                    biased;
                    wish = wished(&mut self.wishes) => return wish,
                    () = run_out(self.timer) => {
                        self.timer = None;
                        return lifecycle::Event::TimedOut;
                    }
                    happened = happening(&mut self.running, looking) => happened,
                }
            };
            let event = match happened {
                Happened::Said(Said::Ready) => {
                    self.heard.ready_word = true;
                    self.came_up()
                }
                Happened::Said(Said::Message(message)) => self.hear(message),
                Happened::Found(found) => self.find(found),
                Happened::Ended => Some(self.end().await),
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    fn hear(&mut self, message: Message) -> Option<lifecycle::Event> {
        match message {
            Message::Listening {
                pid,
                port,
                address,
                server,
                trust,
            } => {
                let running = self.running.as_ref()?;
                self.heard.listening = Some(Listening {
                    pid: running.listener(pid),
                    endpoint: Endpoint::Unix(self.files.socket(running.start)),
                    port: Some(port),
                    address: Some(address),
                    server: Some(server),
                    trust,
                });
                self.came_up()
            }
            Message::ExtraPort { port, given_up } => self.note(Note::ExtraPort { port, given_up }),
            Message::RandomPort => self.note(Note::RandomPort),
            Message::Refused { port, server } => self.note(Note::RefusedServer { port, server }),
            Message::Cluster => self.note(Note::OwnCluster),
            Message::Stats(stats) => {
                self.tell(Event::Stats {
                    worker: self.id.clone(),
                    stats,
                });
                None
            }
        }
    }

    fn find(&mut self, found: Found) -> Option<lifecycle::Event> {
        let pid = self.running.as_ref()?.id();
        let endpoint = match found {
            Found::Here(endpoint) => endpoint,
            Found::Elsewhere(ports) => return self.find_elsewhere(ports),
        };
        let port = self.plan.options.port;
        self.heard.listening = Some(Listening::at(pid, endpoint, port));
        self.came_up()
    }

    /// A hard-coded port is where a single worker may stay; several cannot share it.
    fn find_elsewhere(&mut self, ports: Vec<u16>) -> Option<lifecycle::Event> {
        let pid = self.running.as_ref()?.id();
        if let ([port], 1) = (ports.as_slice(), self.plan.workers) {
            let endpoint = Endpoint::Tcp((Ipv4Addr::LOCALHOST, *port).into());
            self.heard.listening = Some(Listening::at(pid, endpoint, Some(*port)));
            let _ = self.note(Note::OwnPort { port: *port });
            return self.came_up();
        }
        self.cause = Some(Cause::Elsewhere(ports));
        Some(lifecycle::Event::TimedOut)
    }

    fn came_up(&self) -> Option<lifecycle::Event> {
        let news = self.heard.is_news(&self.plan.options.ready);
        news.then_some(lifecycle::Event::CameUp)
    }

    fn announce(&mut self) {
        let (Some(running), Some(heard)) = (&self.running, self.heard.listening.clone()) else {
            return;
        };
        self.heard.announced = true;
        self.ever_ready = true;
        self.tell(Event::Ready(Box::new(ReadyWorker {
            worker: self.id.clone(),
            pid: heard.pid,
            endpoint: heard.endpoint,
            port_asked: heard.port,
            address_asked: heard.address,
            server: heard.server,
            trusts_loopback: heard.trust,
            took: running.started.elapsed(),
        })));
    }

    async fn end(&mut self) -> lifecycle::Event {
        if let Some(running) = self.running.take() {
            let (pid, start) = (running.id(), running.start);
            self.uptime = running.started.elapsed();
            let exit = running.finish().await;
            self.shared.guarded.remove(pid);
            self.files.remove(start);
            self.exit = Some(exit);
        }
        lifecycle::Event::Ended
    }

    fn note(&self, note: Note) -> Option<lifecycle::Event> {
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

/// The next wish; when nobody can wish any more, the end, once. Cancel-safe.
async fn wished(wishes: &mut Option<UnboundedReceiver<Wish>>) -> lifecycle::Event {
    let Some(receiver) = wishes else {
        return std::future::pending().await;
    };
    match receiver.recv().await {
        Some(Wish::Withdraw) => lifecycle::Event::Withdraw,
        Some(Wish::Released) => lifecycle::Event::Released,
        Some(Wish::Answered) => lifecycle::Event::Answered,
        Some(Wish::Stop) => lifecycle::Event::Stop,
        Some(Wish::Kill) => lifecycle::Event::Kill,
        None => {
            *wishes = None;
            lifecycle::Event::Kill
        }
    }
}

/// A number between -1 and 1 that nobody needs to be unable to guess.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let hash = RandomState::new().hash_one(0) as u32;
    f64::from(hash) / f64::from(u32::MAX) * 2.0 - 1.0
}
