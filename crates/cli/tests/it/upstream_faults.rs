//! Upstreams that answer badly, late, half or not at all.

use mainstay_testkit::{Mainstay, Origin, Running};

fn behind(origin: &Origin) -> Running {
    Mainstay::in_front_of(&origin.address()).start()
}

#[test]
fn nonsense_is_a_502_that_tells_nothing() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Nul: \0\r\n\r\n",
    ] {
        let origin = Origin::answers(nonsense).then_closes().start();
        let mainstay = behind(&origin);
        let response = mainstay
            .get_with("/", [("Accept", "application/json")])
            .expect(502);
        response
            .body_contains("\"status\":502")
            .body_contains("request_id")
            .body_lacks("127.0.0.1")
            .body_lacks("SSH");
    }
}

#[test]
fn a_storm_of_interim_answers_is_a_502() {
    let origin = Origin::answers("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000))
        .then_closes()
        .start();
    let mainstay = behind(&origin);
    let mut wire = mainstay.connect();
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    let everything = String::from_utf8_lossy(&wire.read_to_end()).into_owned();
    assert!(everything.contains("HTTP/1.1 502"), "{everything:.400}");
}

#[test]
fn an_endless_head_is_a_502() {
    let origin = Origin::answers(format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}",
        "x".repeat(4 * 1024 * 1024)
    ))
    .start();
    behind(&origin).get("/").expect(502);
}

#[test]
fn a_body_that_breaks_off_stays_visibly_broken() {
    for half in [
        "Content-Length: 9\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let origin = Origin::answers(format!("HTTP/1.1 200 OK\r\n{half}"))
            .then_closes()
            .start();
        let response = behind(&origin).get("/").expect_broken();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text(), "half");
    }
}

#[test]
fn nobody_there_is_a_502() {
    let gone = { Origin::says("hello").start().address() };
    Mainstay::in_front_of(&gone).start().get("/").expect(502);
}

#[test]
fn a_get_is_sent_again_when_the_connection_was_just_closing() {
    let origin = Origin::closes()
        .then_answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .start();
    behind(&origin).get("/").expect(200).body_is("ok");
    assert_eq!(origin.received().len(), 2);
}

#[test]
fn a_post_that_may_have_been_done_is_not_sent_again() {
    let origin = Origin::closes()
        .then_answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .start();
    behind(&origin).post("/", [], "pay").expect(502);
    assert_eq!(origin.received().len(), 1);
}

#[test]
fn an_early_refusal_reaches_the_client() {
    let origin = Origin::answers("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        .then_closes()
        .early()
        .start();
    let mainstay = behind(&origin);
    let body = vec![b'x'; 300_000];
    mainstay.post("/", [], &body).expect(413).body_is("no");
}

#[test]
fn upstream_connections_are_kept() {
    let origin = Origin::says("hello").start();
    let mainstay = Mainstay::in_front_of(&origin.address())
        .config("[listen]\nthreads = 1\n")
        .start();
    let mut wire = mainstay.connect();
    for _ in 0..10 {
        wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .response()
            .expect(200)
            .body_is("hello");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_spoils_its_connection() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let origin = Origin::answers(format!("{answer}{smuggled}"))
        .then_answers(answer)
        .start();
    let mainstay = Mainstay::in_front_of(&origin.address())
        .config("[listen]\nthreads = 1\n")
        .start();
    for _ in 0..2 {
        mainstay.get("/").expect(200).body_is("ok");
    }
    assert_eq!(origin.connections(), 2);
}
