//! `mainstay check`: what a start would say, without a trace of one.

use std::net::TcpListener;

use mainstay_testkit::{Ended, Mainstay, Origin, free_port};
use serde_json::Value;

const HELLO: &str =
    "require('http').createServer((request, response) => response.end('hello')).listen(3000);";

fn check(settings: &str) -> Mainstay {
    Mainstay::say(["check"])
        .file("server.js", HELLO)
        .file("mainstay.toml", settings)
}

/// What it says as JSON, and the code it ended with.
fn report(mainstay: Mainstay) -> (Value, Option<i32>) {
    let ended: Ended = mainstay.flags(["--json"]).finish();
    let report = serde_json::from_str(&ended.output);
    let report = report.unwrap_or_else(|error| panic!("no JSON ({error}): {}", ended.output));
    (report, ended.status.code())
}

/// The findings about a setting.
fn about<'a>(report: &'a Value, setting: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().expect("a list");
    let about = findings.iter().filter(|one| one["setting"] == setting);
    about.collect()
}

#[test]
fn sound_settings_on_a_free_address_would_start_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    let settings = format!(
        "listen = \"127.0.0.1:{}\"\n[app.web]\ncommand = \"node server.js\"\n",
        free_port()
    );
    write("mainstay.toml", &settings).expect("the folder is ours");
    write("server.js", HELLO).expect("the folder is ours");
    Mainstay::say(["check", folder.path().to_str().expect("UTF-8")])
        .env("MAINSTAY_RUNTIME_DIR", folder.path().join("run"))
        .finish()
        .expect_code(0)
        .says(["it would start", "is free", "server.js"]);
    let plain = Mainstay::say(["check"])
        .file("server.js", HELLO)
        .flags(["--listen", "127.0.0.1:0"]);
    let shown = format!("`node server.js` in `{}`", plain.folder().display());
    plain.finish().expect_code(0).says([&shown]);
    let entries = std::fs::read_dir(folder.path()).expect("the folder");
    assert_eq!(entries.count(), 2, "the two files, and nothing else");
}

#[test]
fn every_problem_of_the_settings_is_told_with_its_place() {
    let settings = "workers = 2\n[app.web]\nworkerz = 3\n";
    check(settings)
        .finish()
        .expect_code(2)
        .says(["mainstay.toml:1:1", "did you mean `workers`?"]);
    let (report, code) = report(check(settings));
    assert_eq!((code, &report["starts"]), (Some(2), &Value::Bool(false)));
    let problem = &report["problems"][1];
    assert_eq!(problem["what"], "`app.web.workerz` is not a setting");
    assert_eq!(
        (&problem["line"], &problem["column"]),
        (&3.into(), &1.into())
    );
}

#[test]
fn a_taken_port_is_named_with_the_line_that_asks_for_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let settings = format!("preset = \"safe\"\nlisten = \"{address}\"\n");
    let (report, code) = report(check(&settings));
    assert_eq!(code, Some(3), "{report}");
    let about = about(&report, "listen.http");
    assert_eq!(about[0]["level"], "error");
    assert_eq!(about[0]["origin"], "mainstay.toml:2:10");
    let what = about[0]["what"].as_str().unwrap_or_default();
    let own = format!("(process {})", std::process::id());
    assert!(
        what.contains("is in use by `") && what.contains(&own),
        "{what}"
    );
}

#[test]
fn a_missing_program_a_missing_file_and_an_unknown_user_are_found() {
    let settings = "
[app.absent]
command = \"no-such-program --serve\"
listen = \"127.0.0.1:0\"
[app.unbuilt]
command = \"node dist/server.js\"
listen = \"127.0.0.1:0\"
[app.stranger]
command = \"node server.js\"
user = \"nobody-of-that-name\"
listen = \"127.0.0.1:0\"
[app.nowhere]
cwd = \"absent\"
listen = \"127.0.0.1:0\"
";
    let settings = settings.replace("127.0.0.1:0", "PORT");
    let settings = settings.split("PORT").fold(String::new(), |text, part| {
        if text.is_empty() {
            part.to_owned()
        } else {
            format!("{text}127.0.0.1:{}{part}", free_port())
        }
    });
    let (report, code) = report(check(&settings));
    assert_eq!(code, Some(1), "as the first failure of a start: {report}");
    for (setting, what) in [
        ("app.absent.command", "no-such-program"),
        ("app.unbuilt.command", "dist/server.js"),
        ("app.stranger.user", "nobody-of-that-name"),
        ("app.nowhere.cwd", "there is no folder"),
    ] {
        let about = about(&report, setting);
        assert_eq!(about[0]["level"], "error", "{setting}");
        let said = about[0]["what"].as_str().unwrap_or_default();
        assert!(said.contains(what), "{setting}: {said}");
        assert_ne!(about[0]["origin"], "preset", "{setting}");
    }
}

