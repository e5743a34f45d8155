//! Every file in `tests/init` is a folder and what `init` makes of it: files, each after a line `== PATH`, a line
//! of dashes, the file that is written, and what is said. `UPDATE=1` writes what came of it.

use std::fmt::Write as _;
use std::path::Path;

use mainstay_config::{SourceFile, Sources, load};

use super::{Folder, find, render};

const DASHES: &str = "\n----------\n";

#[test]
fn every_folder_comes_out_as_written() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init");
    let mut paths: Vec<_> = std::fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() > 15, "cases are missing");
    let mut failures = String::new();
    for path in paths {
        let case = std::fs::read_to_string(&path).unwrap();
        let (given, expected) = case.split_once(DASHES).unwrap_or((&case, ""));
        let found = outcome(given);
        if found != expected && std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, format!("{given}{DASHES}{found}")).unwrap();
        } else if found != expected {
            let _ = writeln!(
                failures,
                "== {}\n-- expected\n{expected}-- found\n{found}",
                path.display()
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn outcome(given: &str) -> String {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("shop");
    std::fs::create_dir(&root).unwrap();
    for file in given.split("== ").skip(1) {
        let (name, text) = file.split_once('\n').unwrap_or((file, ""));
        let path = root.join(name.trim());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let Some(found) = find(&Folder::read(&root)) else {
        return "nothing\n".to_owned();
    };
    let mut text = render(&found);
    let sources = Sources {
        file: Some(SourceFile::new("mainstay.toml", &root, text.clone().into())),
        folder: root,
        ..Sources::default()
    };
    if let Err(problems) = load(&sources) {
        panic!("what is written does not load: {problems}\n{text}");
    }
    for note in &found.notes {
        let _ = writeln!(text, "> {note}");
    }
    text
}

#[test]
fn hostile_files_cost_nothing_and_still_load() {
    let long = "x".repeat(100_000);
    for text in [
        "{\"name\":\"\\u007f\\n]\",\"scripts\":{\"start\":\"a\\u0000\\u007f\\\"'''\\n#\"}}"
            .to_owned(),
        format!("{{\"scripts\":{{\"start\":\"node {long}\"}}}}"),
        "{\"workspaces\":[\"../*\",\"/\",\"a/../../*\",7],\"scripts\":{\"start\":\"x\"}}"
            .to_owned(),
        "[".repeat(10_000),
    ] {
        outcome(&format!("== package.json\n{text}\n== server.js\n"));
    }
    for text in [
        "{;};;}{ server_name",
        "proxy_pass http://;",
        "upstream a { server a; } proxy_pass http://a;",
    ] {
        outcome(&format!("== nginx.conf\n{text}\n== server.js\n"));
    }
}

#[test]
fn only_so_much_is_read() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("Procfile"), vec![b'#'; 3 * 1024 * 1024]).unwrap();
    let folder = Folder::read(root.path());
    assert_eq!(folder.text("Procfile").map(str::len), Some(256 * 1024));
}
