//! Several files are as good as one: however it is split, the settings are the same, and mazes end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use mainstay_config::{Flags, Included, Reachable, Settings, SourceFile, Sources, explain, load};
use proptest::prelude::*;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn sources(main: &str, others: &Files) -> Sources {
    let file = SourceFile::new("mainstay.toml", "/srv", main.into());
    Sources {
        included: Included::by(&file, others),
        reachable: Reachable::Nothing,
        file: Some(file),
        folder: "/srv".into(),
        ..Sources::default()
    }
}

fn files<const N: usize>(texts: [(&str, &str); N]) -> Files {
    texts
        .into_iter()
        .map(|(name, text)| (PathBuf::from("/srv").join(name), text.into()))
        .collect()
}

fn problems(main: &str, others: &Files) -> String {
    load(&sources(main, others)).map_or_else(|problems| problems.to_string(), |_| String::new())
}

/// Lines that are sound together, each with its section.
const LINES: [(&str, &str); 22] = [
    ("", "preset = \"strict\""),
    ("", "listen = [\":80\", \"unix:run/in.sock\"]"),
    ("", "trusted_proxies = [\"loopback\"]"),
    ("limits", "queue = 5"),
    ("limits", "head = \"64kb\""),
    ("limits", "enabled = true"),
    ("timeouts", "connect = \"2s\""),
    ("app.web", "command = \"node server.js\""),
    ("app.web", "workers = 3"),
    ("app.web", "cwd = \"site\""),
    ("app.web.env", "A = \"1\""),
    ("app.web.env", "B = 2"),
    ("app.old", "enabled = false"),
    ("upstream.far", "servers = [\":9000\", \"unix:far.sock\"]"),
    ("route.web", "to = \"web\""),
    ("route.far", "path = \"/far\""),
    ("route.far", "to = \"far\""),
    ("headers", "x-frame-options = \"DENY\""),
    ("headers.add", "x-a = \"b\""),
    ("profile.live", "listen = \":81\""),
    ("profile.live.limits", "queue = 6"),
    ("profile.live.app.web", "workers = 4"),
];

/// The lines that `places` puts into this file, section by section.
fn text(places: &[usize], file: usize) -> String {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for ((section, line), place) in LINES.iter().zip(places) {
        if *place == file {
            let _ = writeln!(sections.entry(section).or_default(), "{line}");
        }
    }
    let heading = |(section, lines): (&str, String)| match section {
        "" => lines,
        section => format!("[{section}]\n{lines}"),
    };
    sections.into_iter().map(heading).collect()
}

fn settings(main: &str, others: &Files, profile: Option<&str>) -> Settings {
    let sources = Sources {
        flags: Flags {
            env: profile.map(str::to_owned),
            ..Flags::default()
        },
        ..sources(main, others)
    };
    load(&sources).unwrap_or_else(|problems| panic!("{problems}\n{main}\n{others:?}"))
}

proptest! {
    #[test]
    fn however_a_file_is_split_the_settings_are_the_same(
        places in proptest::collection::vec(0..5_usize, LINES.len()),
    ) {
        let whole = text(&vec![0; LINES.len()], 0);
        // one beside the other, one below that, two by a pattern
        let main = format!("include = [\"a.toml\", \"more-*.toml\"]\n{}", text(&places, 0));
        let below = format!("include = \"b.toml\"\n{}", text(&places, 1));
        let others = files([
            ("a.toml", &below),
            ("b.toml", &text(&places, 2)),
            ("more-1.toml", &text(&places, 3)),
            ("more-2.toml", &text(&places, 4)),
        ]);
        for profile in [None, Some("live")] {
            let split = settings(&main, &others, profile);
            prop_assert_eq!(split, settings(&whole, &Files::new(), profile));
        }
    }

    #[test]
    fn any_maze_of_includes_ends(
        texts in proptest::collection::vec("(include = (\"[a-d*].toml\"|\\[(\"[a-d*].toml\", ){0,4}\\])\n)?([x\\[=]\n)?", 5),
    ) {
        let others = files([
            ("a.toml", &texts[1]), ("b.toml", &texts[2]), ("c.toml", &texts[3]), ("d.toml", &texts[4]),
        ]);
        let sources = sources(&texts[0], &others);
        let _ = explain(&sources);
        prop_assert!(sources.included.files().count() <= 4);
    }
}

