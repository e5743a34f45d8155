//! What a start gives to know: where it listens, whether it is ready, that it is well. From words to what they mean for
//! its life; decides nothing.

use std::net::Ipv4Addr;

use crate::events::{Cause, Endpoint, Event, Note, ReadyWorker};
use crate::heard::Listening;
use crate::lifecycle;
use crate::node::message::Message;
use crate::options::{Liveness, Ready};
use crate::probe::Pulse;
use crate::ready::Found;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn hear(&mut self, message: Message) -> Option<lifecycle::Event> {
        match message {
            Message::Listening {
                pid,
                port,
                address,
                server,
                trust,
            } => {
                let running = self.running.as_ref()?;
                let listening = Listening {
                    pid: running.listener(pid),
                    endpoint: Endpoint::Unix(self.files.socket(running.start)),
                    port: Some(port),
                    address: Some(address),
                    server: Some(server),
                    trust,
                };
                self.listens(listening)
            }
            Message::ExtraPort { port, given_up } => self.note(Note::ExtraPort { port, given_up }),
            Message::RandomPort => self.note(Note::RandomPort),
            Message::Refused { port, server } => self.note(Note::RefusedServer { port, server }),
            Message::Cluster => self.note(Note::OwnCluster),
            Message::Beat { inspected } => {
                if inspected {
                    self.watch.pause();
                } else {
                    self.reported();
                }
                None
            }
            Message::Stats(stats) => {
                self.tell(Event::Stats {
                    worker: self.id.clone(),
                    stats,
                });
                None
            }
        }
    }

    pub(crate) fn find(&mut self, found: Found) -> Option<lifecycle::Event> {
        let pid = self.running.as_ref()?.id();
        let endpoint = match found {
            Found::Here(endpoint) => endpoint,
            Found::Elsewhere(ports) => return self.find_elsewhere(ports),
            Found::Alive => {
                self.heard.alive = true;
                return self.came_up();
            }
        };
        let port = self.plan.options.port;
        self.listens(Listening::at(pid, endpoint, port))
    }

    /// A hard-coded port is where a single worker may stay; several cannot share it.
    fn find_elsewhere(&mut self, ports: Vec<u16>) -> Option<lifecycle::Event> {
        let pid = self.running.as_ref()?.id();
        if let ([port], 1) = (ports.as_slice(), self.plan.most_workers()) {
            let endpoint = Endpoint::Tcp((Ipv4Addr::LOCALHOST, *port).into());
            self.heard.own_port = true;
            let _ = self.note(Note::OwnPort { port: *port });
            return self.listens(Listening::at(pid, endpoint, Some(*port)));
        }
        self.cause = Some(Cause::Elsewhere(ports));
        Some(lifecycle::Event::TimedOut)
    }

    fn listens(&mut self, listening: Listening) -> Option<lifecycle::Event> {
        let is_first = self.heard.listening.replace(listening).is_none();
        if is_first {
            self.probe();
        }
        if is_first && self.heard.announced && !self.heard.leaving {
            // it was ready without; now it can be called, too
            self.announce();
        }
        self.came_up()
    }

    /// Asks whether it is ready, where that is wanted.
    fn probe(&mut self) {
        if let Ready::Http(path) = &self.plan.options.ready
            && let Some(listening) = &self.heard.listening
        {
            let prober = self.plan.prober.clone();
            let endpoint = listening.endpoint.clone();
            self.probing = Some(Box::pin(prober.until_well(endpoint, path.clone())));
        }
    }

    /// Asks whether it is still there, where that is wanted.
    fn feel_pulse(&mut self) {
        let options = &self.plan.options;
        if let (Ready::Http(path), Liveness::Asked) = (&options.ready, options.liveness)
            && !options.hang_timeout.is_zero()
            && let Some(heard) = &self.heard.listening
        {
            let (prober, endpoint) = (self.plan.prober.clone(), heard.endpoint.clone());
            let pulse = Pulse::new(prober, endpoint, path.clone(), options.hang_timeout);
            self.pulse = Some(pulse);
        }
    }

    /// Asks what was being asked when it was put down.
    pub(crate) fn ask_again(&mut self) {
        if self.running.is_none() {
            return;
        }
        if self.heard.announced {
            self.feel_pulse();
        } else if !self.heard.answer {
            self.probe();
        }
    }

    pub(crate) fn came_up(&self) -> Option<lifecycle::Event> {
        let options = &self.plan.options;
        let news = self.heard.is_news(options.kind, &options.ready);
        news.then_some(lifecycle::Event::CameUp)
    }

    pub(crate) fn announce(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        let heard = self.heard.listening.clone();
        let pid = heard.as_ref().map_or(running.id(), |heard| heard.pid);
        running.came_up(pid);
        let took = running.started.elapsed();
        self.feel_pulse();
        self.heard.announced = true;
        self.ever_ready = true;
        self.pass_turn();
        // where each worker asks for another port, that of the first one is the app's
        let step = self.plan.port_step(self.id.index);
        let step = u16::try_from(step).unwrap_or(u16::MAX);
        self.tell(Event::Ready(Box::new(ReadyWorker {
            worker: self.id.clone(),
            pid,
            port_asked: heard
                .as_ref()
                .and_then(|heard| heard.port?.checked_sub(step)),
            address_asked: heard.as_ref().and_then(|heard| heard.address.clone()),
            server: heard.as_ref().and_then(|heard| heard.server),
            trusts_loopback: heard.as_ref().and_then(|heard| heard.trust),
            endpoint: heard.map(|heard| heard.endpoint),
            took,
        })));
    }
}
