//! Who and what is turned away, through the whole program, in front of real Express.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mainstay_testkit::{Mainstay, Origin, Running, scanner_paths};

use crate::support::{TRUSTING, gateway, started};

/// Serves everything below `public`, dot files too, as somebody does who did not think of it.
const CARELESS: &str = "
const express = require('express');
const app = express();
app.use(express.static('public', { dotfiles: 'allow', index: false, redirect: false }));
app.listen(3000);
";

/// What every file says.
const LEAKED: &str = "what nobody should read";

/// Files as scanners hope to find them. Returns how many there are.
fn fill(root: &Path) -> usize {
    let names: BTreeSet<PathBuf> = scanner_paths()
        .iter()
        .filter_map(|path| file_of(path))
        .collect();
    let folders: BTreeSet<&Path> = names
        .iter()
        .flat_map(|name| name.ancestors().skip(1))
        .collect();
    for name in &names {
        let mut file = root.join(name);
        if folders.contains(name.as_path()) {
            file.push("index.html");
        }
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, LEAKED).expect("written");
    }
    names.len()
}

/// The file that a path of the list names; none where it names something outside.
fn file_of(path: &str) -> Option<PathBuf> {
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.replace("%EXT%", "php");
    let is_plain = !path.is_empty()
        && !path.contains(['%', '\\', '\0'])
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_plain.then(|| PathBuf::from(path))
}

/// As a scanner sends it.
fn target_of(path: &str) -> String {
    let mut target = String::from("/");
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && byte != b'#' {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}");
        }
    }
    target
}

/// Written down apart from what is tested: dots in front, editors' and backups' ends, keys and dumps.
fn is_hidden(path: &str) -> bool {
    let ends = [
        "~", ".bak", ".old", ".orig", ".save", ".swp", ".swo", ".tmp", ".backup", ".sql",
        ".sqlite", ".key", ".pem",
    ];
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(|part| {
        let lower = part.to_ascii_lowercase();
        part.starts_with('.') && !matches!(part, "." | ".." | ".well-known")
            || ends.iter().any(|end| lower.ends_with(end))
            || lower.starts_with("id_rsa")
    })
}

fn careless(config: &str) -> Running {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", CARELESS)
        .packages()
        .config(config);
    let count = fill(&mainstay.folder().join("public"));
    assert!(count > 8_500, "only {count} files");
    mainstay.start()
}

#[test]
fn a_scanner_finds_nothing_hidden_in_a_folder_full_of_it() {
    let config = format!("preset = \"strict\"\n{TRUSTING}[filter]\ntraps = \"none\"\n");
    let mainstay = careless(&config);
    let mut wire = mainstay.connect();
    let (mut hidden, mut open) = (0, 0);
    for (index, path) in scanner_paths()
        .iter()
        .map(|path| path.replace("%EXT%", "php"))
        .enumerate()
    {
        // each from an address of its own: what is limited by client is not what is tried here
        let client = format!("198.18.{}.{}", index / 250, index % 250 + 1);
        let target = target_of(&path);
        wire.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: {client}\r\n\r\n"
        ));
        let answer = wire.response();
        let is_leaked = answer.text().contains(LEAKED);
        if is_hidden(&path) {
            assert!(!is_leaked && answer.status() != 200, "{target} was served");
            hidden += 1;
        } else if is_leaked {
            open += 1;
        }
        if answer.header("connection") == Some("close") {
            wire = mainstay.connect();
        }
    }
    assert!(hidden > 1_500, "only {hidden} of the list are hidden");
    assert!(open > 5_000, "only {open} files are served at all");
    mainstay
        .get("/there-is-no-such-file")
        .expect(404)
        .body_contains("Cannot GET");
}

#[test]
fn without_the_layer_they_would_be_served() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", CARELESS)
        .file("public/.git/config", LEAKED)
        .file("public/.env.local", LEAKED)
        .file("public/.note", LEAKED)
        .packages()
        .config("[route.plain]\nhost = \"plain.example\"\nto = \"web\"\n[route.plain.filter]\nenabled = false\n[route.rest]\nto = \"web\"\n[app.web]\ncommand = \"node server.js\"\n")
        .start();
    let plain = [("Host", "plain.example")];
    for path in ["/.git/config", "/%2egit/config", "/.env.local", "/.note"] {
        mainstay.get_with(path, plain).expect(200).body_is(LEAKED);
    }
    for path in [
        "/.git/config",
        "/%2egit/config",
        "//.git/config",
        "/x/..%2f.git/config",
        "/.env.local",
    ] {
        mainstay.get(path).expect(404).body_lacks(LEAKED);
    }
    mainstay.get("/.note").expect(200).body_is(LEAKED);
}

