//! The cache beside a model: an origin numbers every answer, and random clients, changes, purges, evictions, failures and restarts meet
//! two machines that share a store which comes and goes. Whatever is answered must be one that may be: of that URL, for that client, and
//! no older than its terms allow.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::Method;

use super::*;
use crate::{BodyBroken, Frame, hand_off};

/// Steps of all runs, in the short form and in the long one.
const STEPS: [u64; 2] = [100_000, 1_000_000];
/// Runs among which they are divided: each begins with nothing.
const RUNS: u64 = 20;
const PATHS: u64 = 12;
const LIFETIME: u64 = 5;
const STALE: u64 = 7;

/// A small generator whose seed is printed: what went wrong can be done again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// What the origin has answered.
struct Made {
    path: String,
    /// Whose it is; none: anybody's.
    user: Option<String>,
    language: String,
    at: u64,
    /// What the resource was changed how often before.
    changes: u64,
}

/// All that is true.
#[derive(Default)]
struct Truth {
    now: u64,
    made: Vec<Made>,
    changes: HashMap<String, u64>,
    is_failing: bool,
    breaks_off: bool,
}

/// A store in memory that may be away.
#[derive(Debug, Default)]
struct Store {
    held: Mutex<Held>,
    memories: Mutex<Vec<Arc<CacheMemory>>>,
}

#[derive(Debug, Default)]
struct Held {
    is_away: bool,
    now: u64,
    token: u64,
    entries: HashMap<(SharedName, Option<SharedName>), (u64, u64, Bytes)>,
    rights: HashMap<(SharedName, Option<SharedName>), u64>,
    changed: HashMap<SharedName, u64>,
    purges: Vec<(u64, Purge)>,
    unsaid: Vec<SharedPlace>,
    unsaid_purges: Vec<Purge>,
}

impl Store {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be said is said, and what is said is heard: by some machines now, by the others when they ask.
    fn come_back(&self) {
        let mut held = self.held();
        held.is_away = false;
        for place in std::mem::take(&mut held.unsaid) {
            held.change(&place);
            self.tell(&place);
        }
        for purge in std::mem::take(&mut held.unsaid_purges) {
            held.purge(purge);
        }
    }

    /// Somebody writes what stands under one name under another: mostly another answer of the same resource.
    fn mix_up(&self, chance: &mut Chance) {
        let mut held = self.held();
        let mut names: Vec<_> = held.entries.keys().copied().collect();
        names.sort_unstable();
        if names.len() < 2 {
            return;
        }
        let at = chance.below(names.len() as u64 - 1) as usize;
        // each with its time and its token
        let [one, other] = [at, at + 1].map(|at| held.entries.remove(&names[at]));
        for (at, entry) in [(at, other), (at + 1, one)] {
            held.entries.extend(entry.map(|entry| (names[at], entry)));
        }
    }

    /// All machines hear of a change.
    fn tell(&self, place: &SharedPlace) {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        for memory in memories.iter() {
            memory.forget(place);
        }
    }

    fn catch_up(&self, memory: &CacheMemory) {
        let known = memory.purges_known();
        let missed: Vec<_> = {
            let held = self.held();
            let missed = held.purges.iter().rev();
            missed
                .take_while(|(number, _)| *number > known)
                .cloned()
                .collect()
        };
        for (number, purge) in missed.into_iter().rev() {
            memory.purge_by_number(number, &purge);
        }
    }
}

impl Held {
    fn next_token(&mut self) -> u64 {
        self.token += 1;
        self.token
    }

    fn change(&mut self, place: &SharedPlace) {
        let token = self.next_token();
        self.changed.insert(place.name(), token);
        self.entries.remove(&(place.name(), None));
    }

    fn purge(&mut self, purge: Purge) {
        let number = self.next_token();
        self.purges.push((number, purge));
    }
}

/// One machine's way to it.
#[derive(Debug)]
struct Way {
    store: Arc<Store>,
    memory: Arc<CacheMemory>,
}

