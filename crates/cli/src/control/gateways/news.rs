//! What follows from what gateways say, from their ends, and from time that passed.

use std::time::Duration;

use mainstay_observe::Totals;
use tokio::time::Instant;

use super::comeback::Verdict;
use super::{
    Asker, Down, DrainOptions, Gateways, Generation, Heard, LAST_MOMENT, MOST_DRAINING, Phase,
    START, Scope, Word, drain_message,
};
use crate::protocol::Up;

impl Gateways {
    pub(super) fn on_word(&mut self, number: u64, word: Word) {
        match word {
            Word::Ended(exit) => self.on_end(number, exit),
            Word::Said(Up::Ready) => self.on_ready(number),
            Word::Said(Up::Notices(sentences)) => self.news.push_back(Heard::Notices(sentences)),
            Word::Said(Up::Violations(reported)) => {
                self.news.push_back(Heard::Violations(reported));
            }
            Word::Said(Up::Metrics { ticket, totals }) => {
                self.on_counted(number, *totals);
                self.counts.answered(number, ticket);
                self.answer_askers();
            }
            Word::Said(Up::Counted(totals)) => self.on_counted(number, *totals),
            Word::Said(Up::AskMetrics { ticket }) => self.ask(Asker::Gateway { number, ticket }),
            Word::Said(Up::Released { ids }) => {
                let free = self.holds.released(number, &ids);
                self.released(free);
            }
            Word::Said(Up::Changed(place)) => self.on_change(number, &place),
            Word::Said(Up::Owing(owing)) => {
                if let Some(generation) = self.by_number(number) {
                    generation.owing = owing;
                }
            }
            Word::Said(Up::Answered { mut ids }) => {
                ids.retain(|id| self.answered.insert(*id));
                if !ids.is_empty() {
                    self.news.push_back(Heard::Answered(ids));
                }
            }
            Word::Said(Up::Load(load)) => {
                if let Some(generation) = self.by_number(number) {
                    generation.heard(load);
                }
            }
            Word::Said(Up::Trial { tallies }) => self.news.push_back(Heard::Trial(tallies)),
            Word::Said(Up::Suspended { ticket, running }) => {
                self.agreements.answered(number, ticket, running);
                self.agreed();
            }
            Word::Said(Up::Cache { ticket, answer }) => {
                self.inquiries.answered(number, ticket, answer);
                self.inquiries.conclude(Instant::now());
            }
            // its end follows
            Word::Said(Up::Drained) => {
                if let Some(generation) = self.by_number(number) {
                    generation.has_drained = true;
                }
            }
        }
    }

    fn on_counted(&mut self, number: u64, totals: Totals) {
        if let Some(generation) = self.by_number(number) {
            generation.counted = totals;
        }
    }

    fn by_number(&mut self, number: u64) -> Option<&mut Generation> {
        let mut living = self.generations.iter_mut();
        living.find(|generation| generation.number == number)
    }

    /// It accepts: whoever served before it finishes.
    fn on_ready(&mut self, number: u64) {
        let replaced = DrainOptions::replaced();
        let mut had_one = false;
        for generation in &mut self.generations {
            if generation.number == number && generation.phase == Phase::Starting {
                generation.phase = Phase::Serving;
                generation.ready = Some(Instant::now());
            } else if generation.phase == Phase::Serving {
                had_one = true;
                generation.phase = Phase::Draining;
                let closing = generation.alone_on(&self.sockets);
                generation.tell(drain_message(&replaced, Scope::Gateway, closing));
                generation.holdings.clear();
                generation.ends_by = Some(Instant::now() + replaced.grace + LAST_MOMENT);
            }
        }
        if !std::mem::replace(&mut self.has_been_ready, true) {
            self.news.push_back(Heard::Ready);
        } else if had_one {
            self.news.push_back(Heard::Replaced);
        }
        self.keep_company();
        self.pay();
        self.hurry();
        if std::mem::take(&mut self.again) {
            self.replace();
        }
    }

    /// Too many that are finishing are too many processes: the oldest gets a second more.
    fn hurry(&mut self) {
        let draining: Vec<_> = self
            .generations
            .iter_mut()
            .filter(|generation| generation.phase == Phase::Draining)
            .collect();
        let excess = draining.len().saturating_sub(MOST_DRAINING);
        for generation in draining.into_iter().take(excess) {
            let soon = DrainOptions::default();
            generation.tell(drain_message(&soon, Scope::Gateway, Vec::new()));
            let by = Instant::now() + soon.grace + LAST_MOMENT;
            generation.ends_by = generation.ends_by.map(|known| known.min(by));
        }
    }