#[test]
fn what_is_left_open_is_told_with_its_price() {
    let settings = "preset = \"off\"\ntrusted_proxies = 1\n[log]\naccess = false\n";
    let (report, _) = report(check(settings));
    for setting in ["preset", "trusted_proxies", "log.access"] {
        let about = about(&report, setting);
        assert_eq!(about[0]["level"], "warning", "{setting}");
        assert!(about[0]["cost"].is_string(), "{setting}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_a_warning_only() {
    let settings = format!(
        "listen = \"127.0.0.1:{}\"\n[upstream.u]\nserver = \"127.0.0.1:{}\"\n",
        free_port(),
        free_port()
    );
    let (report, code) = report(check(&settings));
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(about(&report, "upstream.u.servers")[0]["level"], "warning");
}

#[test]
fn the_address_of_the_running_instance_is_no_fault() {
    let port = free_port();
    let settings = format!(
        "name = \"shop\"\nlisten = \"127.0.0.1:{port}\"\n[upstream.u]\nserver = \"ORIGIN\"\n"
    );
    let origin = Origin::says("hello").start();
    let settings = settings.replace("ORIGIN", &origin.address());
    let running = Mainstay::run("")
        .config(&settings)
        .listens_as_configured()
        .start();
    let beside = check(&settings).beside(&running);
    let (report, code) = report(beside);
    assert_eq!(code, Some(0), "{report}");
    let text = report.to_string();
    assert!(
        text.contains("belongs to the running instance `shop`"),
        "{text}"
    );
}

#[test]
fn explained_settings_name_file_variable_flag_and_preset_and_hide_what_apps_are_told() {
    let settings = "[app.web]\ncommand = \"node server.js\"\nenv = { DB_PASSWORD = \"hunter2\" }\n";
    let ended = check(settings)
        .env("MAINSTAY_TRUSTED_PROXIES", "loopback")
        .flags(["--explain", "--workers", "2"])
        .finish();
    for (setting, origin) in [
        ("app.web.command = \"node server.js\"", "mainstay.toml:2:11"),
        ("app.web.workers = 2", "--workers"),
        ("trusted_proxies = \"loopback\"", "MAINSTAY_TRUSTED_PROXIES"),
        ("limits.head = \"32kb\"", "preset"),
        ("app.web.env.DB_PASSWORD = (not shown)", "mainstay.toml:3"),
    ] {
        let line = ended.output.lines().find(|line| line.starts_with(setting));
        let line = line.unwrap_or_else(|| panic!("no line `{setting}` in\n{}", ended.output));
        assert!(line.contains(origin), "{line}");
    }
    assert!(!ended.output.contains("hunter2"), "{}", ended.output);
}

#[test]
fn a_profile_is_in_force_where_it_was_chosen_with_its_own_lines() {
    let settings = "[app.web]\ncommand = \"node server.js\"\n[profile.live.app.web]\nworkers = 2\n";
    for chosen in [
        check(settings).flags(["--explain", "--env", "live"]),
        check(settings)
            .flags(["--explain"])
            .env("MAINSTAY_ENV", "live"),
    ] {
        let output = chosen.finish().expect_code(0).output;
        let line = output
            .lines()
            .find(|line| line.starts_with("app.web.workers"));
        let line = line.unwrap_or_else(|| panic!("no workers in\n{output}"));
        assert!(
            line.contains("= 2 ") && line.contains("mainstay.toml:4:11"),
            "{line}"
        );
    }
    check(settings)
        .flags(["--env", "life"])
        .finish()
        .expect_code(2)
        .says(["there is no profile `life`", "did you mean `live`?"]);
}

#[test]
fn pages_without_an_origin_and_with_cookies_are_warned_of() {
    let settings = |credentials: bool| {
        format!(
            "[app.web]\ncommand = \"node server.js\"\n\
             [cors]\norigins = [\"https://shop.example\", \"null\"]\ncredentials = {credentials}\n\
             [route.all]\nto = \"web\"\n[route.files]\npath = \"/files\"\nto = \"web\"\n\
             [route.files.cors]\norigins = \"/.*/\"\n"
        )
    };
    let (told, code) = report(check(&settings(true)).flags(["--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(0));
    // a regular expression may mean it too
    for setting in ["cors.origins", "route.files.cors.origins"] {
        let found = about(&told, setting);
        assert_eq!(found.len(), 1, "{setting}: {told}");
        assert_eq!(found[0]["level"], "warning");
    }
    let (told, _) = report(check(&settings(false)).flags(["--listen", "127.0.0.1:0"]));
    assert!(about(&told, "cors.origins").is_empty(), "{told}");
}
