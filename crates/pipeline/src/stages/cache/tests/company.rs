//! Many who ask the same: one request to the origin, whichever threads they are on and whoever leaves.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::*;
use crate::{BodyBroken, Frame, FrameSender, hand_off};

/// An origin whose answers begin and go on when the test says so.
struct Slow {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    asked: AtomicUsize,
    came: Notify,
    /// How many may have been answered by now.
    allowed: watch::Sender<usize>,
    fields: Mutex<Vec<(&'static str, &'static str)>>,
    senders: Mutex<Vec<FrameSender>>,
    length: Option<u64>,
}

impl Origin for Slow {
    async fn respond(&self, _: &mut Exchange, _: Request) -> Result<Response, Refusal> {
        let shared = &self.shared;
        let number = shared.asked.fetch_add(1, SeqCst);
        shared.came.notify_one();
        let mut allowed = shared.allowed.subscribe();
        allowed
            .wait_for(|allowed| *allowed > number)
            .await
            .expect("it is there");
        let fields = shared.fields.lock().expect("no panic").clone();
        let mut response = answer(&fields, number);
        if response.headers().contains_key("x-client-goes") && number == 0 {
            return Err(Refusal::ClientGone);
        }
        if response.headers().contains_key("x-fails") {
            return Err(Refusal::OriginGone);
        }
        let (sender, frames) = hand_off(shared.length);
        *response.body_mut() = Body::Stream(frames);
        shared.senders.lock().expect("no panic").push(sender);
        Ok(response)
    }
}

const KEPT: &[(&str, &str)] = &[("cache-control", "max-age=60")];

fn slow(fields: &[(&'static str, &'static str)], length: Option<u64>) -> Arc<Shared> {
    Arc::new(Shared {
        fields: Mutex::new(fields.to_vec()),
        length,
        ..Shared::default()
    })
}

impl Shared {
    fn send(&self, number: usize, text: &'static str) {
        let mut senders = self.senders.lock().expect("no panic");
        senders[number].send(Frame::Data(Bytes::from_static(text.as_bytes())));
    }

    fn finish(&self, number: usize) {
        self.senders
            .lock()
            .expect("no panic")
            .remove(number)
            .finish();
    }
}

struct Group {
    pipeline: Rc<Pipeline<Slow>>,
    origin: Arc<Shared>,
}

impl Group {
    fn new(origin: &Arc<Shared>, options: CacheOptions) -> Self {
        Self::beside(&standing(), origin, options)
    }

    fn beside(standing: &Arc<Standing>, origin: &Arc<Shared>, options: CacheOptions) -> Self {
        let slow = Slow {
            shared: Arc::clone(origin),
        };
        Self {
            pipeline: Rc::new(pipeline_of(standing, options, slow)),
            origin: Arc::clone(origin),
        }
    }

    /// Asks on a task of its own: the status, and how the body ended.
    fn ask(
        &self,
        path: &'static str,
    ) -> tokio::task::JoinHandle<(u16, Result<String, BodyBroken>)> {
        self.ask_with(path, &[])
    }

    /// The same with these fields.
    fn ask_with(
        &self,
        path: &'static str,
        fields: &'static [(&'static str, &'static str)],
    ) -> tokio::task::JoinHandle<(u16, Result<String, BodyBroken>)> {
        let pipeline = Rc::clone(&self.pipeline);
        tokio::task::spawn_local(async move {
            let peer = Arc::<Peer>::default();
            let request = get(path, fields);
            let answer = pipeline.serve(&peer, request, Instant::now()).await;
            let (parts, body) = answer.response.into_parts();
            (parts.status.as_u16(), read(body).await)
        })
    }

    async fn has_asked(&self, count: usize) {
        while self.origin.asked.load(SeqCst) < count {
            self.origin.came.notified().await;
        }
    }
}

/// Lets all tasks run until each of them waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn locally<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

#[test]
fn a_thousand_misses_are_one_request() {
    locally(async {
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..1_000).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(1);
        settle().await;
        origin.send(0, "whole ");
        settle().await;
        // who comes in the middle reads from the beginning
        let late = group.ask("/");
        settle().await;
        origin.send(0, "answer");
        origin.finish(0);
        for one in all.into_iter().chain([late]) {
            let (status, body) = one.await.expect("no panic");
            assert_eq!((status, body.as_deref()), (200, Ok("whole answer")));
        }
        assert_eq!(origin.asked.load(SeqCst), 1);
        // and from now on it is there
        assert_eq!(
            group.ask("/").await.expect("no panic").1.as_deref(),
            Ok("whole answer")
        );
        assert_eq!(origin.asked.load(SeqCst), 1);
    });
}