/// Reads paths in as many ways as servers do, with the functions they do it with.
const READERS: &str = "
const express = require('express');
const path = require('node:path');
const app = express();
const read = (text, step) => { try { return step(text); } catch { return text; } };
const steps = [
  text => text,
  text => new URL(text, 'http://base').pathname,
  text => path.posix.normalize(decodeURIComponent(text)),
  text => path.posix.normalize(decodeURIComponent(path.posix.normalize(decodeURIComponent(text)))),
  text => path.posix.normalize(decodeURIComponent(text.replace(/;[^\\/]*/g, '')).replaceAll('\\\\', '/')),
  text => new URL(decodeURIComponent(text), 'http://base').pathname,
  text => path.win32.normalize(decodeURIComponent(text)).replaceAll('\\\\', '/'),
];
app.use('/admin', (request, response) => response.send('secret'));
app.use((request, response) => {
  const meant = steps.map(step => read(request.url, step));
  const is = text => /^\\/+admin(\\/|$)/i.test(text);
  response.send(meant.some(is) ? 'secret' : 'open');
});
app.listen(3000);
";

/// Some hundred paths made of what spells the same in another way.
fn spellings() -> Vec<String> {
    let starts = [
        "/",
        "/x",
        "/x%2f",
        "/..",
        "/..;a",
        "/.;",
        "\\",
        "%5c..",
        "%252f",
        "/%252e%252e",
        "/admin",
        ";",
    ];
    let ends = [
        "admin",
        "/ADMIN/x",
        "%61dmin;a=b",
        "/%2561dmin",
        "/admin/../x",
    ];
    let mut paths = BTreeSet::new();
    for first in starts {
        for second in starts {
            for end in ends {
                let path = format!("{first}{second}{end}");
                paths.insert(if path.starts_with('/') {
                    path
                } else {
                    format!("/{path}")
                });
            }
        }
    }
    paths.into_iter().collect()
}

#[test]
fn no_spelling_of_a_guarded_path_gets_to_the_app() {
    let guarded = "[app.web]\ncommand = \"node server.js\"\n\
        [route.admin]\npath = \"/admin\"\nto = \"web\"\n[route.admin.filter]\ndeny = [\"0.0.0.0/0\", \"::/0\"]\n\
        [route.rest]\nto = \"web\"\n";
    let start = |config| {
        Mainstay::run("server.js")
            .file("server.js", READERS)
            .packages()
            .config(config)
            .start()
    };
    let (open, guarded) = (start(""), start(guarded));
    let (mut to_the_open, mut to_the_guarded) = (open.connect(), guarded.connect());
    let (mut secret, mut passed) = (0, 0);
    for path in spellings() {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
        to_the_open.send(&request);
        let answer = to_the_guarded.send(&request).response();
        let unguarded = to_the_open.response().text();
        assert_ne!(answer.text(), "secret", "{path}");
        secret += usize::from(unguarded == "secret");
        passed += usize::from(answer.status() == 200);
    }
    assert!(
        secret > 200,
        "only {secret} spellings mean anything to the app"
    );
    assert!(passed > 0, "nothing passes at all");
}

