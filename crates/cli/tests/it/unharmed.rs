//! Apps that nobody wrote for us, started as their users start them, with no setting: what they answer is what they
//! answer alone, byte for byte, but for headers that are added.

use std::collections::BTreeSet;

use mainstay_testkit::{Bare, Mainstay, Response, Running, Wire, eventually};

use crate::support::json;

/// Fields that belong to a connection, to a moment, or to the framing of a body.
const OWN: [&str; 7] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-powered-by",
];

/// What preset `safe` adds.
const ADDED: [&str; 8] = [
    "origin-agent-cluster",
    "referrer-policy",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-permitted-cross-domain-policies",
    "x-request-id",
    "x-xss-protection",
];

/// An app behind the program, and the same one alone.
struct Both {
    behind: Running,
    alone: Bare,
}

impl Both {
    fn node(app: &str, alone: &str) -> Self {
        Self {
            behind: Mainstay::run("").app(app).start(),
            alone: Mainstay::run("").app(app).bare(alone),
        }
    }

    fn python(app: &str, behind: [&str; 3], alone: &str) -> Self {
        Self {
            behind: Mainstay::run_command(behind).app(app).python().start(),
            alone: Mainstay::run("").app(app).python().bare(alone),
        }
    }

    /// Both answers to the same bytes.
    #[track_caller]
    fn ask(&self, request: &str) -> (Response, Response) {
        let ask = |mut wire: Wire| wire.send(request).response();
        (ask(self.behind.connect()), ask(self.alone.connect()))
    }

    /// Expects both answers to the request to be the same, and returns the one from behind.
    #[track_caller]
    fn same(&self, request: &str) -> Response {
        let (behind, alone) = self.ask(request);
        let line = request.lines().next().unwrap_or_default();
        assert_eq!(behind.status(), alone.status(), "{line}\n{}", behind.head);
        assert_eq!(fields(&behind, &ADDED), fields(&alone, &ADDED), "{line}");
        let grown: BTreeSet<String> = fields(&behind, &[])
            .difference(&fields(&alone, &[]))
            .cloned()
            .collect();
        let strange = grown
            .iter()
            .find(|field| !ADDED.iter().any(|name| field.starts_with(name)));
        assert_eq!(strange, None, "{line}");
        assert!(
            behind.body == alone.body,
            "{line}: the bodies differ\n-- behind\n{}\n-- alone\n{}",
            behind.text(),
            alone.text()
        );
        behind
    }

    #[track_caller]
    fn same_page(&self, path: &str) -> Response {
        self.same(&get(path)).expect(200)
    }