impl SharedAnswers for Way {
    fn claim(&self, claim: Claim) -> Later<Claimed> {
        let is_away = {
            let held = self.store.held();
            held.is_away || !held.unsaid.is_empty() || !held.unsaid_purges.is_empty()
        };
        if is_away {
            return Box::pin(async { Claimed::Away });
        }
        self.store.catch_up(&self.memory);
        let mut held = self.store.held();
        let key = (claim.resource, claim.answer);
        let changed = held.changed.get(&claim.resource).copied().unwrap_or(0);
        if let Some((token, at, bytes)) = held.entries.get(&key)
            && *token > changed
            && Some(*token) != claim.known
        {
            let found = Shared {
                token: *token,
                age: Duration::from_secs(held.now.saturating_sub(*at)),
                bytes: bytes.clone(),
            };
            return Box::pin(async { Claimed::Found(found) });
        }
        if held.rights.contains_key(&key) {
            return Box::pin(async { Claimed::Taken });
        }
        let token = held.next_token();
        held.rights.insert(key, token);
        let purges = held.purges.last().map_or(0, |(number, _)| *number);
        Box::pin(async move { Claimed::Ours(Right { token, purges }) })
    }

    fn keep(&self, resource: SharedName, answer: Option<SharedName>, right: Right, puts: Vec<Put>) {
        let mut held = self.store.held();
        if held.is_away {
            held.rights.clear();
            return;
        }
        let changed = held.changed.get(&resource).copied().unwrap_or(0);
        for put in puts {
            let key = (resource, put.answer);
            let present = held.entries.get(&key).map_or(0, |(token, ..)| *token);
            if changed < right.token && present <= right.token {
                let now = held.now;
                held.entries.insert(key, (right.token, now, put.bytes));
            }
        }
        held.rights.remove(&(resource, answer));
    }

    fn release(&self, resource: SharedName, answer: Option<SharedName>, _: Right, _: Option<Put>) {
        self.store.held().rights.remove(&(resource, answer));
    }

    fn forget(&self, place: SharedPlace) {
        let mut held = self.store.held();
        if held.is_away {
            held.unsaid.push(place);
            return;
        }
        held.change(&place);
        drop(held);
        self.store.tell(&place);
    }

    fn purge(&self, purge: Purge) -> Later<bool> {
        let mut held = self.store.held();
        if held.is_away {
            held.unsaid_purges.push(purge);
            return Box::pin(async { false });
        }
        held.purge(purge);
        Box::pin(async { true })
    }
}

struct Machine {
    pipeline: Pipeline<Scripted>,
    memory: Arc<CacheMemory>,
    way: Arc<Way>,
}

fn machine(store: &Arc<Store>, truth: &Rc<RefCell<Truth>>) -> Machine {
    // so small that answers go for others all the time
    let memory = Arc::new(CacheMemory::new(mainstay_values::Size::bytes(16 * 1024)));
    let way = Arc::new(Way {
        store: Arc::clone(store),
        memory: Arc::clone(&memory),
    });
    store
        .memories
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Arc::clone(&memory));
    let standing = Standing::new(
        vec![Target::new("api", TargetKind::App, 1)],
        WaitOptions::default(),
    );
    standing.set_ready(0, 1);
    let standing = Arc::new(
        standing
            .with_answers(Some(Arc::clone(&way) as Arc<dyn SharedAnswers>))
            .with_cache(Arc::clone(&memory)),
    );
    let truth = Rc::clone(truth);
    let origin = Scripted(Box::new(move |request| answered(&truth, request)));
    let options = CacheOptions {
        credentials: Credentials::Share,
        ..on()
    };
    Machine {
        pipeline: pipeline_of(&standing, options, origin),
        memory,
        way,
    }
}

fn text<'a>(request: &'a Request, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

