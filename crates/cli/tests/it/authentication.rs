//! Who may come, through the whole program: passwords, keys, floods of guesses, and what nobody is shown.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_testkit::{Load, Mainstay, Origin, Running};

/// What `mainstay hash` says, the password piped in.
fn hash(words: &[&str], input: &str) -> (bool, String) {
    let program = Mainstay::say([]).program().to_owned();
    let mut child = Command::new(program)
        .arg("hash")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // one that refuses may end before it has read all
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.success(), text.trim().to_owned())
}

fn password_hash() -> String {
    let (is_made, hash) = hash(&[], "geheim\n");
    assert!(is_made && hash.starts_with("$argon2id$"), "{hash}");
    hash
}

/// `anna` everywhere but on `/open`.
fn guarded(origin: &Origin, hash: &str) -> Running {
    let config = format!(
        "name = \"shop\"\n[auth]\nrealm = \"staging\"\nuser_header = \"x-user\"\nusers_file = \"htpasswd\"\n\
         [upstream.shop]\nserver = \"{}\"\n\
         [route.open]\npath = \"/open\"\nto = \"shop\"\nauth = {{ enabled = false }}\n\
         [route.all]\nto = \"shop\"\n",
        origin.address()
    );
    Mainstay::run("")
        .file("htpasswd", &format!("# staging\nanna:{hash}\n"))
        .config(&config)
        .start()
}

/// What curl shows of the answer's head.
fn curl(running: &Running, words: &[&str], path: &str) -> String {
    let output = Command::new("curl")
        .args(["-s", "-D", "-", "-o", "/dev/null"])
        .args(words)
        .arg(format!("http://{}{path}", running.address()))
        .output()
        .expect("curl is there");
    String::from_utf8(output.stdout)
        .expect("text")
        .to_lowercase()
}

#[test]
fn curl_gets_in_with_the_right_password_and_with_no_other() {
    let origin = Origin::says("shop").start();
    let hash = password_hash();
    let mainstay = guarded(&origin, &hash);
    let refused = curl(&mainstay, &[], "/");
    assert!(refused.starts_with("http/1.1 401 "), "{refused}");
    assert!(
        refused.contains("www-authenticate: basic realm=\"staging\", charset=\"utf-8\""),
        "{refused}"
    );
    for (words, path, status) in [
        (&["-u", "anna:geheim"][..], "/", "200"),
        (&["-u", "anna:geheim"], "/%2e%2e/", "200"),
        (&["-u", "anna:Geheim"], "/", "401"),
        (&["-u", "otto:geheim"], "/", "401"),
        (&[], "/open", "200"),
        (&["--path-as-is"], "/open/../shop", "401"),
        (&["--path-as-is"], "/open/%2e%2e/shop", "401"),
        (&["--path-as-is"], "//open/..//shop", "401"),
    ] {
        let head = curl(&mainstay, words, path);
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{words:?} {path}: {head}"
        );
    }
    let received = origin.received();
    let told: Vec<&str> = received
        .iter()
        .filter_map(|request| {
            request
                .head
                .lines()
                .find(|line| line.starts_with("x-user: "))
        })
        .collect();
    assert_eq!(told, ["x-user: anna", "x-user: anna"]);
    mainstay
        .output_contains_eventually("\"user\":\"anna\"")
        .output_contains_eventually("\"reason\":\"wrong_password\"")
        .output_lacks("geheim")
        .output_lacks("$argon2id");
}