#[test]
fn each_value_knows_its_file_and_the_one_that_includes_wins() {
    let others = files([
        (
            "conf/a.toml",
            "[limits]\nqueue = 1\nhead = \"64kb\"\ninclude = 1\n",
        ),
        ("conf/b.toml", "[timeouts]\n\n  connect = \"1s\"\n"),
    ]);
    let main = "include = \"conf/*.toml\"\n[limits]\nqueue = 2\n";
    let others_sound = files([
        ("conf/a.toml", "[limits]\nqueue = 1\nhead = \"64kb\"\n"),
        ("conf/b.toml", "[timeouts]\n\n  connect = \"1s\"\n"),
    ]);
    assert_eq!(
        problems(main, &others).lines().next(),
        Some(
            "`limits.include` is not a setting: expected one of `head`, `field`, `fields`, `target`, `body_rate`, `queue`, `enabled`"
        )
    );
    let loaded = explain(&sources(main, &others_sound)).expect("sound");
    assert_eq!(loaded.settings.limits.queue, 2);
    for (path, place) in [
        ("limits.queue", "mainstay.toml:3:9"),
        ("limits.head", "conf/a.toml:3:8"),
        ("timeouts.connect", "conf/b.toml:3:13"),
    ] {
        assert_eq!(loaded.origins.of(path).to_string(), place);
    }
}

#[test]
fn depth_number_and_size_are_bounded() {
    let mut deep = Files::new();
    for level in 1..20 {
        let text = format!("include = \"{}.toml\"\n", level + 1);
        deep.insert(format!("/srv/{level}.toml").into(), text.into());
    }
    deep.insert("/srv/20.toml".into(), Vec::new());
    assert_eq!(
        problems("include = \"1.toml\"", &deep),
        "files include each other too deeply: expected at most 8 levels"
    );
    let just_so = files([("13.toml", "")]).into_iter().chain(deep).collect();
    assert_eq!(
        problems("include = \"13.toml\"", &just_so),
        "",
        "13 to 20 are eight"
    );

    let many: Files = (0..300)
        .map(|number| (format!("/srv/{number}.toml").into(), Vec::new()))
        .collect();
    assert_eq!(
        problems("include = \"*.toml\"", &many),
        "too many files are included: expected at most 256 in all"
    );
    let long: Files = (0..5)
        .map(|number| {
            let path = format!("/srv/{number}.toml").into();
            (path, vec![b'\n'; SourceFile::LONGEST])
        })
        .collect();
    assert_eq!(
        problems("include = \"*.toml\"", &long),
        "the included files are too long: expected at most 4194304 bytes in all"
    );
}

#[test]
fn links_that_lead_in_a_circle_and_pipes_hold_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("conf.d")).expect("made");
    std::fs::write(at("mainstay.toml"), "include = \"conf.d/*.toml\"\n").expect("written");
    std::fs::write(at("shared"), "[limits]\nqueue = 3\n").expect("written");
    std::os::unix::fs::symlink(at("shared"), at("conf.d/linked.toml")).expect("linked");
    std::os::unix::fs::symlink(at("shared"), at("conf.d/twice.toml")).expect("linked");
    std::os::unix::fs::symlink(at("conf.d/loop.toml"), at("conf.d/loop.toml")).expect("linked");
    std::fs::create_dir(at("conf.d/folder.toml")).expect("made");
    let pipe = std::process::Command::new("mkfifo")
        .arg(at("conf.d/pipe.toml"))
        .status();
    assert!(pipe.is_ok_and(|status| status.success()));
    let gather = || {
        Sources::gather(Flags::default(), BTreeMap::new(), folder.path().into()).expect("a file")
    };
    let settings = load(&gather()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.limits.queue, 3);

    let named = "include = [\"../mainstay.toml\", \"pipe.toml\"]\n";
    std::fs::write(at("conf.d/back.toml"), named).expect("written");
    let problems = load(&gather()).expect_err("a circle");
    assert_eq!(
        problems.to_string(),
        "`conf.d/../mainstay.toml` includes itself: expected another file (by way of `conf.d/back.toml`)\n\
         cannot read `pipe.toml`: it is no regular file"
    );
}
