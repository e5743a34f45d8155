//! A gate in paused time, and under real threads.

use super::*;
use crate::TargetKind;

fn options(queue: u32) -> OverloadOptions {
    OverloadOptions {
        queue,
        ..OverloadOptions::default()
    }
}

fn gate(bound: u32) -> Arc<Gate> {
    let gate = Arc::new(Gate::new(None));
    gate.set(Some(bound), Adaptation::Off);
    gate
}

type Asked = tokio::task::JoinHandle<Option<Permit>>;

/// Somebody who waits by now.
async fn asks(gate: &Arc<Gate>, priority: Priority, queue: u32) -> Asked {
    let gate = Arc::clone(gate);
    let asked = tokio::spawn(async move { gate.enter(priority, &options(queue)).await });
    tokio::task::yield_now().await;
    asked
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_under_way_and_the_next_gets_the_place_that_is_given_back() {
    let gate = gate(2);
    let first = gate.enter(Priority::Normal, &options(5)).await;
    let _second = gate.enter(Priority::Normal, &options(5)).await;
    let waits = asks(&gate, Priority::Normal, 5).await;
    assert!(first.is_some() && !waits.is_finished());
    drop(first);
    assert!(waits.await.expect("no panic").is_some());
    assert_eq!(gate.waiting.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_its_time_and_too_many_do_not_wait_at_all() {
    let gate = gate(1);
    let held = gate.enter(Priority::Normal, &options(1)).await;
    let before = tokio::time::Instant::now();
    let waits = asks(&gate, Priority::Normal, 1).await;
    let refused = gate.enter(Priority::Normal, &options(1)).await;
    assert!(refused.is_none());
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(waits.await.expect("no panic").is_none());
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    drop(held);
    assert_eq!((gate.in_flight(), gate.waiting.load(SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_low_gives_way_to_the_high() {
    let gate = gate(1);
    let held = gate.enter(Priority::Normal, &options(1)).await;
    let low = asks(&gate, Priority::Low, 1).await;
    let high = asks(&gate, Priority::High, 1).await;
    assert!(low.await.expect("no panic").is_none());
    drop(held);
    assert!(high.await.expect("no panic").is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_while_it_waits_leaves_nothing_behind() {
    let gate = gate(1);
    let held = gate.enter(Priority::Normal, &options(5)).await;
    let gone = asks(&gate, Priority::Normal, 5).await;
    gone.abort();
    assert!(gone.await.is_err());
    let waits = asks(&gate, Priority::Normal, 5).await;
    drop(held);
    drop(waits.await);
    assert_eq!((gate.in_flight(), gate.waiting.load(SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bound_for_each_worker_follows_how_many_are_ready() {
    let target = Arc::new(Target::new("api", TargetKind::App, 2));
    target.set_ready(2);
    let gate = Arc::new(Gate::new(Some(Arc::clone(&target))));
    gate.set(Some(3), Adaptation::Off);
    let mut held: Vec<_> = std::iter::from_fn(|| gate.try_enter()).collect();
    assert_eq!(held.len(), 6);
    target.set_ready(1);
    let waits = asks(&gate, Priority::Normal, 5).await;
    held.truncate(3);
    tokio::task::yield_now().await;
    assert!(!waits.is_finished(), "three are still under way");
    held.pop();
    assert!(waits.await.expect("no panic").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bound_that_grows_lets_in_who_waits() {
    let gate = gate(1);
    let _held = gate.enter(Priority::Normal, &options(5)).await;
    let waits = asks(&gate, Priority::Normal, 5).await;
    gate.set(Some(2), Adaptation::Off);
    assert!(waits.await.expect("no panic").is_some());
}

#[test]
fn threads_together_never_exceed_it_and_nobody_is_forgotten() {
    let gate = gate(3);
    let most = Arc::new(AtomicUsize::new(0));
    let threads = (0..4).map(|_| {
        let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let patient = OverloadOptions {
                wait: Duration::from_mins(1),
                queue: 1_000,
                ..OverloadOptions::default()
            };
            runtime.block_on(async {
                let local = tokio::task::LocalSet::new();
                let work = (0..8).map(|_| {
                    let (gate, most, patient) =
                        (Arc::clone(&gate), Arc::clone(&most), patient.clone());
                    local.spawn_local(async move {
                        for _ in 0..200 {
                            let permit = gate.enter(Priority::Normal, &patient).await;
                            most.fetch_max(gate.in_flight(), SeqCst);
                            tokio::task::yield_now().await;
                            assert!(permit.is_some(), "somebody was forgotten");
                        }
                    })
                });
                let work: Vec<_> = work.collect();
                local.await;
                for task in work {
                    task.await.expect("no panic");
                }
            });
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(most.load(SeqCst), 3);
    assert_eq!((gate.in_flight(), gate.waiting.load(SeqCst)), (0, 0));
}
