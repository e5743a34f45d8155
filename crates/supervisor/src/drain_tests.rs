use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use tokio::time::timeout;

use super::*;
use crate::output::LineEnd;

#[test]
fn a_text_is_found_anywhere_in_a_line() {
    let cases = [
        ("ready", true),
        ("", true),
        ("is r", true),
        ("Ready", false),
        ("too long to be in there", false),
    ];
    for (text, expected) in cases {
        assert_eq!(
            contains(b"it is ready\n", text.as_bytes()),
            expected,
            "{text}"
        );
    }
}

const LINES: usize = 1_000;

fn worker() -> WorkerId {
    WorkerId {
        app: "app".into(),
        release: 1,
        incarnation: 0,
        index: 0,
    }
}

/// A drain whose worker writes `LINES` lines of 10,000 bytes from a thread.
fn flood() -> (
    Arc<Output>,
    UnboundedReceiver<Event>,
    tokio::task::JoinHandle<io::Result<Option<Left>>>,
) {
    let (sender, receiver) = unbounded_channel();
    let output = Arc::new(Output::default());
    let drain = Drain::new(worker(), Stream::Stdout, Arc::clone(&output), sender);
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    std::thread::spawn(move || {
        let line = [vec![b'y'; 9_999], vec![b'\n']].concat();
        let mut file = std::fs::File::from(write);
        for _ in 0..LINES {
            io::Write::write_all(&mut file, &line).unwrap();
        }
    });
    (
        output,
        receiver,
        tokio::spawn(drain.run(Left::unread(read))),
    )
}

/// All that has come: lines, and lines that were dropped.
fn count(receiver: &mut UnboundedReceiver<Event>) -> (usize, u64) {
    let (mut kept, mut dropped) = (0, 0);
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::Output(line) => kept += usize::from(line.end == LineEnd::Newline),
            Event::Note {
                note: Note::DroppedOutput { lines },
                ..
            } => dropped += lines,
            other => panic!("{other:?}"),
        }
    }
    (kept, dropped)
}

#[tokio::test]
async fn a_reader_that_is_slow_makes_the_worker_wait_and_loses_nothing() {
    let (output, mut receiver, drain) = flood();
    let (mut kept, mut dropped) = (0, 0);
    while !drain.is_finished() {
        tokio::task::yield_now().await;
        let (lines, lost) = count(&mut receiver);
        (kept, dropped) = (kept + lines, dropped + lost);
    }
    let (lines, lost) = count(&mut receiver);
    assert_eq!((kept + lines, dropped + lost), (LINES, 0));
    assert!(output.room.is_empty(), "taken lines free their room");
}

/// The clock is the runtime's, which goes on by itself when nobody has anything to do but wait.
#[tokio::test(start_paused = true)]
async fn a_reader_that_is_away_costs_lines_not_memory_and_waits_are_bounded() {
    let (output, mut receiver, drain) = flood();
    drain.await.unwrap().unwrap();
    assert_eq!(output.last_lines().len(), LAST_LINES);
    let (kept, dropped) = count(&mut receiver);
    assert!(dropped > 0);
    assert_eq!(kept as u64 + dropped, LINES as u64);
    assert!(output.room.is_empty());
    assert!(
        output.room.take(10).await,
        "a reader that is back is believed"
    );
}

#[tokio::test]
async fn an_end_waits_for_no_reader() {
    let (output, mut receiver, drain) = flood();
    while !drain.is_finished() {
        output.room.hurry();
        tokio::task::yield_now().await;
    }
    let (kept, dropped) = count(&mut receiver);
    assert_eq!(kept as u64 + dropped, LINES as u64);
}

#[tokio::test]
async fn the_awaited_text_is_told_once() {
    let output = Output::new(Arc::default(), Some("listening on".to_owned()));
    for (bytes, is_continued) in [
        (&b"starting\n"[..], false),
        (b"now listen", false),
        (b"ing on 3000\n", true),
        (b"listening on again\n", false),
    ] {
        output.look_at(&Piece {
            bytes,
            is_continued,
            end: LineEnd::Newline,
        });
    }
    let last = ["starting", "now listening on 3000", "listening on again"];
    assert_eq!(output.last_lines(), last);
    output.awaited_came().await;
    let again = timeout(Duration::from_millis(1), output.awaited_came());
    assert!(again.await.is_err());
}

/// The clock is the runtime's, which goes on by itself when nobody has anything to do but wait.
#[tokio::test(start_paused = true)]
async fn what_has_no_end_yet_is_shown_after_a_while() {
    let (sender, mut receiver) = unbounded_channel();
    let drain = Drain::new(
        worker(),
        Stream::Stdout,
        Arc::new(Output::default()),
        sender,
    );
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut file = std::fs::File::from(write);
    io::Write::write_all(&mut file, b"whole\nName: ").unwrap();
    let drain = tokio::spawn(drain.run(Left::unread(read)));
    let mut next = async || match receiver.recv().await {
        Some(Event::Output(line)) => (line.bytes.clone(), line.is_continued, line.end),
        other => panic!("{other:?}"),
    };
    assert_eq!(next().await, (b"whole\n".to_vec(), false, LineEnd::Newline));
    assert_eq!(next().await, (b"Name: ".to_vec(), false, LineEnd::Pause));
    io::Write::write_all(&mut file, b"Ada").unwrap();
    drop(file);
    assert_eq!(next().await, (b"Ada".to_vec(), true, LineEnd::Closed));
    drain.await.unwrap().unwrap();
}
