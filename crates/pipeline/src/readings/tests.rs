//! Spellings of a protected path, read by others.

use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> PathPattern {
    text.parse().expect("a pattern")
}

#[test]
fn every_spelling_meets_the_pattern() {
    let admin = pattern("/admin");
    for path in [
        "/admin",
        "/ADMIN/x",
        "//admin",
        "/admin%2Fx",
        "/%61dmin",
        "/%2561dmin",
        "/%252561dmin/x",
        "/x/../admin",
        "/x/%2e%2E/admin",
        "/x/%252e%252e/admin",
        "/x/..;/admin",
        "/x/..;a=b/admin",
        "/admin;a=b/x",
        "/admin%3Ba/x",
        "/public/..%2fadmin",
        "/public/..%5cadmin",
        "/public\\..\\admin",
        "/\\admin",
        "/.;/admin",
        "/admin/..",
        "/admin/../x",
        "/a//../admin",
        "/a%2Fb/../../admin",
        "/a%2Fb/../admin",
        "//host/admin",
        "/\\host/admin",
        "/%5c%5chost%2fadmin",
        "///host//admin",
        "/admin%3Fx",
        "/admin%23",
        "/admin%2500.png",
    ] {
        assert!(Readings::of(path).meet(&admin), "{path}");
    }
    for path in [
        "/",
        "/adminx",
        "/x/admin",
        "/admin%20",
        "/caf%C3%A9",
        "/x;admin",
        "/a/../b",
        "/search/100%25",
        "/.well-known/admin",
        "/x%2Fadmin",
    ] {
        assert!(!Readings::of(path).meet(&admin), "{path}");
    }
}

#[test]
fn exempt_is_only_what_everybody_reads_alike() {
    let public = pattern("/public");
    for path in ["/public", "/public/a%20b", "/public/./x", "/public/a;b"] {
        assert!(Readings::of(path).stay_in(&public), "{path}");
    }
    for path in [
        "/PUBLIC",
        "/public/../x",
        "/public/..;/x",
        "/public/%252e%252e/x",
        "/public/..%5Cx",
        "//public",
        "/x/../public",
    ] {
        assert!(!Readings::of(path).stay_in(&public), "{path}");
    }
}

#[test]
fn what_cannot_be_told_means_everything() {
    let path = "/..;%2F%252e%252e;a\\b//..%5c;%253b%253f%25252f".repeat(4);
    let readings = Readings::of(&path);
    assert!(!readings.are_complete());
    assert!(readings.meet(&pattern("/nowhere")));
    assert!(!readings.stay_in(&pattern("/")));
    assert!(readings.others.len() <= MOST);
}

#[test]
fn what_is_meant_well_has_few_readings() {
    for (path, most) in [
        ("/", 1),
        ("/.well-known/acme-challenge/x", 1),
        ("/a%20b/caf%C3%A9", 2),
        ("/projects/group%2Fsub%2Fname/files/src%2Fmain.rs", 2),
        ("/shop;jsessionid=1/cart", 2),
        ("/img/https%3A%2F%2Fcdn.example%2Fa%20b.jpg%3Fw%3D1", 8),
    ] {
        let readings = Readings::of(path);
        assert!(readings.are_complete());
        let count = readings.iter().count();
        assert!(count <= most, "{path}: {readings:?}");
    }
    let longest = format!("/{}", "%E4%BD%A0".repeat(900));
    assert!(Readings::of(&longest).are_complete());
}

