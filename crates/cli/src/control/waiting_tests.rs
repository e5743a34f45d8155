//! What apps wait for, with addresses of this machine and time that is told.

use mainstay_config::Preset;
use mainstay_supervisor::launch::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn app(name: &str, patience: Duration) -> AppSettings {
    let target = Target::Path(".".into());
    let mut app = AppSettings::new(name.to_owned(), target, "/srv".into(), Preset::Safe);
    app.order.timeout = patience;
    app
}

fn named(names: &[&str]) -> BTreeSet<Awaited> {
    let names = names.iter().map(|name| Awaited::App((*name).to_owned()));
    names.collect()
}

#[tokio::test]
async fn an_app_has_its_turn_when_the_last_of_those_it_waits_for_came() {
    let mut waiting = Waiting::default();
    let minute = Duration::from_mins(1);
    waiting.add(&app("web", minute), named(&["api", "db"]), Then::Begin);
    waiting.add(&app("api", minute), named(&["db"]), Then::Begin);
    assert_eq!(waiting.of("web"), ["api", "db"]);
    waiting.came(&Awaited::App("db".to_owned()));
    let turn = waiting.turn().await;
    assert_eq!((turn.app.as_str(), turn.outcome), ("api", Ok(())));
    waiting.came(&Awaited::App("api".to_owned()));
    assert_eq!(waiting.turn().await.app, "web");
    assert!(waiting.is_empty());
}

#[tokio::test]
async fn who_is_missing_is_said_when_the_time_is_over() {
    let mut waiting = Waiting::default();
    let short = Duration::from_millis(20);
    waiting.add(&app("web", short * 50), named(&["api"]), Then::Begin);
    waiting.add(&app("api", short), named(&["db", "mail"]), Then::Begin);
    let turn = waiting.turn().await;
    let why = turn.outcome.expect_err("too late");
    assert!(
        turn.app == "api"
            && why.contains(
                "after 20ms it still waits for `db` (not ready) and for `mail` (not ready)"
            ),
        "{why}"
    );
    assert_eq!(waiting.of("api"), ["db", "mail"], "it waits on");
    let turn = waiting.turn().await;
    assert!(
        turn.app == "web" && turn.outcome.is_err(),
        "each is told once"
    );
    waiting.came(&Awaited::App("db".to_owned()));
    waiting.came(&Awaited::App("mail".to_owned()));
    let turn = waiting.turn().await;
    assert_eq!((turn.app.as_str(), turn.outcome), ("api", Ok(())));
}

#[tokio::test]
async fn an_address_is_asked_until_it_answers_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let at: Address = listener
        .local_addr()
        .expect("an address")
        .to_string()
        .parse()
        .expect("read");
    let server = tokio::spawn(async move {
        for status in ["503 No", "304 Not Modified"] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 13];
            stream.read_exact(&mut request).await.expect("a request");
            assert_eq!(&request, b"GET /ready?a ");
            let answer = format!("HTTP/1.1 {status}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("written");
        }
    });
    let answers = Awaited::Answers {
        at,
        target: "/ready?a".to_owned(),
    };
    let mut waiting = Waiting::default();
    let minute = Duration::from_mins(1);
    waiting.add(&app("web", minute), BTreeSet::from([answers]), Then::Begin);
    let turn = tokio::time::timeout(minute, waiting.turn());
    let turn = turn.await.expect("in time");
    assert_eq!((turn.app.as_str(), turn.outcome), ("web", Ok(())));
    assert!(waiting.asking.is_empty(), "nobody asks any more");
    server.await.expect("served");
}