/// The origin: paths say what kind of answer they have.
fn answered(truth: &Rc<RefCell<Truth>>, request: &Request) -> Result<Response, Refusal> {
    let mut truth = truth.borrow_mut();
    if truth.is_failing {
        return Err(Refusal::OriginGone);
    }
    let path = request.uri().path().to_owned();
    if *request.method() == Method::POST {
        *truth.changes.entry(path).or_default() += 1;
        return Ok(Response::new(Body::Empty));
    }
    let kind: u64 = path[1..].parse().expect("a number");
    let changes = truth.changes.get(&path).copied().unwrap_or(0);
    let tag = format!("\"{changes}-{}\"", truth.now / 20);
    if kind % 4 == 2 && text(request, "if-none-match") == tag {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        let value = HeaderValue::from_str(&tag).expect("a value");
        response.headers_mut().insert("etag", value);
        // what it confirms is as good as made now
        let now = truth.now;
        let last = truth.made.iter_mut().filter(|made| made.path == path);
        for made in last.filter(|made| made.changes == changes && made.at / 20 == now / 20) {
            made.at = now;
        }
        return Ok(response);
    }
    let user = text(request, "cookie").to_owned();
    let (now, number) = (truth.now, truth.made.len());
    let is_own = kind % 4 == 1 && !user.is_empty();
    truth.made.push(Made {
        path,
        user: is_own.then_some(user),
        language: text(request, "accept-language").to_owned(),
        at: now,
        changes,
    });
    let body = Bytes::from(format!("{number:<200}"));
    let mut response = Response::new(Body::Empty);
    *response.body_mut() = if kind.is_multiple_of(3) {
        let (mut sender, frames) = hand_off(None);
        sender.send(Frame::Data(body.slice(..100)));
        if truth.breaks_off {
            sender.break_off(BodyBroken::Gone);
        } else {
            sender.send(Frame::Data(body.slice(100..)));
            sender.finish();
        }
        Body::Stream(frames)
    } else {
        Body::Full(body)
    };
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("a value");
        response.headers_mut().insert(name, value);
    };
    match kind % 4 {
        // for who asks with a cookie it is that person's
        1 if is_own => set("cache-control", "private, max-age=5"),
        2 => {
            set(
                "cache-control",
                "public, max-age=5, stale-while-revalidate=7, stale-if-error=7",
            );
            set("etag", &tag);
        }
        3 => {
            set("cache-control", "public, max-age=5");
            set("vary", "accept-language");
        }
        _ => set("cache-control", "public, max-age=5"),
    }
    set("cache-tag", &format!("kind-{}", kind % 4));
    Ok(response)
}

#[test]
fn whatever_is_answered_may_be() {
    let is_long = option_env!("MAINSTAY_TEST_FORM") == Some("long");
    let steps = STEPS[usize::from(is_long)];
    let counts: Vec<_> = std::thread::scope(|scope| {
        let begin = |half: u64| scope.spawn(move || some_runs(half, steps / RUNS));
        let halves: Vec<_> = (0..2).map(begin).collect();
        let halves = halves.into_iter();
        halves
            .map(|half| half.join().expect("no run fails"))
            .collect()
    });
    // whatever can happen did, and often
    for word in [
        "hit",
        "store",
        "stale",
        "miss",
        "expired",
        "origin_failed",
        "revalidated",
    ] {
        let all = counts
            .iter()
            .filter_map(|counts: &BTreeMap<_, u64>| counts.get(word));
        let count: u64 = all.sum();
        assert!(count > steps / 10_000, "{word}: {counts:?}");
    }
}

/// Every second run; each begins with nothing, and says its seed when it fails.
fn some_runs(half: u64, steps: u64) -> BTreeMap<&'static str, u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let mut counts = BTreeMap::new();
    for run in 0..RUNS / 2 {
        let one = one_run(0x5eed + 2 * run + half, steps, &mut counts);
        tokio::task::LocalSet::new().block_on(&runtime, one);
    }
    counts
}