#[test]
fn it_is_one_request_on_all_threads() {
    let (standing, origin) = (standing(), slow(KEPT, None));
    origin.allowed.send_replace(1);
    let started = Arc::new(std::sync::Barrier::new(9));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (standing, origin) = (Arc::clone(&standing), Arc::clone(&origin));
            let started = Arc::clone(&started);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .expect("a runtime");
                tokio::task::LocalSet::new().block_on(&runtime, async {
                    let group = Group::beside(&standing, &origin, on());
                    started.wait();
                    let all: Vec<_> = (0..125).map(|_| group.ask("/")).collect();
                    for one in all {
                        let (status, body) = one.await.expect("no panic");
                        assert_eq!((status, body.expect("whole").len()), (200, 60_000));
                    }
                });
            })
        })
        .collect();
    started.wait();
    // pieces come while the threads read
    while origin.senders.lock().expect("no panic").is_empty() {
        std::thread::yield_now();
    }
    for _ in 0..6_000 {
        origin.send(0, "ten bytes.");
        std::thread::yield_now();
    }
    origin.finish(0);
    for thread in threads {
        thread.join().expect("all of it");
    }
    assert_eq!(origin.asked.load(SeqCst), 1);
}

#[test]
fn a_leader_that_leaves_hands_over() {
    locally(async {
        // before the head: another asks
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, on());
        let leader = group.ask("/");
        group.has_asked(1).await;
        let others: Vec<_> = (0..10).map(|_| group.ask("/")).collect();
        settle().await;
        leader.abort();
        settle().await;
        assert_eq!(origin.asked.load(SeqCst), 2);
        origin.allowed.send_replace(2);
        settle().await;
        origin.send(0, "answer");
        // in the middle of the body: the others go on with the same
        let mut others = others.into_iter();
        let first = others.next().expect("ten");
        settle().await;
        first.abort();
        settle().await;
        origin.send(0, ", whole");
        origin.finish(0);
        for one in others {
            assert_eq!(
                one.await.expect("no panic").1.as_deref(),
                Ok("answer, whole")
            );
        }
        assert_eq!(origin.asked.load(SeqCst), 2);
    });
}

#[test]
fn a_body_that_breaks_off_is_broken_for_all_and_not_kept() {
    locally(async {
        let origin = slow(KEPT, Some(100));
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..10).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(1);
        settle().await;
        origin.send(0, "half");
        settle().await;
        let sender = origin.senders.lock().expect("no panic").remove(0);
        sender.break_off(BodyBroken::Gone);
        for one in all {
            assert_eq!(one.await.expect("no panic"), (200, Err(BodyBroken::Gone)));
        }
        let again = group.ask("/");
        group.has_asked(2).await;
        again.abort();
    });
}

#[test]
fn when_all_leave_the_origin_learns_it_and_nothing_is_kept() {
    locally(async {
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..3).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(1);
        settle().await;
        origin.send(0, "half");
        settle().await;
        all.iter().for_each(tokio::task::JoinHandle::abort);
        settle().await;
        {
            let mut senders = origin.senders.lock().expect("no panic");
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(senders[0].poll_abandoned(&mut context).is_ready());
        }
        let again = group.ask("/");
        group.has_asked(2).await;
        again.abort();
    });
}

