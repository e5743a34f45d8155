//! Verifies passwords beside the threads that serve: a few threads of its own, a bounded number of waiting
//! guesses, and a short memory of what was right. Knows no requests.
//!
//! A verification costs tens of milliseconds on purpose. Whoever floods us with guesses gets one thread's worth of
//! them, and a few places of the queue; who is remembered never waits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mainstay_values::Secret;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::oneshot;

use super::password_hash::PasswordHash;

/// Guesses that wait for a thread. One more is told to come again.
const QUEUE: usize = 64;
/// Guesses of one client that wait or are being verified.
const MOST_OF_A_CLIENT: u8 = 8;
/// So long a right password is known again without work.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);
/// So many are remembered at once.
const MOST_REMEMBERED: usize = 4_096;
/// For every so many cores there is one thread: guessing never takes more of the machine.
const CORES_A_THREAD: usize = 4;

/// Too many guesses wait already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// Verifies passwords. One for all threads of a gateway.
#[derive(Default)]
pub(crate) struct Passwords {
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
    /// Keyed anew in every process, so that what is remembered says nothing about passwords.
    secret: OnceLock<Option<hmac::Key>>,
    /// None when no thread could be had.
    jobs: OnceLock<Option<SyncSender<Job>>>,
    guessing: Arc<Mutex<HashMap<IpAddr, u8>>>,
}

struct Job {
    hash: PasswordHash,
    password: Secret,
    answer: oneshot::Sender<bool>,
    place: Place,
}

/// A guess whose answer is on its way.
pub(crate) struct Pending {
    answer: oneshot::Receiver<bool>,
    mark: Option<[u8; 32]>,
    is_in_vain: bool,
}

impl Pending {
    /// The same wait, that ends with a no: for a user who is not there.
    pub(crate) fn in_vain(mut self) -> Self {
        self.is_in_vain = true;
        self
    }
}

impl Passwords {
    /// Whether this user's password was found right a short while ago.
    pub(crate) fn remembers(
        &self,
        user: &str,
        password: &Secret,
        hash: &PasswordHash,
        now: Instant,
    ) -> bool {
        let Some(mark) = self.mark(user, password, hash) else {
            return false;
        };
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.get(&mark).is_some_and(|until| now < *until)
    }

    /// Begins to verify a guess of this client.
    ///
    /// # Errors
    /// [`Busy`] when too many wait already, of all or of this client.
    pub(crate) fn verify(
        &self,
        client: IpAddr,
        user: &str,
        password: Secret,
        hash: &PasswordHash,
    ) -> Result<Pending, Busy> {
        let place = Place::take(&self.guessing, client).ok_or(Busy)?;
        let mark = self.mark(user, &password, hash);
        let (answer, receiver) = oneshot::channel();
        let job = Job {
            hash: hash.clone(),
            password,
            answer,
            place,
        };
        let jobs = self.jobs.get_or_init(start).as_ref().ok_or(Busy)?;
        jobs.try_send(job).map_err(|_| Busy)?;
        Ok(Pending {
            answer: receiver,
            mark,
            is_in_vain: false,
        })
    }

    /// Waits for the answer, and remembers it if it is a yes.
    pub(crate) async fn answer(&self, pending: Pending, now: Instant) -> bool {
        let is_right = pending.answer.await.unwrap_or(false) && !pending.is_in_vain;
        if let (true, Some(mark)) = (is_right, pending.mark) {
            self.remember(mark, now);
        }
        is_right
    }

    fn remember(&self, mark: [u8; 32], now: Instant) {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, until| now < *until);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(mark, now + REMEMBERED_FOR);
        }
    }

    /// What stands for a user with a password and the hash it was compared with: with another hash it is unknown.
    fn mark(&self, user: &str, password: &Secret, hash: &PasswordHash) -> Option<[u8; 32]> {
        let make = || hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        let key = self.secret.get_or_init(make).as_ref()?;
        let mut context = hmac::Context::with_key(key);
        for part in [user, hash.expose(), password.expose()] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().try_into().ok()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// Starts the threads; they end with the process, or when nobody can ask them any more.
fn start() -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut started = None;
    for _ in 0..(cores / CORES_A_THREAD).max(1) {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new().name("passwords".to_owned());
        started = started.or(thread.spawn(move || work(&receiver)).ok());
    }
    started.map(|_| sender)
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // whoever has hung up meanwhile wants no answer
        if !job.answer.is_closed() {
            let is_right = job.hash.is_of(job.password.expose().as_bytes());
            let _ = job.answer.send(is_right);
        }
        drop(job.place);
    }
}

/// A client's place among those who guess, given back however it ends.
struct Place {
    guessing: Arc<Mutex<HashMap<IpAddr, u8>>>,
    client: IpAddr,
}

impl Place {
    fn take(guessing: &Arc<Mutex<HashMap<IpAddr, u8>>>, client: IpAddr) -> Option<Self> {
        let client = network(client);
        let mut counts = guessing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        if *count >= MOST_OF_A_CLIENT {
            return None;
        }
        *count += 1;
        Some(Self {
            guessing: Arc::clone(guessing),
            client,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.guessing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// One who has an IPv6 address has a network of them, commonly a /56.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !((1 << 72) - 1);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        IpAddr::V4(_) => client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn hash(password: &str) -> PasswordHash {
        let text = bcrypt::hash(password, 4).expect("a hash");
        text.parse().expect("a hash")
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn what_was_right_is_remembered_for_its_hash_and_a_while() {
        let passwords = Passwords::default();
        let (ours, other, now) = (hash("geheim"), hash("geheim"), Instant::now());
        let ask = |password| passwords.verify(CLIENT, "anna", secret(password), &ours);
        let pending = ask("wrong").expect("a place");
        assert!(!passwords.answer(pending, now).await);
        assert!(!passwords.remembers("anna", &secret("wrong"), &ours, now));
        let pending = ask("geheim").expect("a place");
        assert!(passwords.answer(pending, now).await);
        assert!(passwords.remembers("anna", &secret("geheim"), &ours, now));
        for (user, password, hash) in [
            ("anna", "Geheim", &ours),
            ("annag", "eheim", &ours),
            ("otto", "geheim", &ours),
            ("anna", "geheim", &other),
        ] {
            assert!(
                !passwords.remembers(user, &secret(password), hash, now),
                "{user} {password}"
            );
        }
        let later = now + REMEMBERED_FOR;
        assert!(!passwords.remembers("anna", &secret("geheim"), &ours, later));
    }

    #[test]
    fn places_of_a_client_are_few_and_given_back() {
        let guessing = Arc::default();
        let take = |last: u16| {
            Place::take(
                &guessing,
                IpAddr::from([0x2001, 0xdb8, 0, 7, last, 0, 0, last]),
            )
        };
        let places: Vec<_> = (0..u16::from(MOST_OF_A_CLIENT)).map(take).collect();
        assert!(places.iter().all(Option::is_some) && take(99).is_none());
        assert!(Place::take(&guessing, IpAddr::from([192, 0, 2, 1])).is_some());
        drop(places);
        assert!(guessing.lock().expect("unpoisoned").is_empty() && take(99).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (passwords, now) = (Passwords::default(), Instant::now());
        for number in 0..2 * MOST_REMEMBERED as u64 {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&number.to_le_bytes());
            passwords.remember(mark, now);
        }
        let count = |passwords: &Passwords| passwords.remembered.lock().expect("unpoisoned").len();
        assert_eq!(count(&passwords), MOST_REMEMBERED);
        passwords.remember([1; 32], now + REMEMBERED_FOR);
        assert_eq!(count(&passwords), 1);
    }
}
