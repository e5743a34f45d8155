//! Tags that are made here, for answers that came without one.

use bytes::Bytes;

use super::*;
use crate::{BodyBroken, Frame, hand_off};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const MODIFIED: (&str, &str) = ("last-modified", "Thu, 01 Jan 2004 00:00:00 GMT");

fn weak() -> CacheOptions {
    CacheOptions {
        validators: Validators::Weak,
        ..on()
    }
}

/// Answers all the same.
fn world(options: CacheOptions, fields: &'static [(&'static str, &'static str)]) -> World {
    World::new(options, move |_, _| Ok(answer(fields, 0)))
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_without_a_tag_gets_a_weak_one() {
    let made = {
        let came = world(weak(), &[FRESH]).get(0, &[]).await;
        came.field("etag").to_owned()
    };
    assert!(
        made.starts_with("W/\"") && made.len() == 36,
        "{made} is a weak tag of 128 bits"
    );
    for (name, options, fields, tag) in [
        ("the same on every machine", weak(), &[FRESH][..], &*made),
        ("by option only", on(), &[FRESH], ""),
        (
            "the app's own stays",
            weak(),
            &[FRESH, ("etag", "\"a\"")],
            "\"a\"",
        ),
        ("beside a date", weak(), &[FRESH, MODIFIED], &made),
        (
            "the content is not transformed",
            weak(),
            &[("cache-control", "max-age=60, no-transform")],
            &made,
        ),
        (
            "no conditions of a 404",
            weak(),
            &[FRESH, (":status", "404")],
            "",
        ),
        ("not kept: no time", weak(), &[], ""),
        (
            "not kept: private",
            weak(),
            &[("cache-control", "private, max-age=60")],
            "",
        ),
        (
            "not kept: a cookie",
            weak(),
            &[FRESH, ("set-cookie", "a=b")],
            "",
        ),
        ("not kept: broken", weak(), &[FRESH, (":status", "500")], ""),
    ] {
        let world = world(options, fields);
        for at in 0..2 {
            let came = world.get(at, &[]).await;
            assert_eq!(came.field("etag"), tag, "{name}, at {at}");
            let modified = fields.iter().find(|(name, _)| *name == "last-modified");
            let modified = modified.map_or("", |(_, value)| value);
            assert_eq!(came.field("last-modified"), modified, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_it_is_told_so() {
    let world = world(weak(), &[FRESH, ("content-type", "text/plain")]);
    let tag = world.get(0, &[]).await.field("etag").to_owned();
    for (fields, status) in [
        (&[("if-none-match", &*tag)][..], 304),
        (&[("if-none-match", &format!("\"other\", {tag}"))], 304),
        (&[("if-none-match", "W/\"other\"")], 200),
        // a part is only sent by a strong tag
        (&[("range", "bytes=0-1"), ("if-range", &tag)], 200),
        (&[("range", "bytes=0-1")], 206),
        (&[("range", "bytes=0-1"), ("if-none-match", &*tag)], 304),
    ] {
        let came = world.get(1, fields).await;
        assert_eq!((came.status, came.word), (status, "hit"), "{fields:?}");
        assert_eq!(came.field("etag"), tag, "{fields:?}");
        assert_eq!(came.body.is_empty(), status == 304, "{fields:?}");
        let has_type = came.headers.contains_key("content-type");
        assert_eq!(has_type, status != 304, "{fields:?}");
    }
    let mut head = get("/", &[("if-none-match", &tag)]);
    *head.method_mut() = http::Method::HEAD;
    assert_eq!(world.ask(1, head).await.status, 304);
    assert_eq!(world.count(), 1);
    // who comes back after its time has it still, if the app makes the same again
    let came = world.get(61, &[("if-none-match", &tag)]).await;
    assert_eq!((came.status, came.word), (304, "expired"));
    assert_eq!(world.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_codings_have_the_same() {
    let page = "the same words again and again. ".repeat(100);
    let world = World::new(weak(), move |_, _| {
        let mut made = answer(&[FRESH, ("content-type", "text/plain")], 0);
        *made.body_mut() = Body::from(page.clone());
        Ok(made)
    });
    let tag = world.get(0, &[]).await.field("etag").to_owned();
    for coding in ["gzip", "br", "zstd"] {
        let accepts = ("accept-encoding", coding);
        let came = world.get(1, &[accepts]).await;
        assert_eq!(
            (came.field("content-encoding"), came.field("etag")),
            (coding, &*tag)
        );
        let came = world.get(1, &[accepts, ("if-none-match", &tag)]).await;
        assert_eq!((came.status, came.word), (304, "hit"), "{coding}");
    }
    assert_eq!(world.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_app_is_never_asked_by_a_tag_that_it_did_not_make() {
    // without a date there is nothing to ask by
    let plain = world(weak(), &[FRESH]);
    plain.get(0, &[]).await;
    assert_eq!(plain.get(61, &[]).await.word, "expired");
    assert!(
        !plain.asked.borrow()[1]
            .headers()
            .contains_key("if-none-match")
    );
    // by a date it is asked, and what it confirms has the tag still
    let world = World::new(weak(), |request, number| {
        let is_known = request.headers().contains_key("if-modified-since");
        let status = if is_known { "304" } else { "200" };
        let mut made = answer(&[FRESH, MODIFIED, (":status", status)], number);
        if is_known {
            *made.body_mut() = Body::Empty;
        }
        Ok(made)
    });
    let tag = world.get(0, &[]).await.field("etag").to_owned();
    let came = world.get(61, &[]).await;
    assert_eq!(
        (came.word, &*came.body, came.field("etag")),
        ("revalidated", "answer 0", &*tag)
    );
    let came = world.get(62, &[("if-none-match", &tag)]).await;
    assert_eq!((came.word, came.status), ("hit", 304));
    let came = world.get(200, &[("if-none-match", &tag)]).await;
    assert_eq!((came.word, came.status), ("revalidated", 304));
    let asked = world.asked.borrow();
    for request in &asked[1..] {
        assert!(!request.headers().contains_key("if-none-match"));
        assert_eq!(request.headers()["if-modified-since"], MODIFIED.1);
    }
}

/// An origin whose bodies come in two pieces, and perhaps break off after the first.
fn in_pieces(options: CacheOptions, end: Result<(), BodyBroken>) -> World {
    World::new(options, move |_, _| {
        let (mut sender, frames) = hand_off(None);
        sender.send(Frame::Data(Bytes::from_static(b"answer ")));
        match end {
            Ok(()) => {
                sender.send(Frame::Data(Bytes::from_static(b"0")));
                sender.finish();
            }
            Err(broken) => sender.break_off(broken),
        }
        let mut made = answer(&[FRESH], 0);
        *made.body_mut() = Body::Stream(frames);
        Ok(made)
    })
}

#[tokio::test(start_paused = true)]
async fn what_came_in_pieces_has_one_when_it_is_whole() {
    let whole = world(weak(), &[FRESH]).get(0, &[]).await;
    let world = in_pieces(weak(), Ok(()));
    // its head was sent before anybody could know
    assert_eq!(world.get(0, &[]).await.field("etag"), "");
    let came = world.get(1, &[]).await;
    assert_eq!(
        (came.word, came.field("etag")),
        ("hit", whole.field("etag"))
    );
    let tag = came.field("etag").to_owned();
    assert_eq!(world.get(1, &[("if-none-match", &tag)]).await.status, 304);
    // never past the bound, nor of half an answer
    let narrow = CacheOptions {
        object_limit: mainstay_values::Size::bytes(10),
        ..weak()
    };
    for world in [
        in_pieces(narrow, Ok(())),
        in_pieces(weak(), Err(BodyBroken::Gone)),
    ] {
        for at in 0..3 {
            let came = world.get(at, &[]).await;
            assert_eq!((came.field("etag"), came.word), ("", "miss"));
        }
    }
}
