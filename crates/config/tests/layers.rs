//! Preset, file, environment, flags: the later wins, and each value knows where it came from.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_config::{Flags, Origin, SourceFile, Sources, explain};
use mainstay_supervisor::launch::Target;

fn sources() -> Sources {
    Sources {
        file: Some(SourceFile::new(
            "etc/mainstay.toml",
            "/etc/shop",
            b"preset = \"off\"\nlisten = \":1\"\n\n[app.web]\ncwd = \"site\"\nport = 3000\n"
                .to_vec(),
        )),
        folder: "/home/ada".into(),
        ..Sources::default()
    }
}

#[test]
fn the_later_layer_wins_and_is_named() {
    let mut sources = sources();
    let explained = |sources: &Sources| {
        let loaded = explain(sources).expect("sound");
        let origins = [
            "listen",
            "listen.http",
            "app.web.port",
            "app.web.workers",
            "limits.head",
        ]
        .map(|path| loaded.origins.of(path).to_string());
        (loaded.settings.listen.http[0].to_string(), origins)
    };
    let file = "etc/mainstay.toml:";
    let (listen, origins) = explained(&sources);
    assert_eq!(listen, ":1");
    assert_eq!(
        origins,
        [
            &format!("{file}2:10"),
            &format!("{file}2:10"),
            &format!("{file}6:8"),
            "preset",
            "preset"
        ]
    );

    sources.environment = BTreeMap::from([
        ("MAINSTAY_LISTEN".to_owned(), ":2".to_owned()),
        ("MAINSTAY_WORKERS".to_owned(), "2".to_owned()),
    ]);
    let (listen, origins) = explained(&sources);
    assert_eq!(listen, ":2");
    assert_eq!(
        (origins[1].as_str(), origins[3].as_str()),
        ("MAINSTAY_LISTEN", "MAINSTAY_WORKERS")
    );

    sources.flags.listen = Some(":3".to_owned());
    let (listen, origins) = explained(&sources);
    assert_eq!((listen.as_str(), origins[1].as_str()), (":3", "--listen"));
}

#[test]
fn paths_are_relative_to_where_they_were_written() {
    let mut sources = sources();
    let cwd = |sources: &Sources| {
        explain(sources).expect("sound").settings.apps[0]
            .options
            .cwd
            .clone()
    };
    assert_eq!(cwd(&sources).as_deref(), Some(Path::new("/etc/shop/site")));
    sources.flags = Flags {
        target: Some(Target::Path("server.js".into())),
        observe: Some("unix:observe.sock".to_owned()),
        ..Flags::default()
    };
    assert_eq!(cwd(&sources).as_deref(), Some(Path::new("/home/ada")));
    let loaded = explain(&sources).expect("sound");
    let observe = loaded
        .settings
        .listen
        .observe
        .map(|address| address.to_string());
    assert_eq!(observe.as_deref(), Some("unix:/home/ada/observe.sock"));
    assert!(matches!(
        loaded.origins.of("app.web.command"),
        Origin::Flag { name: "run", .. }
    ));
}

#[test]
fn the_app_of_a_folder_is_called_after_it() {
    for (folder, name) in [
        ("/srv/shop", "shop"),
        ("/srv/My Shop!", "My-Shop-"),
        ("/srv/.hidden", "hidden"),
        ("/srv/日本", "app"),
        ("/", "app"),
        (
            "/srv/a-name-that-is-much-longer-than-any-name-may-be",
            "a-name-that-is-much-longer-than-",
        ),
    ] {
        let sources = Sources {
            folder: folder.into(),
            ..Sources::default()
        };
        let settings = explain(&sources).expect("sound").settings;
        assert_eq!(settings.apps[0].name(), name);
        assert_eq!(settings.routes[0].to, name);
    }
}

#[test]
fn the_gateway_gets_no_environment_of_an_app() {
    let text = b"[app.web]\nenv = { TOKEN = \"hunter2\" }\n";
    let sources = Sources {
        file: Some(SourceFile::new("mainstay.toml", "/srv", text.to_vec())),
        ..Sources::default()
    };
    let settings = explain(&sources).expect("sound").settings;
    assert_eq!(settings.apps[0].options.env["TOKEN"], "hunter2");
    let sent = serde_json::to_string(&settings.for_gateway()).expect("plain data");
    assert!(!sent.contains("hunter2"), "{sent}");
}
