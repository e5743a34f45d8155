//! What PM2 runs now, as an ecosystem file would say it; and which variables may be written down.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mainstay_config::ecosystem::Ecosystem;
use serde_json::{Map, Value, json};

use crate::ecosystem::{Cut, outcome};
use crate::failure::Failure;

/// PM2 may have to start its daemon first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Variables whose values are never secrets.
const HARMLESS: [&str; 3] = ["NODE_ENV", "PORT", "TZ"];

/// Variables that every process of a login has, and those of PM2 itself: they say nothing about the app.
const NOISE: [&str; 32] = [
    "PATH",
    "HOME",
    "PWD",
    "OLDPWD",
    "SHELL",
    "SHLVL",
    "USER",
    "LOGNAME",
    "MAIL",
    "TERM",
    "LANG",
    "LANGUAGE",
    "HOSTNAME",
    "DISPLAY",
    "EDITOR",
    "PAGER",
    "LESSOPEN",
    "LESSCLOSE",
    "LS_COLORS",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SUDO_COMMAND",
    "SUDO_USER",
    "SUDO_UID",
    "SUDO_GID",
    "_",
    "NODE_APP_INSTANCE",
    "pm_id",
    "name",
    "unique_id",
    "namespace",
    "exec_mode",
];
const NOISY_BEGINNINGS: [&str; 9] = [
    "PM2_", "pm_", "axm_", "LC_", "SSH_", "XDG_", "NVM_", "DBUS_", "npm_",
];

/// What an app has unless somebody said otherwise.
const USUAL: [(&str, &str); 22] = [
    ("namespace", "\"default\""),
    ("watch", "false"),
    ("ignore_watch", "[]"),
    ("autorestart", "true"),
    ("max_memory_restart", "0"),
    ("kill_timeout", "1600"),
    ("listen_timeout", "3000"),
    ("wait_ready", "false"),
    ("shutdown_with_message", "false"),
    ("treekill", "true"),
    ("cron_restart", "\"0\""),
    ("restart_delay", "0"),
    ("exp_backoff_restart_delay", "0"),
    ("min_uptime", "1000"),
    ("max_restarts", "16"),
    ("stop_exit_codes", "[]"),
    ("increment_var", "\"\""),
    ("instance_var", "\"NODE_APP_INSTANCE\""),
    ("filter_env", "[]"),
    ("log_date_format", "\"\""),
    ("uid", "\"\""),
    ("gid", "\"\""),
];

/// Asks PM2 what runs. Paths are told relative to `folder`, where they are below it.
pub(crate) fn running(folder: &Path) -> Result<Ecosystem, Failure> {
    let mut command = Command::new("pm2");
    command.arg("jlist");
    let said = match outcome(command, PATIENCE) {
        Ok(said) => said,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::usage(
                "there is no `pm2` on the PATH to ask what runs; name the file instead: `mainstay import pm2 ecosystem.config.js`",
            ));
        }
        Err(error) => return Err(Failure::machine(format!("`pm2 jlist`: {error}"))),
    };
    let processes = list(&said.out).ok_or_else(|| {
        let why = if said.cut == Cut::Late {
            format!("said nothing within {} s", PATIENCE.as_secs())
        } else {
            "said no list of processes".to_owned()
        };
        Failure::machine(format!(
            "`pm2 jlist` {why}; name the file instead: `mainstay import pm2 ecosystem.config.js`"
        ))
    })?;
    let apps = apps(&processes, folder);
    if apps.is_empty() {
        return Err(Failure::usage(
            "PM2 runs nothing as this user; start the apps, or name the file: `mainstay import pm2 ecosystem.config.js`",
        ));
    }
    Ok(Ecosystem {
        name: "`pm2 jlist`".to_owned(),
        folder: folder.to_owned(),
        value: json!({ "apps": apps }),
    })
}

/// The list behind whatever else PM2 has to say.
fn list(out: &[u8]) -> Option<Vec<Value>> {
    let text = String::from_utf8_lossy(out);
    let lines = text.lines().map(str::trim);
    let mut lists = lines.filter(|line| line.starts_with('['));
    lists.find_map(|line| serde_json::from_str(line).ok())
}

/// One app for each name, in the order of the list. PM2's own modules are none.
fn apps(processes: &[Value], folder: &Path) -> Vec<Value> {
    let mut apps: Vec<(String, Map<String, Value>, u32)> = Vec::new();
    for process in processes {
        let Some(env) = process.get("pm2_env").and_then(Value::as_object) else {
            continue;
        };
        let options = env.get("axm_options");
        let is_module = options.and_then(|options| options.get("isModule")?.as_bool());
        if is_module == Some(true) {
            continue;
        }
        let name = process.get("name").and_then(Value::as_str);
        let name = name.unwrap_or("app").to_owned();
        match apps.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, count)) => *count += 1,
            None => apps.push((name, env.clone(), 1)),
        }
    }
    let app = |(name, env, count): (String, Map<String, Value>, u32)| {
        Value::from(app(&name, &env, count, folder))
    };
    apps.into_iter().map(app).collect()
}

