//! Instances that are listened to, each on a thread of its own, also when they end and start again. Prints what comes.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::super::instance::{Instance, Lines};
use super::super::targets::{Chosen, Part};
use super::wanted::Wanted;
use crate::failure::Failure;
use crate::logs::{Assembly, Printer};
use crate::said::{LogWish, Memory, Said, Word};
use crate::say;

/// How long the rest of an entry is waited for: a stack trace is written in one go.
const PAUSE: Duration = Duration::from_millis(100);
/// How often is looked for an instance that has ended: nothing tells when it starts again.
const LOOK: Duration = Duration::from_millis(250);

/// One instance.
pub(super) struct Followed {
    name: String,
    part: Part,
    wish: LogWish,
    /// None while it does not run.
    words: Option<Words>,
    /// When the instance began that was heard last, and the number of its last line.
    heard: (u64, u64),
}

/// What an instance tells.
struct Words {
    lines: Lines,
}

/// What comes of one instance.
struct News {
    /// Which one.
    from: usize,
    what: What,
}

enum What {
    Said(Said),
    Missed(u64),
    Ended,
    Began,
}

impl Followed {
    /// Asks, if it runs.
    pub(super) fn begin(chosen: &Chosen<'_>, follow: bool) -> Result<Self, Failure> {
        let wish = super::wish(chosen, follow);
        let running = chosen.known.running.as_ref();
        let words = running.map(|(instance, _)| Words::ask(instance, &wish));
        Ok(Self {
            name: chosen.known.name.clone(),
            part: chosen.part.clone(),
            words: words.transpose()?,
            wish,
            heard: (0, 0),
        })
    }

    /// What it remembers; nothing, if it does not run.
    pub(super) fn remembered(&mut self) -> Result<(Memory, Vec<Said>), Failure> {
        let mut memory = Memory::default();
        let mut said = Vec::new();
        let Some(words) = &mut self.words else {
            return Ok((memory, said));
        };
        loop {
            match words.next() {
                Some(Word::Memory(told)) => memory = told,
                Some(Word::Line(line)) => said.push(line),
                Some(Word::Missed(_)) => {}
                Some(Word::Now) => break,
                None => {
                    return Err(Failure::cut_short(format!(
                        "instance `{}` ended before it had told what it remembers",
                        self.name
                    )));
                }
            }
        }
        let last = said.last().map_or(0, |line| line.number);
        self.heard = (memory.began_ms, last);
        Ok((memory, said))
    }

    /// Hands on what comes, for as long as anybody takes it.
    fn listen(mut self, from: usize, news: &Sender<News>) {
        let tell = |what| news.send(News { from, what }).is_ok();
        loop {
            while let Some(word) = self.words.as_mut().and_then(Words::next) {
                let is_taken = match word {
                    Word::Memory(memory) => {
                        if memory.began_ms != self.heard.0 {
                            self.heard = (memory.began_ms, 0);
                        }
                        true
                    }
                    Word::Line(said) if said.number <= self.heard.1 => true,
                    Word::Line(said) => {
                        self.heard.1 = said.number;
                        tell(What::Said(said))
                    }
                    Word::Missed(count) => tell(What::Missed(count)),
                    Word::Now => true,
                };
                if !is_taken {
                    return;
                }
            }
            if !tell(What::Ended) {
                return;
            }
            self.words = Some(self.come_back());
            if !tell(What::Began) {
                return;
            }
        }
    }

    fn come_back(&self) -> Words {
        loop {
            let instance = Instance::find(Some(&self.name));
            let words = instance.and_then(|instance| Words::ask(&instance, &self.wish));
            if let Ok(words) = words {
                return words;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Words {
    fn ask(instance: &Instance, wish: &LogWish) -> Result<Self, Failure> {
        let lines = instance.stream("/logs", wish)?;
        Ok(Self { lines })
    }

    /// `None`: the instance has ended, or says what this program does not understand.
    fn next(&mut self) -> Option<Word> {
        let line = self.lines.next()?.ok()?;
        serde_json::from_str(&line).ok()
    }
}

/// Prints what comes, until nobody reads it.
pub(super) fn follow(
    followed: Vec<Followed>,
    wanted: &Wanted,
    printer: &Printer,
) -> io::Result<()> {
    let parts: Vec<(String, Part)> = followed
        .iter()
        .map(|one| (one.name.clone(), one.part.clone()))
        .collect();
    let (sender, news) = channel();
    for (from, one) in followed.into_iter().enumerate() {
        let sender = sender.clone();
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || one.listen(from, &sender))?;
    }
    drop(sender);
    let mut assemblies: Vec<Assembly> = parts.iter().map(|_| Assembly::default()).collect();
    while let Some(news) = next(&news, &assemblies) {
        match news {
            None => {
                for entry in assemblies.iter_mut().flat_map(Assembly::finish) {
                    if wanted.has(&entry) {
                        printer.print(&entry)?;
                    }
                }
            }
            Some(News { from, what }) => {
                let (name, part) = &parts[from];
                match what {
                    What::Said(said) if wanted.is_of(part, said.worker, said.stream) => {
                        let whole = assemblies[from].add(said);
                        if let Some(entry) = whole.filter(|entry| wanted.has(entry)) {
                            printer.print(&entry)?;
                        }
                    }
                    What::Said(_) => {}
                    What::Missed(count) => say::note(&format!(
                        "`{name}`: {count} lines are missing here; they came faster than they were read"
                    )),
                    What::Ended => {
                        say::note(&format!("`{name}` does not run; waiting for it to start"));
                    }
                    What::Began => say::note(&format!("`{name}` runs again")),
                }
            }
        }
    }
    Ok(())
}

/// The next news; nothing, when nothing more came of what has begun. `None`: nobody listens any more.
#[expect(clippy::option_option, reason = "the end, a pause, or news")]
fn next(news: &Receiver<News>, assemblies: &[Assembly]) -> Option<Option<News>> {
    if !assemblies.iter().any(Assembly::has_begun) {
        return news.recv().ok().map(Some);
    }
    match news.recv_timeout(PAUSE) {
        Ok(news) => Some(Some(news)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}