    fn on_end(&mut self, number: u64, exit: String) {
        let mut living = self.generations.iter();
        let Some(index) = living.position(|generation| generation.number == number) else {
            return;
        };
        let ended = self.generations.remove(index);
        self.counts.ended(number, ended.counted);
        self.answer_askers();
        self.agreements.ended(number);
        self.inquiries.ended(number);
        self.inquiries.conclude(Instant::now());
        self.agreed();
        let free = self.holds.ended(number);
        self.released(free);
        self.keep_company();
        self.inherit(ended.owing);
        let somebody_serves = self.find(Phase::Serving).is_some();
        match ended.phase {
            _ if self.end.is_some() => {}
            Phase::Draining if ended.has_drained => {}
            Phase::Draining => self.news.push_back(Heard::DiedDraining { exit }),
            Phase::Starting if somebody_serves => {
                self.not_replaced(exit);
            }
            Phase::Starting | Phase::Serving => {
                let now = Instant::now();
                // a successor that is starting comes sooner than another would
                if self.find(Phase::Starting).is_none() {
                    let lived = ended.ready.map_or(Duration::ZERO, |ready| now - ready);
                    self.on_death(now, lived, exit);
                }
            }
        }
        self.drained();
    }

    /// The one that serves goes on, and alone: nobody shall wait at a socket that was meant for its successor.
    pub(super) fn not_replaced(&mut self, exit: String) {
        self.again = false;
        if let Some(serving) = self.find(Phase::Serving) {
            let accepted = serving.addresses.clone();
            self.sockets.rest(&accepted);
        }
        self.news.push_back(Heard::NotReplaced { exit });
    }

    fn on_death(&mut self, now: Instant, lived: Duration, exit: String) {
        let verdict = self.comeback.died(now, lived, exit.clone());
        let (Verdict::Again(restarts_in) | Verdict::Loop(restarts_in)) = verdict;
        self.news.push_back(Heard::Died {
            exit: exit.clone(),
            restarts_in,
        });
        if matches!(verdict, Verdict::Loop(_)) {
            self.news.push_back(Heard::CrashLoop {
                deaths: self.comeback.young_deaths(),
                exit,
            });
        }
        if restarts_in.is_zero() {
            self.on_time();
        }
    }

    /// All have ended, and were meant to.
    pub(super) fn drained(&mut self) {
        if self.end.is_some() && self.generations.is_empty() {
            self.news.push_back(Heard::Drained);
        }
    }

    /// When something is to be done though nobody says anything.
    pub(super) fn due(&self) -> Option<Instant> {
        let starting = self.find(Phase::Starting).map(|next| next.started + START);
        let healthy = self.healthy_at();
        let draining = self.generations.iter();
        let times = [
            self.comeback.due(),
            self.counts.due(),
            self.agreements.due(),
            self.inquiries.due(),
            self.end.filter(|_| !self.generations.is_empty()),
            starting,
            healthy,
            draining.filter_map(|generation| generation.ends_by).min(),
        ];
        times.into_iter().flatten().min()
    }

    /// When the one that serves has shown that the deaths before it are over.
    fn healthy_at(&self) -> Option<Instant> {
        let serving = self.find(Phase::Serving)?;
        let ready = serving.ready.filter(|_| self.comeback.is_watching())?;
        Some(ready + self.comeback.healthy_after())
    }

    pub(super) fn on_time(&mut self) {
        let now = Instant::now();
        if self.comeback.due().is_some_and(|due| due <= now) {
            self.comeback.started();
            match self.generation() {
                Ok(next) => {
                    self.generations.push(next);
                    self.keep_company();
                }
                Err(error) => self.on_death(now, Duration::ZERO, error.to_string()),
            }
        }
        for generation in &mut self.generations {
            if generation.phase == Phase::Starting && generation.started + START <= now {
                // its end will be heard; asked again only if it is not
                generation.started = now;
                generation.kill();
            }
        }
        for generation in &mut self.generations {
            if generation.ends_by.is_some_and(|by| by <= now) {
                generation.ends_by = Some(now + LAST_MOMENT);
                generation.kill();
            }
        }
        if self.healthy_at().is_some_and(|healthy| healthy <= now) && self.comeback.lives() {
            self.news.push_back(Heard::Recovered);
        }
        if let Some(end) = self.end
            && end <= now
        {
            // they had their time and more
            self.end = Some(now + LAST_MOMENT);
            self.generations.iter().for_each(Generation::kill);
        }
        self.inquiries.conclude(now);
        self.answer_askers();
        self.agreed();
    }

    pub(super) fn agreed(&mut self) {
        let over = self.agreements.over(Instant::now());
        self.news.extend(over.into_iter().map(Heard::Agreed));
    }

    pub(super) fn answer_askers(&mut self) {
        for asker in self.counts.ready(Instant::now()) {
            match asker {
                Asker::Admin(asker) => drop(asker.send(self.metrics_text())),
                Asker::Cache(asker) => drop(asker.send(self.counts.cache_json(self.counted()))),
                Asker::Gateway { number, ticket } => {
                    let text = self.metrics_text();
                    let mut living = self.generations.iter();
                    if let Some(asker) = living.find(|generation| generation.number == number) {
                        asker.tell(Down::MetricsText { ticket, text });
                    }
                }
            }
        }
    }

    /// What those that live have told last.
    fn counted(&self) -> impl Iterator<Item = &Totals> {
        let living = self.generations.iter();
        living.map(|generation| &generation.counted)
    }

    fn metrics_text(&self) -> String {
        let ready = self.members.iter();
        let ready = ready.map(|(target, members)| (target.as_str(), members.len()));
        self.counts.text(self.counted(), ready)
    }
}
