use std::fs;

use super::*;

struct Project(tempfile::TempDir);

impl Project {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if name.contains(".bin/") || text.starts_with("#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        Self(folder)
    }

    fn resolve(&self, target: &Target) -> Result<Launch, LaunchError> {
        let environment = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
        Launch::resolve(target, &CommandLine::default(), &environment, self.0.path())
    }

    fn command(&self, command: &str) -> Launch {
        self.resolve(&Target::Command(command.to_owned())).unwrap()
    }

    fn path(&self, path: &str) -> Result<Launch, LaunchError> {
        self.resolve(&Target::Path(path.into()))
    }
}

#[test]
fn commands_are_executed_directly_when_plain() {
    let project = Project::with(&[]);
    assert_eq!(project.command("node a.js").words, ["node", "a.js"]);
    let launch = project.command("A=1 node a.js");
    assert_eq!(launch.words, ["sh", "-c", "exec env A=1 node a.js"]);
    assert_eq!(launch.runtime, Runtime::Node);
    assert!(matches!(
        project.resolve(&Target::Command("  ".into())),
        Err(LaunchError::Empty)
    ));
}

#[test]
fn a_folder_starts_as_its_package_says() {
    let project = Project::with(&[
        (
            "package.json",
            r#"{"name":"@a/shop","version":"1.2.3","scripts":{"start":"tsx src/a.ts","prestart":"echo hi"}}"#,
        ),
        ("node_modules/.bin/tsx", "#!/usr/bin/env node"),
        ("sub/x", ""),
    ]);
    let expected = ["sh", "-c", "echo hi && exec tsx src/a.ts"];
    let launch = project.path(".").unwrap();
    assert_eq!(launch.words, expected);
    assert_eq!(launch.name, "shop");
    assert_eq!(launch.path_prefix.len(), 1);
    assert!(
        launch
            .variables
            .contains(&("npm_package_version".into(), "1.2.3".into()))
    );
    for command in ["npm start", "npm run start", "pnpm start", "yarn start"] {
        assert_eq!(project.command(command).words, expected, "{command}");
    }
    assert_eq!(project.command("npm install").words, ["npm", "install"]);
    assert!(project.command("npx tsx a.ts").words[0].ends_with("node_modules/.bin/tsx"));
}

#[test]
fn without_a_start_script_the_usual_files_are_tried() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (
            &[("package.json", r#"{"main":"lib"}"#), ("lib/index.js", "")],
            "lib/index.js",
        ),
        (
            &[("package.json", r#"{"main":"./srv"}"#), ("srv.js", "")],
            "srv.js",
        ),
        (
            &[("package.json", r#"{"main":"gone.js"}"#), ("index.js", "")],
            "index.js",
        ),
        (&[("server.js", ""), ("app.js", "")], "server.js"),
        (&[("app.js", "")], "app.js"),
    ];
    for (files, expected) in cases {
        let launch = Project::with(files).path(".").unwrap();
        assert_eq!(launch.words, ["node", expected]);
    }
    let error = Project::with(&[]).path(".").unwrap_err().to_string();
    assert!(error.contains("`start` script in package.json, `server.js`, `index.js`, `app.js`"));
}

#[test]
fn files_run_by_their_kind() {
    let project = Project::with(&[
        ("a.mjs", ""),
        ("a.py", ""),
        ("a.txt", ""),
        ("run", "#!/usr/bin/python3\n"),
        ("node_modules/.bin/ts-node", ""),
        ("src/a.ts", ""),
    ]);
    assert_eq!(project.path("a.mjs").unwrap().words, ["node", "a.mjs"]);
    let python = project.path("a.py").unwrap();
    assert_eq!(
        (python.words[0].as_str(), python.runtime),
        ("python3", Runtime::Port)
    );
    assert_eq!(project.path("run").unwrap().runtime, Runtime::Port);
    assert!(matches!(
        project.path("a.txt"),
        Err(LaunchError::UnknownKind(_))
    ));
    assert!(matches!(
        project.path("b.js"),
        Err(LaunchError::NotFound { .. })
    ));
    let typescript = project.path("src/a.ts").unwrap();
    assert!(typescript.words[0] == "node" || typescript.words[0].ends_with("ts-node"));
}

#[test]
fn typescript_without_a_runner_says_what_to_do() {
    let project = Project::with(&[("a.ts", "")]);
    let environment = BTreeMap::from([("PATH".into(), "/nowhere".into())]);
    let target = Target::Path("a.ts".into());
    let error = Launch::resolve(
        &target,
        &CommandLine::default(),
        &environment,
        project.0.path(),
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("npm install --save-dev tsx"),
        "{error}"
    );
}

#[test]
fn what_stands_around_the_file_finds_its_place() {
    let project = Project::with(&[
        ("a.js", ""),
        ("job.php", ""),
        ("run.sh", "#!/bin/sh\n"),
        ("package.json", r#"{"scripts":{"start":"node a.js"}}"#),
        ("folder/x", ""),
    ]);
    let environment = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
    let resolve = |target: &Target, interpreter: Option<&str>, before: &[&str], args: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let line = CommandLine {
            interpreter: interpreter.map(|name| match name {
                "none" => Interpreter::Itself,
                name => Interpreter::Program(name.to_owned()),
            }),
            interpreter_args: words(before),
            args: words(args),
        };
        Launch::resolve(target, &line, &environment, project.0.path())
            .map(|launch| launch.words.join("|"))
    };
    let path = |path: &str| Target::Path(path.into());
    let command = |line: &str| Target::Command(line.to_owned());
    let own = project.0.path().join("run.sh").display().to_string();
    let cases = [
        (
            path("a.js"),
            None,
            vec!["-x"],
            vec!["b c"],
            "node|-x|a.js|b c".to_owned(),
        ),
        (
            path("a.js"),
            Some("bun"),
            vec!["run"],
            vec!["b"],
            "bun|run|a.js|b".to_owned(),
        ),
        (
            command("a.js b"),
            Some("node"),
            vec![],
            vec!["c"],
            "node|a.js|b|c".to_owned(),
        ),
        (
            path("job.php"),
            None,
            vec![],
            vec![],
            "php|job.php".to_owned(),
        ),
        (
            command("run.sh"),
            Some("none"),
            vec![],
            vec!["a"],
            format!("{own}|a"),
        ),
        (path("run.sh"), None, vec![], vec!["a"], format!("{own}|a")),
        (
            path("."),
            None,
            vec![],
            vec!["b c"],
            "sh|-c|exec node a.js 'b c'".to_owned(),
        ),
        (
            command("A=1 node a.js"),
            None,
            vec![],
            vec!["b"],
            "sh|-c|exec env A=1 node a.js b".to_owned(),
        ),
    ];
    for (target, interpreter, before, args, expected) in cases {
        let found = resolve(&target, interpreter, &before, &args).unwrap();
        assert_eq!(found, expected, "{target:?}");
    }
    for (target, interpreter, before, part) in [
        (
            path("folder"),
            Some("node"),
            vec![],
            "is none: name the file",
        ),
        (
            command("a && b"),
            Some("node"),
            vec![],
            "is none: name the file",
        ),
        (path("."), None, vec!["-x"], "have no interpreter"),
    ] {
        let error = resolve(&target, interpreter, &before, &[]).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}
