//! What `--help` says, word for word: `UPDATE=1` writes it anew.

use std::path::Path;

use mainstay_testkit::{Folder, Mainstay};

#[test]
fn help_reads_as_written() {
    for (name, words) in [
        ("mainstay", &["--help"][..]),
        ("run", &["run", "--help"]),
        ("start", &["start", "--help"]),
        ("stop", &["stop", "--help"]),
        ("ls", &["ls", "--help"]),
        ("jlist", &["jlist", "--help"]),
        ("describe", &["describe", "--help"]),
        ("restart", &["restart", "--help"]),
        ("scale", &["scale", "--help"]),
        ("delete", &["delete", "--help"]),
        ("signal", &["signal", "--help"]),
        ("flush", &["flush", "--help"]),
        ("ping", &["ping", "--help"]),
        ("top", &["top", "--help"]),
        ("save", &["save", "--help"]),
        ("resurrect", &["resurrect", "--help"]),
        ("startup", &["startup", "--help"]),
        ("unstartup", &["unstartup", "--help"]),
        ("uninstall", &["uninstall", "--help"]),
        ("reload", &["reload", "--help"]),
        ("status", &["status", "--help"]),
        ("check", &["check", "--help"]),
        ("explain", &["explain", "--help"]),
        ("diff", &["diff", "--help"]),
        ("disable", &["disable", "--help"]),
        ("pause", &["pause", "--help"]),
        ("resume", &["resume", "--help"]),
        ("maintenance", &["maintenance", "--help"]),
        ("enable", &["enable", "--help"]),
        ("limits", &["limits", "--help"]),
        ("cache", &["cache", "--help"]),
        ("cache-purge", &["cache", "purge", "--help"]),
        ("cache-list", &["cache", "list", "--help"]),
        ("cache-explain", &["cache", "explain", "--help"]),
        ("unban", &["unban", "--help"]),
        ("init", &["init", "--help"]),
        ("demo", &["demo", "--help"]),
        ("help", &["help", "--help"]),
        ("csp", &["csp", "--help"]),
        ("completions", &["completions", "--help"]),
        ("all", &["help", "--all"]),
    ] {
        let start = words
            .iter()
            .fold(Mainstay::say([]), |start, word| start.flags([word]));
        let found = start.finish().expect_code(0).output;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if update_asked() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn help_of_a_command_is_found_by_either_way() {
    let output = |words: [&str; 2]| Mainstay::say(words).finish().expect_code(0).output;
    assert_eq!(output(["help", "reload"]), output(["reload", "--help"]));
    let plain = Mainstay::say(["help"]).finish().expect_code(0).output;
    assert_eq!(
        plain,
        Mainstay::say(["--help"]).finish().expect_code(0).output
    );
    Mainstay::say(["help", "relaod"])
        .finish()
        .expect_code(2)
        .says(["`relaod` is no command", "`reload`"]);
}

/// The names in a list of commands.
fn commands(help: &str) -> Vec<&str> {
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let (list, _) = list.split_once("\n\n").expect("its end");
    list.lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_command_has_its_page() {
    let all = Mainstay::say(["help", "--all"])
        .finish()
        .expect_code(0)
        .output;
    let names = commands(&all);
    assert!(names.len() >= 8, "{names:?}");
    let place = Folder::new();
    let folder = place.path().join("pages");
    let into = format!("--man={}", folder.display());
    let _ = Mainstay::say(["help", &into]).finish().expect_code(0);
    for name in names {
        let page = std::fs::read_to_string(folder.join(format!("mainstay-{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH mainstay-{name} 1")), "{page}");
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    let page = Mainstay::say(["help", "run", "--man"])
        .finish()
        .expect_code(0)
        .output;
    assert_eq!(
        page,
        std::fs::read_to_string(folder.join("mainstay-run.1")).unwrap()
    );
}

#[test]
fn bash_completes_commands_and_flags() {
    let script = Mainstay::say(["completions", "bash"])
        .finish()
        .expect_code(0)
        .output;
    for (typed, word, expected) in [
        ("mainstay re", "re", "reload restart resurrect resume"),
        ("mainstay run --pre", "--pre", "--preset"),
    ] {
        let ask = format!(
            "COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _mainstay mainstay {word} mainstay; echo \"${{COMPREPLY[@]}}\""
        );
        let found = Mainstay::say(["-c", &format!("{script}\n{ask}")])
            .binary("/bin/bash")
            .finish();
        assert_eq!(found.expect_code(0).output.trim(), expected, "{typed}");
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        Mainstay::say(["completions", shell])
            .finish()
            .expect_code(0)
            .says(["reload"]);
    }
    Mainstay::say(["completions", "csh"])
        .finish()
        .expect_code(2)
        .says(["csh", "bash"]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite the texts"
)]
pub(crate) fn update_asked() -> bool {
    std::env::var_os("UPDATE").is_some()
}