#[test]
fn nobody_is_shown_a_hash() {
    let origin = Origin::says("shop").start();
    let hash = password_hash();
    let mainstay = guarded(&origin, &hash);
    let digits = hash.rsplit('$').next().expect("a hash").to_owned();
    let settings = mainstay.folder().join("mainstay.toml");
    let settings = settings.to_str().expect("text");
    for (words, flags) in [
        (["check", "--explain"], ["-c", settings]),
        (["check", "--json"], ["-c", settings]),
        (["explain", "/"], ["-c", settings]),
        (["status", "--json"], ["--name", "shop"]),
        (["diff", "--json"], ["--name", "shop"]),
    ] {
        let ended = Mainstay::say(words).flags(flags).beside(&mainstay).finish();
        assert!(
            !ended.output.contains(&digits),
            "{words:?}: {}",
            ended.output
        );
        if words[0] == "explain" {
            let _ = ended.says(["refused: no_credentials", "status 401"]);
        } else {
            let _ = ended.expect_code(0);
        }
    }
    for pid in mainstay.descendants() {
        let words = mainstay.words_of(pid).join(" ");
        assert!(!words.contains(&digits), "{words}");
    }
}

/// bcrypt at cost 8 for `geheim`: some ten milliseconds each, so that a thousand do not take minutes here.
const BCRYPT: &str = "$2b$08$E68csMvu7ja1qqLqBuhjkuPMBODcljBjwkU3D0ryaFM.eouWy5i6O";

#[test]
fn a_thousand_guesses_stall_nobody_else() {
    let origin = Origin::says("shop").start();
    let mainstay = guarded(&origin, BCRYPT);
    let right = ("Authorization", "Basic YW5uYTpnZWhlaW0=");
    mainstay.get_with("/", [right]).expect(200);
    let others = Load::new().gets(2).thinking(Duration::from_millis(5));
    let others = others.path("/open").on(mainstay.address());
    let mut statuses = Vec::new();
    for round in 0..10 {
        let guess = |number: usize| {
            let text = base64(&format!("anna:{round}-{number}"));
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {text}\r\n\r\n");
            let mut wire = mainstay.connect();
            wire.send(head);
            wire
        };
        let guesses: Vec<_> = (0..100).map(guess).collect();
        // who was right before is known, whoever guesses meanwhile
        mainstay.get_with("/", [right]).expect(200);
        statuses.extend(guesses.into_iter().map(|mut wire| wire.response().status()));
    }
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    // verified; too many at once; too many wrong ones
    let (verified, busy, limited) = (count(401), count(503), count(429));
    assert_eq!(verified + busy + limited, 1_000, "{statuses:?}");
    assert!((10..=20).contains(&verified), "{verified}");
    assert!(limited >= 500, "{limited}");
    let outcome = others.stop();
    outcome.expect_no_failure();
    assert!(outcome.answers() >= 100, "{}", outcome.answers());
}

/// RFC 4648, 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

/// A key that `mainstay hash --key` made, and what settings know it by.
pub(crate) fn made_key() -> (String, String) {
    let (is_made, text) = hash(&["--key"], "");
    assert!(is_made, "{text}");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a line of its own").to_owned()
    };
    (value("key = "), value("hash = "))
}

#[test]
fn a_key_that_was_made_opens_and_the_app_knows_its_name() {
    let (key, hash) = made_key();
    let origin = Origin::says("shop").start();
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n[auth]\nkey_query = \"api_key\"\nhide_credentials = true\nuser_header = \"x-client\"\n\
         [auth.key.billing]\nhash = \"{hash}\"\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    mainstay
        .get("/")
        .expect(401)
        .header_is("www-authenticate", "Bearer realm=\"restricted\"");
    mainstay.get_with("/", [("X-Api-Key", &key)]).expect(200);
    mainstay
        .get_with("/", [("Authorization", &format!("Bearer {key}"))])
        .expect(200);
    mainstay.get(&format!("/?a=1&api_key={key}")).expect(200);
    mainstay
        .get_with("/", [("X-Api-Key", "mk_other")])
        .expect(401);
    let received = origin.received();
    assert_eq!(received.len(), 3);
    for request in received {
        assert!(!request.head.contains(&key), "{}", request.head);
        assert!(
            request.head.contains("x-client: billing"),
            "{}",
            request.head
        );
    }
    mainstay
        .output_contains_eventually("\"path\":\"/?a=1&api_key=***\"")
        .output_lacks(&key);
}

