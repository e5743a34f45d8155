//! The end of an instance: connections first, then workers. A second wish to end hurries.

use mainstay_config::{Ranks, ShutdownSettings};
use mainstay_proxy::DrainOptions;
use mainstay_supervisor::Event;

use super::admin::Question;
use super::gateways::{Gateways, Heard};
use super::output::Output;
use super::report;
use super::serve::hear;
use super::signals::{Asked, Signals};
use super::state::Control;
use super::surroundings;
use crate::failure::Failure;
use crate::order::Ending;
use crate::state::Numbers;

impl Control {
    /// In order, unless a second signal or `mainstay stop` comes.
    pub(super) async fn stop(&mut self, signals: &mut Signals) {
        self.service.stopping();
        self.reloads.cut_short();
        for asker in &self.stop_askers {
            asker.progress("requests that have begun are finished");
        }
        let hurried = self.drain(signals).await == Pace::Hurried;
        if hurried || self.stop_workers(signals).await == Pace::Hurried {
            self.gateways.iter_mut().for_each(Gateways::kill);
            self.supervisor.kill_all().await;
        }
        while let Ok(event) = self.events.try_recv() {
            pass_on(event, &self.output);
        }
        if self.background.is_some() {
            // in a log nothing else says so
            crate::say::note("stopped");
        }
        self.output.finish();
        self.crashes.settle();
        let numbers = match &self.background {
            Some(_) => Numbers::Keep,
            None => Numbers::Forget,
        };
        self.ids.end(numbers);
    }

    /// Until every gateway has ended. Workers that die meanwhile are started again: they are still needed.
    async fn drain(&mut self, signals: &mut Signals) -> Pace {
        let options = drain_options(&self.settings.shutdown);
        if self.came_up.is_empty() && !self.settings.apps.is_empty() {
            // nobody was ever there to answer: whoever waits would wait for nothing
            self.gateways.iter_mut().for_each(Gateways::kill);
        }
        match &mut self.gateways {
            Some(gateways) => gateways.drain(&options),
            None => return Pace::Orderly,
        }
        loop {
            tokio::select! {
                heard = hear(&mut self.gateways) => match heard {
                    Heard::Drained => return Pace::Orderly,
                    heard => self.on_heard(heard),
                },
                Some(event) = self.events.recv() => self.on_last_event(event),
                Asked::End = signals.next() => return Pace::Hurried,
                Some(question) = self.questions.recv() => {
                    if self.on_last_question(question) == Pace::Hurried {
                        return Pace::Hurried;
                    }
                }
            }
        }
    }

    async fn stop_workers(&mut self, signals: &mut Signals) -> Pace {
        for asker in &self.stop_askers {
            asker.progress("workers end");
        }
        // whoever was started after another ends before it
        let ranks = Ranks::of(&self.settings.apps);
        let groups = ranks.groups.iter().skip(1).rev();
        let first: Vec<Vec<String>> = groups
            .map(|group| group.iter().map(|app| (*app).to_owned()).collect())
            .collect();
        let mut stopping = std::pin::pin!(self.supervisor.stop_all(&first));
        loop {
            tokio::select! {
                () = &mut stopping => return Pace::Orderly,
                Some(event) = self.events.recv() => pass_on(event, &self.output),
                Asked::End = signals.next() => return Pace::Hurried,
                Some(question) = self.questions.recv() => match question {
                    Question::Stop(asker) => {
                        self.stop_askers.push(asker);
                        return Pace::Hurried;
                    }
                    question => refuse(question),
                },
            }
        }
    }

    fn on_last_event(&mut self, event: Event) {
        match event {
            // what serving would do, but for complaints: nobody starts anything new any more
            Event::Failed(_) => {}
            event => drop(self.on_event(event)),
        }
    }

    fn on_last_question(&mut self, question: Question) -> Pace {
        match question {
            Question::Stop(asker) => {
                self.stop_askers.push(asker);
                return Pace::Hurried;
            }
            Question::Reload(..)
            | Question::Disable(..)
            | Question::Enable(..)
            | Question::Signal(..)
            | Question::Upgraded(..)
            | Question::Suspend(..) => refuse(question),
            question => self.on_question(question),
        }
        Pace::Orderly
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Orderly,
    Hurried,
}

fn drain_options(shutdown: &ShutdownSettings) -> DrainOptions {
    DrainOptions {
        delay: shutdown
            .delay
            .unwrap_or_else(surroundings::usual_shutdown_delay),
        idle: shutdown.idle,
        streams: shutdown.streams,
        grace: shutdown.grace,
    }
}

/// Whoever asks for something else is told that it is too late.
fn refuse(question: Question) {
    if let Question::Reload(_, asker)
    | Question::Disable(_, asker)
    | Question::Enable(_, asker)
    | Question::Signal(_, asker)
    | Question::Upgraded(asker)
    | Question::Suspend(_, asker) = question
    {
        let failure = Failure::cut_short("the instance is stopping");
        asker.done(&Ending::from(failure));
    }
}

/// At the very end only the app's words matter.
fn pass_on(event: Event, output: &Output) {
    match event {
        Event::Output(line) => output.app(line),
        Event::Note { worker, note } => report::note(&worker, &note),
        _ => {}
    }
}
