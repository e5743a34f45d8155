//! Keeping watch over one worker: when it is looked at, and whose turn it is to be replaced. `hung` judges.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::hung::{self, Cpu};
use crate::lifecycle;
use crate::probe::Silence;
use crate::worker::Worker;

impl Worker {
    /// The worker reported that it is well.
    pub(crate) fn reported(&mut self) {
        self.watch.reported(self.born.elapsed());
        if self.next_look.is_none() {
            self.next_look = Some(Instant::now() + self.look_every());
        }
    }

    /// Looks whether it still reports. After everything else that has happened, so that a report that is already there
    /// was heard.
    pub(crate) fn look(&mut self) -> Option<lifecycle::Event> {
        let late = self.next_look.map_or(Duration::ZERO, |due| due.elapsed());
        self.next_look = Some(Instant::now() + self.look_every());
        let pid = self.listener()?;
        let cpu = || Cpu::of(pid);
        let is_hung = self.watch.look(self.born.elapsed(), late, cpu);
        is_hung.then(|| self.take_turn()).flatten()
    }

    fn look_every(&self) -> Duration {
        hung::look_every(self.plan.options.hang_timeout)
    }

    /// It is replaced when no other worker of the app is being replaced; until then the next look will find it again.
    fn take_turn(&mut self) -> Option<lifecycle::Event> {
        if self.turn.is_none() {
            self.turn = Some(Arc::clone(&self.shared.turn).try_acquire_owned().ok()?);
        }
        Some(lifecycle::Event::Hung)
    }

    /// It is ready again, or will not be soon: another one may be replaced.
    pub(crate) fn pass_turn(&mut self) {
        self.turn = None;
    }

    /// The process that answers, as long as it is given work.
    fn listener(&self) -> Option<u32> {
        let listening = self.heard.listening.as_ref();
        listening
            .filter(|_| self.heard.announced && !self.heard.leaving && self.running.is_some())
            .map(|heard| heard.pid)
    }

    /// Somebody else has had no answer from it for so long.
    pub(crate) fn suspect(&mut self, silence: Silence) -> Option<lifecycle::Event> {
        self.listener()?;
        // whoever does the work, it is one of these
        let members = self.running.as_ref()?.tree.members();
        let cpu = || Cpu::of_all(&members);
        let now = self.born.elapsed();
        let is_hung = self.suspicion.suspected(now, silence, cpu);
        is_hung.then(|| self.take_turn()).flatten()
    }
}
