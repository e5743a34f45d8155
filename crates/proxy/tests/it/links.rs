//! Links that are slow, cut everything into single bytes, or lead to nobody who says a word.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use mainstay_testkit::eventually;
use socket2::{Domain, Socket, Type};

use crate::harness::{End, Gateway, OK, Origin, Wire, endpoint, get, head_for_chunks};

/// Sends so that every byte arrives on its own.
fn one_by_one(wire: &mut Wire, bytes: &str) {
    for byte in bytes.as_bytes() {
        wire.send([*byte]);
    }
}

#[test]
fn messages_that_come_byte_by_byte_are_the_same_messages() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
                  HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nok\r\n3;a=b\r\nay!\r\n0\r\nx-sum: 5\r\n\r\n";
    let origin = Origin::new(move |mut visit| {
        while visit.request().is_some() {
            one_by_one(&mut visit, answer);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut client = gateway.connect();
    for _ in 0..3 {
        one_by_one(&mut client, &head_for_chunks("POST"));
        one_by_one(
            &mut client,
            "5\r\nhello\r\n6;x\r\n world\r\n0\r\nx-sum: 11\r\n\r\n",
        );
        assert_eq!(client.response_head().status(), 103);
        let response = client.response().expect(200);
        assert_eq!(response.text(), "okay!");
        assert_eq!(response.trailers, [("x-sum".to_owned(), "5".to_owned())]);
    }
    for request in origin.requests() {
        assert_eq!(request.text(), "hello world");
        assert_eq!(request.trailers, [("x-sum".to_owned(), "11".to_owned())]);
    }
    assert_eq!(
        origin.connections(),
        1,
        "both messages ended where they ended"
    );
}

/// A server that accepts nothing and whose queue is full: the kernel drops what knocks.
struct Deaf {
    address: SocketAddr,
    _socket: Socket,
    _queued: Vec<TcpStream>,
}

impl Deaf {
    fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        socket.bind(&any.into()).expect("a free port");
        socket.listen(0).expect("a listener");
        let address = socket.local_addr().expect("it is bound");
        let address = address.as_socket().expect("an address of TCP");
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let queued = std::iter::repeat_with(knock)
            .map_while(Result::ok)
            .take(16)
            .collect();
        Self {
            address,
            _socket: socket,
            _queued: queued,
        }
    }
}

#[test]
fn a_connection_that_never_stands_is_504() {
    let deaf = Deaf::start();
    let gateway =
        Gateway::with(|options| options.upstream.connect_timeout = Duration::from_millis(300))
            .before(&[endpoint(0, deaf.address)]);
    gateway.ask(get("/")).expect(504);
}

#[test]
fn whoever_cannot_be_reached_costs_a_moment_and_another_is_asked() {
    let (deaf, origin) = (Deaf::start(), Origin::answering(OK));
    let members = [endpoint(0, deaf.address), endpoint(1, origin.address)];
    for _ in 0..6 {
        let gateway =
            Gateway::with(|options| options.upstream.connect_timeout = Duration::from_millis(200))
                .before(&members);
        gateway
            .ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
            .expect(200);
    }
}

/// A half-closed client may wait for its answer; one that breaks off afterwards does not, and nobody reads from
/// it any more who would notice.
#[test]
fn a_client_that_half_closed_and_then_reset_has_its_request_cancelled() {
    for begins in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\na",
    ] {
        let (told, ended) = mpsc::channel();
        let origin = Origin::new(move |mut visit| {
            visit.head();
            visit.send(begins);
            let _ = told.send(End::Open);
            let _ = told.send(visit.read_to_end().1);
        });
        let gateway = Gateway::before(&[&origin]);
        let mut client = gateway.connect();
        client.send(get("/")).half_close();
        ended.recv().expect("the origin was asked");
        if !begins.is_empty() {
            client.response_head();
        }
        client.reset();
        let end = ended.recv_timeout(Duration::from_secs(10));
        assert!(
            end.is_ok_and(|end| end != End::Open),
            "{begins:?}: the origin still works for nobody"
        );
        eventually("the connection's end", || {
            (gateway.open_connections() == 0).then_some(())
        });
    }
}

/// Node closes an idle connection after its own time, whatever is on its way to it at that moment.
#[test]
fn an_origin_that_closes_idle_connections_at_any_moment_costs_no_get() {
    let origin = Origin::new(|mut visit| {
        // after one to seven answers, in the very moment in which the client has the last of them
        for _ in 0..=visit.number % 7 {
            if visit.request().is_none() {
                return;
            }
            visit.send(OK);
        }
    });
    let gateway = Gateway::before(&[&origin]);
    let mut clients: Vec<Wire> = (0..4).map(|_| gateway.connect()).collect();
    for _ in 0..200 {
        for client in &mut clients {
            client.send(get("/"));
        }
        for client in &mut clients {
            client.response().expect(200);
        }
    }
}

#[test]
fn a_get_whose_worker_resets_is_asked_of_another() {
    let bad = Origin::new(|mut visit| {
        visit.request();
        visit.reset();
    });
    let good = Origin::answering(OK);
    let gateway = Gateway::before(&[&bad, &good]);
    for _ in 0..20 {
        gateway.ask(get("/")).expect(200);
    }
    assert!(!bad.requests().is_empty(), "nobody asked the bad one");
}