    /// A page, and everything of this host that it loads; returns how many that were.
    #[track_caller]
    fn same_page_with_all_it_loads(&self, path: &str) -> usize {
        let page = self.same_page(path).text();
        let loaded = loaded_by(&page, path);
        for each in &loaded {
            self.same_page(each);
        }
        loaded.len()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html,*/*;q=0.8\r\n\r\n")
}

fn send(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\
         X-Requested-With: TiddlyWiki\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Names and values, without those of the connection and without `but`.
fn fields(response: &Response, but: &[&str]) -> BTreeSet<String> {
    let named = response
        .headers()
        .map(|(name, value)| (name.to_ascii_lowercase(), value));
    let kept =
        named.filter(|(name, _)| !OWN.contains(&name.as_str()) && !but.contains(&name.as_str()));
    kept.filter_map(|(name, value)| {
        // an answer that could have been encoded says so, and only adds to what it varies by
        let value = match name.as_str() {
            "vary" => value
                .trim_end_matches("Accept-Encoding")
                .trim_end_matches(", "),
            _ => value,
        };
        (!value.is_empty()).then(|| format!("{name}: {value}"))
    })
    .collect()
}

/// Scripts, styles and pictures of the same host.
fn loaded_by(page: &str, path: &str) -> BTreeSet<String> {
    let base = &path[..=path.rfind('/').unwrap_or(0)];
    let tags = page.split('<').filter(|tag| {
        ["script", "link", "img"]
            .iter()
            .any(|name| tag.starts_with(name))
            && !tag.contains("canonical")
    });
    let address = |tag: &str| {
        let (_, value) = tag
            .split_once("src=\"")
            .or_else(|| tag.split_once("href=\""))?;
        let address = value.split('"').next()?;
        if address.is_empty() || address.contains("//") || address.starts_with("data:") {
            return None;
        }
        Some(if address.starts_with('/') {
            address.to_owned()
        } else {
            format!("{base}{address}")
        })
    };
    tags.filter_map(address).collect()
}

/// Opens a WebSocket.
#[track_caller]
fn web_socket(mut wire: Wire, path: &str) -> Wire {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: shop.example\r\nOrigin: http://shop.example\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let answer = wire.send(&request).response().expect(101);
    answer.header_is("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    wire
}

/// A text frame of a client, masked with zeros.
fn say(wire: &mut Wire, text: &str) {
    let length = u8::try_from(text.len())
        .ok()
        .filter(|length| *length < 126)
        .expect("a short text");
    wire.send([&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat());
}

/// The next short text frame of the server.
#[track_caller]
fn hear(wire: &mut Wire) -> String {
    let head = wire.read_exactly(2);
    assert_eq!(head[0], 0x81, "a whole text");
    let length = match head[1] {
        126 => u16::from_be_bytes(wire.read_exactly(2).try_into().expect("two bytes")).into(),
        short => usize::from(short),
    };
    String::from_utf8(wire.read_exactly(length)).expect("text is UTF-8")
}

#[test]
fn json_server_is_unharmed() {
    let both = Both::node("json-server", "exec json-server --port $PORT db.json");
    for path in [
        "/posts",
        "/posts/1",
        "/posts?author=ada&_sort=id&_page=1&_limit=1",
        "/db",
        "/profile",
    ] {
        both.same_page(path);
    }
    let loaded = both.same_page_with_all_it_loads("/");
    assert!(
        loaded >= 2,
        "its page has a script and a style, not {loaded}"
    );
    both.same(&get("/absent")).expect(404);
    both.same(&send("POST", "/posts", r#"{"title":"third"}"#))
        .expect(201)
        .header_is("Location", "http://shop.example/posts/3");
    both.same(&send("PUT", "/posts/3", r#"{"title":"3."}"#))
        .expect(200);
    both.same(&send("PATCH", "/posts/3", r#"{"author":"ada"}"#))
        .expect(200);
    both.same(&send("DELETE", "/posts/3", "")).expect(200);
    both.same("OPTIONS /posts HTTP/1.1\r\nHost: shop.example\r\nOrigin: http://other.example\r\nAccess-Control-Request-Method: POST\r\n\r\n").expect(204);
}

#[test]
fn node_red_is_unharmed_with_its_editor_and_its_web_socket() {
    let both = Both::node(
        "node-red",
        "exec node-red --userDir data --port $PORT flows.json",
    );
    eventually("its flows on both sides", || {
        let (behind, alone) = both.ask(&get("/hello"));
        (behind.status() == 200 && alone.status() == 200).then_some(())
    });
    let (behind, alone) = both.ask(&get("/"));
    // every process has a number of its own, by which browsers know an old file
    let unnumbered = |page: Response| {
        let page = page.expect(200).text();
        let parts = page
            .split("?v=")
            .enumerate()
            .map(|(part, text)| match part {
                0 => text,
                _ => text.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()),
            });
        parts.collect::<String>()
    };
    let page = unnumbered(behind);
    assert_eq!(page, unnumbered(alone));
    let loaded = loaded_by(&page, "/");
    assert!(loaded.len() > 5, "the editor loads more than {loaded:?}");
    for each in &loaded {
        both.same_page(each);
    }
    for path in ["/hello", "/flows", "/settings", "/locales/editor", "/theme"] {
        both.same_page(path);
    }
    both.same(&get("/red")).expect(301);
    let nodes = both
        .same("GET /nodes HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\n\r\n")
        .expect(200);
    assert!(
        json(&nodes)
            .as_array()
            .is_some_and(|nodes| nodes.len() > 30),
        "its nodes are there"
    );
    let mut comms = web_socket(both.behind.connect(), "/comms");
    say(&mut comms, r#"{"subscribe":"notification/#"}"#);
    assert!(hear(&mut comms).contains("topic"));
}

#[test]
fn tiddlywiki_is_unharmed_and_keeps_what_browsers_write() {
    let both = Both::node("tiddlywiki", "exec tiddlywiki wiki --listen port=$PORT");
    for path in ["/status", "/recipes/default/tiddlers.json", "/favicon.ico"] {
        both.same(&get(path));
    }
    let page = both.same_page("/").text();
    assert!(
        page.len() > 1_000_000,
        "the whole wiki, not {} bytes",
        page.len()
    );
    let tiddler = r#"{"title":"New","text":"from a browser","type":"text/vnd.tiddlywiki"}"#;
    both.same(&send("PUT", "/recipes/default/tiddlers/New", tiddler))
        .expect(204);
    both.same_page("/recipes/default/tiddlers/New")
        .body_contains("from a browser");
    both.same(&send("DELETE", "/bags/default/tiddlers/New", ""))
        .expect(204);
    both.same(&get("/recipes/default/tiddlers/New")).expect(404);
}

#[test]
fn peerjs_is_unharmed_and_brings_peers_together() {
    let both = Both::node("peerjs", "exec peerjs --port $PORT --path /chat");
    both.same_page("/chat");
    both.same(&get("/chat/peerjs/peers")).expect(401);
    let open = |id: &str| {
        let path = format!("/chat/peerjs?key=peerjs&id={id}&token=t{id}&version=1.5.4");
        let mut peer = web_socket(both.behind.connect(), &path);
        assert_eq!(hear(&mut peer), r#"{"type":"OPEN"}"#);
        peer
    };
    let (mut ada, mut grace) = (open("ada"), open("grace"));
    say(
        &mut ada,
        r#"{"type":"OFFER","dst":"grace","payload":{"sdp":"v=0"}}"#,
    );
    let heard = hear(&mut grace);
    assert!(
        heard.contains("OFFER") && heard.contains("ada") && heard.contains("v=0"),
        "{heard}"
    );
}

#[test]
fn httpbin_under_gunicorn_is_unharmed() {
    let both = Both::python(
        "httpbin",
        ["gunicorn", "--log-level=warning", "httpbin:app"],
        "exec gunicorn --log-level=warning -b 127.0.0.1:$PORT httpbin:app",
    );
    for path in [
        "/",
        "/html",
        "/json",
        "/xml",
        "/robots.txt",
        "/encoding/utf8",
        "/image/png",
        "/bytes/5000?seed=7",
        "/stream-bytes/70000?seed=7&chunk_size=1000",
        "/range/2048?chunk_size=100",
        "/drip?numbytes=5&duration=0.1&delay=0",
        "/base64/R3LDvMOfZQ==",
        "/response-headers?x-a=1&x-a=2&server=mine",
        "/cookies/set?a=1",
        "/forms/post",
    ] {
        both.same(&get(path));
    }
    for status in ["200", "204", "304", "401", "404", "418", "500", "503"] {
        both.same(&get(&format!("/status/{status}")));
    }
    both.same("GET /etag/abc HTTP/1.1\r\nHost: shop.example\r\nIf-None-Match: \"abc\"\r\n\r\n")
        .expect(304);
    both.same("GET /range/100 HTTP/1.1\r\nHost: shop.example\r\nRange: bytes=10-19\r\n\r\n")
        .expect(206);
    both.same(
        "GET /basic-auth/a/b HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Basic YTpi\r\n\r\n",
    )
    .expect(200);
    both.same(&get("/absolute-redirect/1"))
        .expect(302)
        .header_is("Location", "http://shop.example/get");
    both.same(&get("/redirect/2")).expect(302);
    let echoed = json(
        &both
            .behind
            .connect()
            .send(send("POST", "/anything?q=%20x", r#"{"a":[1]}"#))
            .response()
            .expect(200),
    );
    assert_eq!(echoed["url"], "http://shop.example/anything?q=%20x");
    assert_eq!(echoed["json"]["a"][0], 1);
    assert_eq!(echoed["origin"], "127.0.0.1");
}

#[test]
fn datasette_is_unharmed() {
    let serve = "python3 make.py && exec datasette shop.db --port $PORT";
    let both = Both::python("datasette", ["sh", "-c", serve], serve);
    let loaded = both.same_page_with_all_it_loads("/");
    assert!(loaded > 0, "its page has a style");
    for path in [
        "/shop/products.json?_shape=array&_size=100",
        "/shop/products.csv?_stream=on",
        "/shop/products/7.json?_shape=array",
        "/shop.json?sql=select+count(*)+from+orders&_shape=array",
        "/-/versions.json",
        "/-/databases.json",
    ] {
        both.same_page(path);
    }
    both.same(&get("/shop.db")).expect(403);
    both.same(&get("/shop/absent")).expect(404);
    both.same(&get("/shop/")).expect(302);
    let (behind, alone) = both.ask(&get("/shop/products"));
    // its pages tell how long the queries took
    let untimed = |page: Response| {
        let page = page.expect(200).text();
        let lines = page.lines().filter(|line| !line.contains("took "));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(untimed(behind), untimed(alone));
}