#[test]
fn networks_hosts_and_methods_are_turned_away_with_the_status_that_says_so() {
    let origin = Origin::says("hello").start();
    let config = format!(
        "{TRUSTING}[upstream.a]\nserver = \"{}\"\n\
         [filter]\nallow = [\"10.0.0.0/8\"]\nhosts = [\"a.example\"]\nmethods = [\"GET\", \"POST\"]\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    let ask = |method: &str, host: &str, client: &str| {
        mainstay.request(format!(
            "{method} / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {client}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    ask("GET", "a.example", "10.1.2.3").expect(200);
    ask("POST", "A.example:80", "10.1.2.3").expect(200);
    ask("GET", "a.example", "192.0.2.1").expect(403);
    ask("GET", "b.example", "10.1.2.3").expect(421);
    for method in ["DELETE", "TRACE", "OPTIONS", "get"] {
        ask(method, "a.example", "10.1.2.3")
            .expect(405)
            .header_is("Allow", "GET, POST, HEAD");
    }
    assert_eq!(origin.received().len(), 2);
    for reason in ["network", "wrong_host", "method_not_allowed"] {
        mainstay.output_contains_eventually(&format!("\"reason\":\"{reason}\""));
    }
}

#[test]
fn a_dry_run_passes_and_says_what_it_would_have_refused() {
    let origin = Origin::says("hello").start();
    let config = format!(
        "[upstream.a]\nserver = \"{}\"\n[filter]\ntraps = \"known\"\ndry_run = true\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    mainstay.get("/wp-login.php").expect(200);
    mainstay.get("/.git/config").expect(200);
    mainstay.output_contains_eventually("\"dry_run\":\"trap\"");
    mainstay.output_contains_eventually("filter dry run");
    mainstay.get("/%zz").expect(400);
    mainstay.output_contains_eventually("\"reason\":\"bad_path\"");
}

/// Hits that ban, in front of an origin, with two threads and everything else as `strict` has it.
fn trapping(origin: &Origin, filter: &str) -> Running {
    let config = format!(
        "preset = \"strict\"\n{TRUSTING}[listen]\nthreads = 2\n[upstream.a]\nserver = \"{}\"\n\
         [route.all]\nto = \"a\"\n[route.shop]\npath = \"/shop\"\nto = \"a\"\n\
         [route.shop.headers]\nx-frame-options = false\n{filter}",
        origin.address()
    );
    started(Mainstay::run("").config(&config))
}

/// The status that a client gets, each time on a connection of its own.
fn from(mainstay: &Running, client: &str, path: &str) -> u16 {
    let answer = mainstay.get_with(path, [("X-Forwarded-For", client)]);
    answer.status()
}

/// `mainstay limits --json`, of the traps.
fn traps(mainstay: &Running) -> serde_json::Value {
    let told = Mainstay::say(["limits", "--json"])
        .beside(mainstay)
        .finish()
        .expect_code(0);
    let told: Vec<serde_json::Value> = serde_json::from_str(&told.output).expect("JSON");
    let mut policies = told.into_iter();
    let traps = policies.find(|policy| policy["name"] == "filter.traps");
    traps.expect("the policy of traps")
}

#[test]
fn who_walks_into_traps_is_banned_everywhere_until_it_is_forgiven() {
    let origin = Origin::says("hello").start();
    let mainstay = trapping(&origin, "");
    let (scanner, other) = ("203.0.113.9", "203.0.113.10");
    for path in ["/wp-login.php", "/%77p-admin/x", "/phpmyadmin"] {
        assert_eq!(from(&mainstay, scanner, "/shop"), 200);
        assert_eq!(from(&mainstay, scanner, path), 404, "{path}");
    }
    // whichever thread accepts, whatever the route
    for path in ["/", "/shop", "/wp-login.php"].iter().cycle().take(24) {
        assert_eq!(from(&mainstay, scanner, path), 403, "{path}");
    }
    assert_eq!(from(&mainstay, other, "/"), 200);
    assert_eq!(from(&mainstay, scanner, "/.mainstay/live"), 200);
    mainstay.output_contains_eventually("\"reason\":\"trap_banned\"");
    let told = traps(&mainstay);
    assert_eq!(
        (&told["banned"], &told["refused"], &told["rate"]),
        (&1.into(), &24.into(), &"3/h".into()),
        "{told}"
    );

    let first = gateway(&mainstay, None);
    Mainstay::say(["reload", "--gateway"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    assert_eq!(from(&mainstay, scanner, "/"), 403);
    mainstay.kill(gateway(&mainstay, Some(first)));
    gateway(&mainstay, Some(first));
    assert_eq!(from(&mainstay, scanner, "/"), 403);

    Mainstay::say(["unban", scanner, "--policy", "filter.traps"])
        .beside(&mainstay)
        .finish()
        .expect_code(0)
        .says(["forgiven what it had used of filter.traps"]);
    assert_eq!(from(&mainstay, scanner, "/"), 200);
    assert_eq!(traps(&mainstay)["banned"], 0);
    // and has all of its hits again
    assert_eq!(from(&mainstay, scanner, "/wp-login.php"), 404);
    assert_eq!(from(&mainstay, scanner, "/"), 200);
}

#[test]
fn a_proxy_that_nobody_trusts_and_an_address_of_many_are_never_banned() {
    let origin = Origin::says("hello").start();
    let config = format!(
        "preset = \"strict\"\n[upstream.a]\nserver = \"{}\"\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    // this machine's own address: what the proxy says of clients is not believed
    for _ in 0..6 {
        assert_eq!(from(&mainstay, "203.0.113.9", "/wp-login.php"), 404);
    }
    mainstay.get("/").expect(200);
    let trusting = trapping(&origin, "");
    // a trusted one that names nobody, and a client whose network is private
    for _ in 0..6 {
        trusting.get("/wp-login.php").expect(404);
        assert_eq!(from(&trusting, "10.1.2.3", "/wp-login.php"), 404);
    }
    trusting.get("/").expect(200);
    assert_eq!(from(&trusting, "10.1.2.3", "/"), 200);
}

#[test]
fn a_ban_that_is_tried_out_is_told_and_refuses_nobody() {
    let origin = Origin::says("hello").start();
    let mainstay = trapping(&origin, "[filter]\ndry_run = true\ntrap_ban_after = 1\n");
    let scanner = "203.0.113.9";
    assert_eq!(from(&mainstay, scanner, "/wp-login.php"), 200);
    assert_eq!(from(&mainstay, scanner, "/"), 200);
    mainstay.output_contains_eventually("\"dry_run\":\"trap_banned\"");
    let told = traps(&mainstay);
    assert_eq!(
        (&told["banned"], &told["dry_run"]),
        (&1.into(), &true.into()),
        "{told}"
    );
    Mainstay::say(["explain", "/"])
        .file("mainstay.toml", "preset = \"strict\"\n[app.web]\n")
        .finish()
        .expect_code(0)
        .says(["filter.trap_ban_after = 3", "filter.trap_ban_for = \"1h\""]);
}