fn app(name: &str, env: &Map<String, Value>, count: u32, folder: &Path) -> Map<String, Value> {
    let mut app = Map::new();
    let text = |key: &str| env.get(key).and_then(Value::as_str);
    app.insert("name".to_owned(), json!(name));
    let cwd = Path::new(text("pm_cwd").unwrap_or("."));
    let script = Path::new(text("pm_exec_path").unwrap_or_default());
    let script = script.strip_prefix(cwd).unwrap_or(script);
    app.insert("script".to_owned(), json!(script.display().to_string()));
    if cwd != folder {
        let shown = cwd.strip_prefix(folder).unwrap_or(cwd);
        app.insert("cwd".to_owned(), json!(shown.display().to_string()));
    }
    if let Some(interpreter) = text("exec_interpreter") {
        app.insert("interpreter".to_owned(), json!(interpreter));
    }
    for list in ["args", "node_args"] {
        let words = env.get(list).filter(|words| {
            let is_empty = words.as_array().is_some_and(Vec::is_empty);
            !words.is_null() && !is_empty
        });
        if let Some(words) = words {
            app.insert(list.to_owned(), words.clone());
        }
    }
    if count > 1 || text("exec_mode") == Some("cluster_mode") {
        app.insert("instances".to_owned(), json!(count));
    }
    for (field, usual) in USUAL {
        let said = env.get(field).filter(|value| {
            let shown = value.to_string();
            !value.is_null() && shown != usual && shown != "\"\""
        });
        if let Some(value) = said {
            app.insert(field.to_owned(), value.clone());
        }
    }
    let variables = env.get("env").and_then(Value::as_object);
    let variables = variables.into_iter().flatten();
    let variables: Map<String, Value> = variables
        .filter(|(name, value)| !is_noise(name) && !value.is_object() && !value.is_array())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    app.insert("env".to_owned(), Value::from(variables));
    app
}

fn is_noise(name: &str) -> bool {
    let begins = |beginning: &&str| name.starts_with(*beginning);
    NOISE.contains(&name) || NOISY_BEGINNINGS.iter().any(begins)
}

/// Whether the value of a variable that PM2 tells may be written down.
pub(crate) fn was_harmless(name: &str, _value: &str) -> bool {
    HARMLESS.contains(&name)
}

/// Whether the value of a variable stands in the file itself, so that writing it down tells nobody more.
pub(crate) fn stands_in(text: &str) -> impl Fn(&str, &str) -> bool {
    move |name, value| HARMLESS.contains(&name) || value.is_empty() || text.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
>>>> In-memory PM2 is out-of-date, do: pm2 update
[{"pid":1,"name":"api","pm_id":0,"pm2_env":{"exec_mode":"cluster_mode","pm_exec_path":"/srv/shop/dist/server.js","pm_cwd":"/srv/shop",
"exec_interpreter":"node","kill_timeout":1600,"wait_ready":true,"instance_var":"NODE_APP_INSTANCE","filter_env":[],"treekill":true,
"env":{"PATH":"/bin","PORT":3000,"DB_PASSWORD":"hunter2","PM2_HOME":"/home/me/.pm2","api":"{}"}}},
{"pid":2,"name":"api","pm_id":1,"pm2_env":{"exec_mode":"cluster_mode","env":{}}},
{"pid":3,"name":"pm2-logrotate","pm_id":2,"pm2_env":{"axm_options":{"isModule":true}}},
{"pid":4,"name":"jobs","pm_id":3,"pm2_env":{"exec_mode":"fork_mode","pm_exec_path":"/srv/jobs/run.sh","pm_cwd":"/srv/jobs",
"exec_interpreter":"bash","args":["--all"],"env":{}}}]"#;

    #[test]
    fn what_runs_becomes_a_file_that_would_start_it() {
        let list = list(
            LIST.replace(",\n\"", ",\"")
                .replace(",\n{", ",{")
                .as_bytes(),
        )
        .expect("a list");
        let apps = apps(&list, Path::new("/srv/shop"));
        let variables = json!({ "PORT": 3000, "DB_PASSWORD": "hunter2", "api": "{}" });
        assert_eq!(
            apps,
            [
                json!({ "name": "api", "script": "dist/server.js", "interpreter": "node", "instances": 2, "wait_ready": true,
                    "env": variables }),
                json!({ "name": "jobs", "script": "run.sh", "cwd": "/srv/jobs", "interpreter": "bash", "args": ["--all"],
                    "env": {} }),
            ]
        );
    }

    #[test]
    fn only_what_stands_there_is_written_down() {
        let stands = stands_in("env: { KEY: process.env.KEY, LEVEL: 'info' }");
        for (name, value, expected) in [
            ("LEVEL", "info", true),
            ("KEY", "hunter2", false),
            ("PORT", "8080", true),
            ("EMPTY", "", true),
        ] {
            assert_eq!(stands(name, value), expected, "{name}");
        }
        assert!(!was_harmless("LEVEL", "info") && was_harmless("NODE_ENV", "production"));
    }
}