/// Others who read paths, written down anew from what their documents say, sharing nothing with the code above.
mod readers {
    fn once(path: &str) -> String {
        let mut out = Vec::new();
        let bytes = path.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            let escaped = (bytes[index] == b'%')
                .then(|| path.get(index + 1..index + 3))
                .flatten()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.push(escaped.unwrap_or(bytes[index]));
            index += if escaped.is_some() { 3 } else { 1 };
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    fn dots(path: &str, is_up: impl Fn(&str) -> bool, is_here: impl Fn(&str) -> bool) -> String {
        let mut out: Vec<&str> = Vec::new();
        for segment in path.trim_start_matches('/').split('/') {
            if is_up(segment) {
                out.pop();
            } else if !is_here(segment) {
                out.push(segment);
            }
        }
        format!("/{}", out.join("/"))
    }

    /// `new URL(path, "http://base/").pathname`: <https://url.spec.whatwg.org>, path state.
    pub(super) fn whatwg(path: &str) -> String {
        let path = path.replace('\\', "/");
        let path = match path.strip_prefix("//") {
            Some(rest) => {
                let rest = rest.trim_start_matches('/');
                rest.find('/').map_or("/", |end| &rest[end..]).to_owned()
            }
            None => path,
        };
        let plain = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
        let inner = path.strip_prefix('/').unwrap_or(&path);
        let mut out: Vec<&str> = Vec::new();
        for segment in inner.split('/') {
            match plain(segment).as_str() {
                ".." => {
                    out.pop();
                }
                "." => {}
                _ => out.push(segment),
            }
        }
        format!("/{}", out.join("/"))
    }

    /// Express's `app.use`: the path as it is, in any case.
    pub(super) fn express(path: &str) -> String {
        path.to_owned()
    }

    /// `serve-static`: decoded once, then `path.normalize`.
    pub(super) fn files(path: &str) -> String {
        dots(&once(path), |s| s == "..", |s| s == "." || s.is_empty())
    }

    /// A servlet container: parameters off, decoded, backslashes turned, slashes merged, dots resolved.
    pub(super) fn servlet(path: &str) -> String {
        let plain: Vec<&str> = path
            .split('/')
            .map(|segment| segment.split(';').next().unwrap_or(""))
            .collect();
        let text = once(&plain.join("/")).replace('\\', "/");
        dots(&text, |s| s == "..", |s| s == "." || s.is_empty())
    }

    /// A proxy that decodes and resolves before a server that does so again.
    pub(super) fn twice(path: &str) -> String {
        files(&files(path))
    }

    /// A servlet container behind such a proxy.
    pub(super) fn servlet_behind(path: &str) -> String {
        servlet(&files(path))
    }

    /// A Node app that parses what a proxy decoded.
    pub(super) fn whatwg_behind(path: &str) -> String {
        whatwg(&once(path))
    }
}

const READERS: [fn(&str) -> String; 7] = [
    readers::whatwg,
    readers::express,
    readers::files,
    readers::servlet,
    readers::twice,
    readers::servlet_behind,
    readers::whatwg_behind,
];

fn is_admin(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    segments
        .next()
        .is_some_and(|segment| segment.eq_ignore_ascii_case("admin"))
}

/// Pieces of which spellings are made.
fn spelling() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "admin",
        "admin",
        "ADMIN",
        "%61dmin",
        "adm%2569n",
        "..",
        "..",
        ".",
        "%2e",
        "%2E%2e",
        "%252e",
        ";",
        ";a=b",
        "%3b",
        "\\",
        "%5C",
        "%255c",
        "%2f",
        "%2F",
        "%252f",
        "x",
        "public",
        "//",
        "%25",
        "é",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nobody_reads_what_we_did_not(path in spelling()) {
        let readings = Readings::of(&path);
        let admin = pattern("/admin");
        for reader in READERS {
            let read = reader(&path);
            if is_admin(&read) {
                prop_assert!(readings.meet(&admin), "{} is {}", path, read);
            } else {
                prop_assert!(!readings.stay_in(&admin), "{} is {}", path, read);
            }
        }
    }

    #[test]
    fn reading_again_adds_nothing(path in spelling()) {
        let readings = Readings::of(&path);
        if readings.are_complete() {
            for other in readings.iter().filter_map(|reading| str::from_utf8(reading).ok()) {
                let again = Readings::of(other);
                for reading in again.iter() {
                    prop_assert!(readings.any(|known| known == reading), "{:?}", reading);
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_within_bounds(path in "/\\PC{0,200}") {
        let readings = Readings::of(&path);
        let bytes: usize = readings.others.iter().map(Vec::len).sum();
        prop_assert!(readings.others.len() <= MOST && bytes <= MOST_BYTES);
    }
}
