//! Paths of files on the machine. An address on the web looks much alike: what the client itself asked for is none,
//! and names that are used for both need the ending of a program's file.

use super::text::{before, find_all, is_delimiter};

/// A path is not followed further.
const LONGEST: usize = 1_024;

/// Folders of systems. Nobody has them in addresses.
const OF_SYSTEMS: [&str; 6] = ["usr", "var", "srv", "etc", "proc", "nix"];
/// Folders where programs are put, which may be parts of addresses too.
const OF_PROGRAMS: [&str; 16] = [
    "home",
    "Users",
    "opt",
    "root",
    "app",
    "apps",
    "tmp",
    "mnt",
    "data",
    "workspace",
    "code",
    "build",
    "private",
    "src",
    "usercode",
    "layers",
];
/// Endings of files that belong to programs, and that nobody asks for over the web.
const OF_FILES: [&str; 52] = [
    "js", "mjs", "cjs", "jsx", "ts", "tsx", "py", "pyc", "rb", "php", "java", "jar", "class", "kt",
    "go", "rs", "c", "cc", "cpp", "h", "cs", "vb", "dll", "exe", "so", "ex", "exs", "erl", "pl",
    "pm", "lua", "sh", "sql", "yml", "yaml", "toml", "ini", "conf", "cfg", "env", "log", "db",
    "sqlite", "sqlite3", "sock", "pem", "key", "crt", "ejs", "pug", "hbs", "twig",
];
/// Folders that packages are in.
const OF_PACKAGES: [&str; 7] = [
    "node_modules/",
    "node_modules\\",
    "site-packages/",
    "dist-packages/",
    "/gems/",
    "/.pnpm/",
    "file:///",
];
/// What a system says of a file, with the file behind it.
const COMPLAINTS: [&str; 12] = [
    "ENOENT: ",
    "EACCES: ",
    "EPERM: ",
    "EISDIR: ",
    "ENOTDIR: ",
    "EEXIST: ",
    "EMFILE: ",
    "EROFS: ",
    "ENOSPC: ",
    "rb_sysopen - ",
    "[Errno ",
    "failed to open stream: ",
];
/// As far behind a complaint as its file is.
const NEAR: usize = 120;

/// Whether a text names a file of the machine. `asked`: the path the client asked for, which it knows.
pub(super) fn is_there(text: &[u8], asked: &[u8]) -> bool {
    has_package(text, asked) || has_complaint(text) || has_unix_path(text, asked) || has_drive(text)
}

fn is_asked(name: &[u8], asked: &[u8]) -> bool {
    memchr::memmem::find(asked, name).is_some()
}

fn has_package(text: &[u8], asked: &[u8]) -> bool {
    let is_there = |folder: &&str| find_all(text, folder).next().is_some();
    OF_PACKAGES
        .iter()
        .filter(|folder| !is_asked(folder.as_bytes(), asked))
        .any(is_there)
}

/// `ENOENT: no such file or directory, open 'config.json'`.
fn has_complaint(text: &[u8]) -> bool {
    COMPLAINTS.iter().any(|complaint| {
        find_all(text, complaint).any(|at| {
            let rest = &text[at + complaint.len()..];
            let rest = &rest[..rest.len().min(NEAR)];
            let quoted = |quote: &[u8]| memchr::memmem::find(rest, quote).is_some();
            complaint.ends_with("- ")
                || quoted(b", open '")
                || quoted(b" '/")
                || quoted(b": '")
                || [&b" scandir '"[..], b" stat '", b" unlink '", b" mkdir '"]
                    .into_iter()
                    .any(quoted)
        })
    })
}

fn has_unix_path(text: &[u8], asked: &[u8]) -> bool {
    memchr::memchr_iter(b'/', text).any(|slash| {
        let is_start = before(text, slash, 1)
            .first()
            .is_none_or(|byte| is_delimiter(*byte) || b"[:".contains(byte));
        let path = &text[slash..text.len().min(slash + LONGEST)];
        is_start && is_file(until_its_end(path), asked)
    })
}

fn until_its_end(path: &[u8]) -> &[u8] {
    let ends = |byte: &u8| is_delimiter(*byte) || b":]?#\\&*".contains(byte);
    let path = &path[..path.iter().position(ends).unwrap_or(path.len())];
    path.strip_suffix(b".").unwrap_or(path)
}

fn is_file(path: &[u8], asked: &[u8]) -> bool {
    // `//` begins the rest of an address
    if path.starts_with(b"//") || is_asked(path, asked) {
        return false;
    }
    let mut parts = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty());
    let Some(first) = parts.next().and_then(|part| str::from_utf8(part).ok()) else {
        return false;
    };
    let rest: Vec<&[u8]> = parts.collect();
    let has_ending = rest.last().is_some_and(|last| is_of_a_program(last));
    match first {
        "etc" => !rest.is_empty(),
        _ if OF_SYSTEMS.contains(&first) => rest.len() > 1 || has_ending,
        _ => OF_PROGRAMS.contains(&first) && has_ending,
    }
}

fn is_of_a_program(name: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', name) else {
        return false;
    };
    str::from_utf8(&name[dot + 1..]).is_ok_and(|ending| OF_FILES.contains(&ending))
}

/// `C:\inetpub\shop\Web.config`, `D:/shop/app.py`.
fn has_drive(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    memchr::memchr_iter(b':', text).any(|colon| {
        let [near @ .., letter] = before(text, colon, 2) else {
            return false;
        };
        let is_drive = is_letter(letter)
            && near
                .last()
                .is_none_or(|byte| is_delimiter(*byte) || b"[/".contains(byte));
        match &text[colon + 1..] {
            [b'\\', first, ..] => {
                is_drive && (first.is_ascii_alphanumeric() || b"\\$_(.".contains(first))
            }
            [b'/', first, rest @ ..] => {
                let end = rest
                    .iter()
                    .position(|byte| is_delimiter(*byte))
                    .unwrap_or(rest.len());
                is_drive
                    && letter.is_ascii_uppercase()
                    && is_letter(first)
                    && rest[..end].contains(&b'/')
            }
            _ => false,
        }
    })
}