#[test]
fn answers_that_are_not_kept_hold_nobody_up() {
    locally(async {
        let origin = slow(&[], None);
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..20).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        assert_eq!(origin.asked.load(SeqCst), 1);
        // as soon as the first head shows it, all others ask at once
        origin.allowed.send_replace(1);
        group.has_asked(20).await;
        // and who comes later does not wait for anybody
        let late = group.ask("/");
        group.has_asked(21).await;
        late.abort();
        all.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

#[test]
fn a_failure_is_one_failure() {
    locally(async {
        let origin = slow(&[("x-fails", "1")], None);
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..20).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(1);
        for one in all {
            assert_eq!(one.await.expect("no panic").0, 502);
        }
        assert_eq!(origin.asked.load(SeqCst), 1);
    });
}

#[test]
fn nobody_waits_for_ever() {
    locally(async {
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, on());
        let all: Vec<_> = (0..3).map(|_| group.ask("/")).collect();
        // the first never gets an answer; time passes while all wait
        group.has_asked(3).await;
        all.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

#[test]
fn a_slow_reader_holds_up_no_other() {
    locally(async {
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, on());
        let slow_pipeline = Rc::clone(&group.pipeline);
        let fast = group.ask("/");
        let peer = Arc::<Peer>::default();
        let slow = tokio::task::spawn_local(async move {
            let answer = slow_pipeline
                .serve(&peer, get("/", &[]), Instant::now())
                .await;
            answer.response.into_body()
        });
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(1);
        let unread = slow.await.expect("a body nobody reads");
        for _ in 0..100 {
            origin.send(0, "ten bytes.");
            settle().await;
        }
        origin.finish(0);
        assert_eq!(
            fast.await.expect("no panic").1.map(|body| body.len()),
            Ok(1_000)
        );
        assert_eq!(read(unread).await.map(|body| body.len()), Ok(1_000));
    });
}

#[test]
fn what_grows_too_large_goes_on_for_who_reads_it() {
    locally(async {
        let options = CacheOptions {
            object_limit: mainstay_values::Size::bytes(1_000),
            ..on()
        };
        let origin = slow(KEPT, None);
        let group = Group::new(&origin, options);
        let all: Vec<_> = (0..5).map(|_| group.ask("/")).collect();
        group.has_asked(1).await;
        settle().await;
        origin.allowed.send_replace(2);
        settle().await;
        for _ in 0..1_000 {
            origin.send(0, "ten bytes.");
            settle().await;
        }
        // who comes now asks for themselves, since the first bytes are gone
        let late = group.ask("/");
        group.has_asked(2).await;
        origin.finish(0);
        for one in all {
            assert_eq!(
                one.await.expect("no panic").1.map(|body| body.len()),
                Ok(10_000)
            );
        }
        late.abort();
    });
}

#[test]
fn what_is_changed_while_it_comes_is_not_kept() {
    locally(async {
        let (standing, origin) = (standing(), slow(KEPT, None));
        let group = Group::beside(&standing, &origin, on());
        let first = group.ask("/");
        group.has_asked(1).await;
        origin.allowed.send_replace(9);
        settle().await;
        origin.send(0, "old");
        settle().await;
        let purge = Purge {
            extent: Extent::All,
            mode: PurgeMode::Hard,
        };
        standing.cache().purge(&purge);
        let second = group.ask("/");
        group.has_asked(2).await;
        settle().await;
        origin.send(1, "new");
        origin.finish(1);
        assert_eq!(second.await.expect("no panic").1.as_deref(), Ok("new"));
        origin.finish(0);
        assert_eq!(first.await.expect("no panic").1.as_deref(), Ok("old"));
        assert_eq!(
            group.ask("/").await.expect("no panic").1.as_deref(),
            Ok("new")
        );
    });
}

#[test]
fn what_is_changed_elsewhere_while_it_comes_is_not_kept_either() {
    locally(async {
        let (standing, origin) = (standing(), slow(KEPT, None));
        let group = Group::beside(&standing, &origin, on());
        let first = group.ask("/");
        group.has_asked(1).await;
        origin.allowed.send_replace(9);
        settle().await;
        origin.send(0, "old");
        settle().await;
        standing.cache().forget(&SharedPlace {
            target: "api".to_owned(),
            scheme: "http".to_owned(),
            host: "a.example".to_owned(),
            port: 80,
            path: "/".to_owned(),
        });
        // who asks from now on does not read along
        let second = group.ask("/");
        group.has_asked(2).await;
        settle().await;
        origin.send(1, "new");
        origin.finish(1);
        assert_eq!(second.await.expect("no panic").1.as_deref(), Ok("new"));
        origin.finish(0);
        assert_eq!(first.await.expect("no panic").1.as_deref(), Ok("old"));
        assert_eq!(
            group.ask("/").await.expect("no panic").1.as_deref(),
            Ok("new")
        );
    });
}

/// The next of an encoded body, as it came.
async fn piece(frames: &mut crate::Frames) -> Bytes {
    match frames.frame().await {
        Some(Ok(Frame::Data(piece))) => piece,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_coding_is_made_once_for_all_who_read_along() {
    const PIECES: [&str; 3] = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];
    for (coding, length) in [
        ("gzip", None),
        ("br", None),
        ("zstd", None),
        ("gzip", Some(35)),
    ] {
        locally(async {
            let fields: &[_] = &[KEPT[0], ("content-type", "text/plain")];
            let origin = slow(fields, length.map(|length| length + 1_000));
            let group = Group::new(&origin, on());
            let mut all: Vec<_> = (0..100)
                .map(|_| {
                    let pipeline = Rc::clone(&group.pipeline);
                    tokio::task::spawn_local(async move {
                        let request = get("/", &[("accept-encoding", coding)]);
                        let peer = Arc::<Peer>::default();
                        let answer = pipeline.serve(&peer, request, Instant::now()).await;
                        let encoding = answer.response.headers().get("content-encoding").cloned();
                        (encoding, answer.response.into_body())
                    })
                })
                .collect();
            group.has_asked(1).await;
            settle().await;
            origin.allowed.send_replace(1);
            // the first one is alone with its encoder, and perhaps waits for the whole
            let _first = all.remove(0);
            let mut bodies = Vec::new();
            for one in all {
                let (encoding, body) = one.await.expect("no panic");
                assert_eq!(encoding.expect("encoded"), coding);
                let Body::Stream(frames) = body else {
                    panic!("it comes in pieces");
                };
                bodies.push(frames);
            }
            let mut came = Vec::new();
            for text in PIECES {
                origin.send(0, text);
                let mut pieces = Vec::new();
                for body in &mut bodies {
                    pieces.push(piece(body).await);
                }
                // it is one piece of memory, of which all are given the same
                assert!(pieces.iter().all(|one| one.as_ptr() == pieces[0].as_ptr()));
                came.extend_from_slice(&pieces[0]);
                // and nothing of it is held back while the origin pauses
                assert!(decoded(coding, &came).ends_with(text), "{coding}");
            }
            let rest = "x".repeat(1_000);
            origin.send(0, Box::leak(rest.into_boxed_str()));
            origin.finish(0);
            for mut body in bodies.drain(..) {
                let mut own = came.clone();
                while let Some(frame) = body.frame().await {
                    let Frame::Data(piece) = frame.expect("whole") else {
                        panic!("no trailers were sent");
                    };
                    own.extend_from_slice(&piece);
                }
                assert_eq!(decoded(coding, &own).len(), 35 + 1_000, "{coding}");
            }
            assert_eq!(origin.asked.load(SeqCst), 1);
        });
    }
}

/// As far as it came.
fn decoded(coding: &str, bytes: &[u8]) -> String {
    use std::io::Read as _;
    let mut reader: Box<dyn std::io::Read> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4_096)),
        _ => Box::new(zstd::stream::read::Decoder::new(bytes).expect("a decoder")),
    };
    let mut out = Vec::new();
    let mut piece = [0; 4_096];
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        out.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(out).expect("text")
}

