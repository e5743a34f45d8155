//! Workers that are not Node: `PORT` and `LISTEN_FDS`.

use mainstay_supervisor::events::{Cause, Endpoint, Note};
use mainstay_supervisor::{AppOptions, Event, StartError};

use crate::scene::{Scene, app, get, workers};

const BY_PORT: &str = "
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'python')
    def log_message(self, *words): pass
http.server.HTTPServer(('127.0.0.1', int(os.environ.get('APP_PORT') or os.environ['PORT'])), Answer).serve_forever()
";

const BY_SOCKET: &str = "
import os, socket
assert os.environ['LISTEN_PID'] == str(os.getpid()) and os.environ['LISTEN_FDS'] == '1'
server = socket.socket(fileno=3)
while True:
    connection, _ = server.accept()
    if connection.recv(4096):
        connection.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nsocket')
    connection.close()
";

#[tokio::test]
async fn a_port_worker_gets_a_port_of_its_own() {
    let mut play = Scene::new()
        .file("a.py", BY_PORT)
        .env("PORT", "8000")
        .start(workers(2, "python3 a.py"));
    let (first, second) = (play.ready().await, play.ready().await);
    assert_ne!(first.endpoint, second.endpoint);
    for ready in [first, second] {
        assert!(
            matches!(ready.endpoint, Some(Endpoint::Tcp(address)) if address.ip().is_loopback())
        );
        assert!(get(ready.endpoint.as_ref()).await.ends_with("python"));
    }
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn a_listening_socket_is_inherited_and_watched() {
    let options = AppOptions {
        listen_fds: true,
        ..app("python3 a.py")
    };
    let mut play = Scene::new().file("a.py", BY_SOCKET).start(options);
    let ready = play.ready().await;
    let Some(Endpoint::Unix(path)) = &ready.endpoint else {
        panic!("{ready:?}")
    };
    assert!(get(ready.endpoint.as_ref()).await.ends_with("socket"));
    play.supervisor.kill_all().await;
    assert!(std::os::unix::net::UnixStream::connect(path).is_err());
}

#[tokio::test]
async fn one_worker_may_keep_a_port_of_its_own_choice() {
    let port = mainstay_testkit::free_port();
    let mut play = Scene::new()
        .file("a.py", BY_PORT)
        .env("APP_PORT", &port.to_string())
        .run("python3 a.py");
    assert_eq!(play.note().await, Note::OwnPort { port });
    assert!(
        get(play.ready().await.endpoint.as_ref())
            .await
            .ends_with("python")
    );
    play.supervisor.kill_all().await;
}

#[tokio::test]
async fn several_workers_may_not() {
    let port = mainstay_testkit::free_port();
    let mut play = Scene::new()
        .file("a.py", BY_PORT)
        .env("APP_PORT", &port.to_string())
        .start(workers(2, "python3 a.py"));
    let elsewhere = play
        .expect("failure", |event| match event {
            Event::Failed(failure) => match &failure.cause {
                Cause::Elsewhere(ports) => Some((ports.clone(), failure.cause.to_string())),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(elsewhere.0, [port]);
    assert!(elsewhere.1.contains("let it read PORT"));
    play.supervisor.kill_all().await;

    let options = AppOptions {
        port: Some(port),
        ..workers(2, "python3 a.py")
    };
    let refused = Scene::new().file("a.py", BY_PORT).try_start(options);
    assert!(matches!(
        refused.err(),
        Some(StartError::PortForMany { .. })
    ));
}

#[tokio::test]
async fn a_taken_port_and_a_missing_program_are_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = AppOptions {
        port: Some(listener.local_addr().unwrap().port()),
        ..app("python3 a.py")
    };
    let mut play = Scene::new().file("a.py", BY_PORT).start(options);
    let cause = play.failed().await.cause.to_string();
    assert!(cause.contains("is taken by process"), "{cause}");
    play.supervisor.kill_all().await;

    let mut play = Scene::new().run("no-such-program --now");
    let cause = play.failed().await.cause.to_string();
    assert!(
        cause.contains("`no-such-program`: there is no such program"),
        "{cause}"
    );
    play.supervisor.kill_all().await;
}