async fn one_run(seed: u64, steps: u64, counts: &mut BTreeMap<&'static str, u64>) {
    let mut chance = Chance(seed);
    let truth = Rc::<RefCell<Truth>>::default();
    let store = Arc::<Store>::default();
    let mut machines = [machine(&store, &truth), machine(&store, &truth)];
    let began = Instant::now() + Duration::from_secs(1_000);
    let mut now = 0;
    // a purge on one machine holds there from then on; on the other from its next question
    let mut purged = [[0_usize; 4]; 2];
    for step in 0..steps {
        if chance.one_in(4) {
            now += chance.below(4);
            truth.borrow_mut().now = now;
            store.held().now = now;
        }
        let which = chance.below(2) as usize;
        match chance.below(400) {
            0 => {
                machines[which] = machine(&store, &truth);
                purged[which] = [0; 4];
            }
            1 => store.held().is_away = true,
            2..6 => store.come_back(),
            6..16 => {
                let kind = chance.below(4) as usize;
                let purge = Purge {
                    extent: Extent::Tag(format!("kind-{kind}")),
                    mode: PurgeMode::Hard,
                };
                machines[which].memory.purge(&purge);
                let _ = machines[which].way.purge(purge).await;
                purged[which][kind] = truth.borrow().made.len();
            }
            16..24 => store.mix_up(&mut chance),
            _ => {}
        }
        {
            let mut truth = truth.borrow_mut();
            truth.is_failing = chance.one_in(20);
            truth.breaks_off = chance.one_in(20);
        }
        let number = chance.below(PATHS);
        let path = format!("/{number}");
        let mut fields = Vec::new();
        let user = ["", "user=ann", "user=bob"][chance.below(3) as usize];
        if !user.is_empty() {
            fields.push(("cookie", user));
        }
        let language = ["de", "fr"][chance.below(2) as usize];
        fields.push(("accept-language", language));
        let mut request = get(&path, &fields);
        let is_change = chance.one_in(30);
        if is_change {
            *request.method_mut() = Method::POST;
        }
        let peer = Arc::<Peer>::default();
        let at = began + Duration::from_secs(now);
        let mut answer = machines[which].pipeline.serve(&peer, request, at).await;
        let refresh = answer.refresh.take();
        if let Some((outcome, detail)) = answer.ending.exchange().cache() {
            *counts.entry(outcome.word()).or_default() += 1;
            *counts.entry(detail.unwrap_or("none")).or_default() += 1;
        }
        let status = answer.response.status().as_u16();
        let body = answer.response.into_body();
        if chance.one_in(25) {
            // the client goes away
            drop(body);
        } else if let Ok(text) = read(body).await
            && status == 200
            && !is_change
        {
            let truth = truth.borrow();
            let made: usize = text.trim().parse().expect("a whole answer");
            let made_now = &truth.made[made];
            let what = format!("seed {seed:#x}, step {step}: answer {made} to {path} for {user:?}");
            assert_eq!(made_now.path, path, "another URL's, {what}");
            if let Some(owner) = &made_now.user {
                assert_eq!(owner, user, "another person's, {what}");
            }
            if number % 4 == 3 {
                assert_eq!(made_now.language, language, "another language's, {what}");
            }
            let longer = if number % 4 == 2 { STALE } else { 0 };
            let age = now - made_now.at;
            assert!(age < LIFETIME + longer || age == 0, "{age} s old, {what}");
            let changes = truth.changes.get(&path).copied().unwrap_or(0);
            let is_whole = !store.held().is_away && store.held().unsaid.is_empty();
            let is_outdated = is_whole && made_now.changes < changes;
            assert!(!is_outdated, "from before a change, {what}");
            let kind = (number % 4) as usize;
            assert!(made >= purged[which][kind], "from before a purge, {what}");
        }
        if let Some(refresh) = refresh {
            machines[which].pipeline.refresh(refresh).await;
        }
    }
}