#[test]
fn what_is_one_clients_own_fault_is_not_told_to_those_who_wait() {
    locally(async {
        let origin = slow(&[KEPT[0], ("x-client-goes", "1")], None);
        let group = Group::new(&origin, on());
        let first = group.ask("/");
        group.has_asked(1).await;
        let others: Vec<_> = (0..3).map(|_| group.ask("/")).collect();
        settle().await;
        origin.allowed.send_replace(9);
        assert_eq!(
            first.await.expect("no panic").0,
            Refusal::ClientGone.status()
        );
        // one of them has it fetched for all
        group.has_asked(2).await;
        settle().await;
        origin.send(0, "whole");
        origin.finish(0);
        for one in others {
            let (status, body) = one.await.expect("no panic");
            assert_eq!((status, body.as_deref()), (200, Ok("whole")));
        }
        assert_eq!(origin.asked.load(SeqCst), 2);
    });
}

#[test]
fn who_waits_for_an_answer_that_turns_out_to_be_for_others_is_not_given_it() {
    locally(async {
        const GERMAN: &[(&str, &str)] = &[("accept-language", "de")];
        const FRENCH: &[(&str, &str)] = &[("accept-language", "fr")];
        let origin = slow(&[KEPT[0], ("vary", "accept-language")], None);
        let group = Group::new(&origin, on());
        // nobody knows yet that there is more than one
        let first = group.ask_with("/", GERMAN);
        group.has_asked(1).await;
        let (like, other) = (group.ask_with("/", GERMAN), group.ask_with("/", FRENCH));
        settle().await;
        assert_eq!(origin.asked.load(SeqCst), 1);
        origin.allowed.send_replace(9);
        group.has_asked(2).await;
        settle().await;
        origin.send(0, "deutsch");
        origin.send(1, "fran\u{e7}ais");
        origin.finish(1);
        origin.finish(0);
        for (one, text) in [
            (first, "deutsch"),
            (like, "deutsch"),
            (other, "fran\u{e7}ais"),
        ] {
            assert_eq!(one.await.expect("no panic").1.as_deref(), Ok(text));
        }
        assert_eq!(origin.asked.load(SeqCst), 2);
    });
}