#[test]
fn passwords_that_nobody_could_type_are_refused() {
    for input in ["", "\n", "a\tb\n", &"x".repeat(2_000)] {
        assert!(!hash(&[], input).0, "{input:?}");
    }
    let (_, one) = hash(&[], "geheim");
    let (_, other) = hash(&[], "geheim\r\n");
    assert_ne!(one, other, "each has its own salt");
}

#[test]
fn another_server_is_asked_who_comes() {
    let shop = Origin::says("shop").start();
    let yes = "HTTP/1.1 204 No Content\r\nRemote-User: anna\r\nX-Other: no\r\n\r\n";
    let away = "HTTP/1.1 302 Found\r\nLocation: https://login.example/?to=/a\r\nSet-Cookie: a=b\r\nContent-Length: 4\r\n\r\naway";
    let sso = Origin::answers(yes)
        .then_answers(away)
        .then_answers("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        .start();
    // an upstream that is only asked needs no route beside the app's
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n[upstream.sso]\nserver = \"{}\"\n\
         [auth.forward]\nto = \"sso\"\npath = \"/verify\"\ncopy = \"remote-user\"\nuser = \"remote-user\"\n",
        shop.address(),
        sso.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    let forged = ("Remote_User", "root");
    mainstay
        .post("/a?b=c", [forged, ("Cookie", "session=1")], "a body")
        .expect(200)
        .body_is("shop");
    mainstay
        .get("/a")
        .expect(302)
        .header_is("location", "https://login.example/?to=/a")
        .header_is("set-cookie", "a=b")
        .body_is("away");
    mainstay.get("/a").expect(503).header_is("retry-after", "1");
    let asked = sso.received();
    let head = asked[0].head.to_lowercase();
    assert!(head.starts_with("get /verify http/1.1"), "{head}");
    for line in [
        "x-forwarded-method: post",
        "x-forwarded-uri: /a?b=c",
        "cookie: session=1",
        "x-forwarded-for: 127.0.0.1",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(asked[0].body.is_empty() && !head.contains("root"), "{head}");
    let received = shop.received();
    assert_eq!(received.len(), 1);
    let head = received[0].head.to_lowercase();
    assert!(
        head.contains("remote-user: anna") && !head.contains("root"),
        "{head}"
    );
    assert!(!head.contains("x-other"), "{head}");
    assert_eq!(received[0].body, b"a body");
    mainstay
        .output_contains_eventually("\"user\":\"anna\"")
        .output_contains_eventually("\"reason\":\"auth_unavailable\"");
}

#[test]
fn trailers_bring_in_nothing_that_the_head_may_not() {
    let origin = Origin::says("hello").start();
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n[auth]\nuser_header = \"x-user\"\n\
         [auth.users]\nanna = \"$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS\"\n\
         [route.open]\nto = \"shop\"\nauth = {{ enabled = false }}\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    let forged = "X-User: root\r\nx_user: root\r\nX-USER: root\r\nX-Forwarded-For: 203.0.113.9\r\n\
                  X-Real-IP: 203.0.113.9\r\nX-Request-Id: mine\r\nForwarded: for=203.0.113.9\r\n\
                  Mainstay-Debug: token\r\nKeep-Alive: timeout=99\r\nContent-Length: 3\r\n";
    for (trailers, passed) in [
        (format!("X-Sum: 5\r\n{forged}"), "x-sum: 5\r\n"),
        (forged.to_owned(), ""),
    ] {
        mainstay
            .request(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
            ))
            .expect(200);
        let received = origin.received();
        let body = String::from_utf8_lossy(&received.last().expect("a request").body).into_owned();
        assert_eq!(body, format!("5\r\nhello\r\n0\r\n{passed}\r\n"));
    }
}
