//! The commands in README and documents are typed as they stand there, in a folder with an Express app. What cannot
//! be typed here is in a list with the reason; a command that is in neither is a mistake.

use std::env::{join_paths, split_paths};

use mainstay_testkit::{Block, Folder, Mainstay, Origin, Running, document_blocks, eventually};

/// What blocks may be in, besides `sh` and `toml`: nobody runs or loads these.
const SHOWN: [&str; 6] = ["text", "nginx", "ini", "dockerfile", "yaml", "js"];

/// Commands that are not typed here, by how they begin.
const ELSEWHERE: [(&str, &str); 15] = [
    ("mainstay logs -f", "goes on until it is interrupted"),
    ("cargo run", "the demo; its own test starts it"),
    ("cargo xtask", "these tests are part of it"),
    (
        "cargo install",
        "builds the program for an hour of these tests; it was built for them",
    ),
    ("git clone", "needs a network"),
    ("cd ", "every block is run where its app is"),
    ("npm ci", "needs a network"),
    ("npm install", "needs a network"),
    ("npm run build", "builds an app that needs no building"),
    ("ln -sfn", "changes a folder that is not there"),
    ("docker ", "needs docker"),
    ("pm2 ", "belongs to others"),
    ("nginx ", "belongs to others"),
    ("sudo ", "changes the machine"),
    ("ss ", "may not be installed"),
];

/// What one document's commands act on.
struct Scene {
    folder: Folder,
    origin: Origin,
    running: Option<Running>,
    /// Something was started in the background.
    has_background: bool,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::new();
        let package = r#"{"name":"shop","scripts":{"start":"node server.js"},"dependencies":{"express":"^5"}}"#;
        folder.write("package.json", package);
        folder.write("server.js", "const app = require('express')(); app.get('/', (q, r) => r.send('shop')); app.listen(3000);");
        folder.link_packages();
        Self {
            folder,
            origin: Origin::says("there").start(),
            running: None,
            has_background: false,
        }
    }

    /// A program of the shell, where `mainstay` is the one under test.
    fn shell(&self, line: &str) -> Mainstay {
        let program = Mainstay::say([])
            .program()
            .parent()
            .expect("a folder")
            .to_owned();
        #[expect(
            clippy::disallowed_methods,
            reason = "commands are found where the machine has them"
        )]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = join_paths(std::iter::once(program).chain(split_paths(&path)))
            .expect("folders of a search path");
        let here = self.folder.path();
        let text = format!("cd {} && exec env {line}", here.display());
        Mainstay::say(["-c", &text])
            .binary("/bin/sh")
            .env("PATH", path)
            .env("HOME", here)
            .env("MAINSTAY_HOME", here.join(".home"))
            .env("MAINSTAY_RUNTIME_DIR", here.join(".run"))
            .env("MAINSTAY_LISTEN", "127.0.0.1:0")
            .env("MAINSTAY_OBSERVE", "")
    }

    fn run(&mut self, line: &str) {
        if let Some(before) = self.running.take() {
            assert!(before.stop().success(), "what ran before `{line}`");
        }
        let line = line
            .replace("127.0.0.1:9000", &self.origin.address())
            .replace("--listen 127.0.0.1:8080", "--listen 127.0.0.1:0")
            .replace("--listen :8080", "--listen 127.0.0.1:0");
        let running = self.shell(&line).start();
        eventually("the app's answer", || {
            (running.get("/").status() == 200).then_some(())
        });
        self.running = Some(running);
    }

    /// Types one line, and expects it to do what it says.
    fn type_line(&mut self, line: &str) -> Result<(), String> {
        if ELSEWHERE.iter().any(|(start, _)| line.starts_with(start)) {
            return Ok(());
        }
        let words: Vec<&str> = line
            .split_whitespace()
            .skip_while(|word| word.contains('='))
            .collect();
        match words[..] {
            ["mainstay", "run", ..] => self.run(line),
            [
                "mainstay",
                "reload" | "status" | "stop" | "disable" | "enable" | "csp" | "pause" | "resume"
                | "maintenance" | "limits" | "unban" | "crashes" | "logs" | "cache" | "ls"
                | "restart" | "delete" | "upgrade",
                ..,
            ] => {
                if self.running.is_none() && !self.has_background {
                    self.run("mainstay run");
                }
                let _ = self.shell(line).finish().expect_code(0);
                if words[1] == "stop" {
                    self.running = None;
                }
            }
            ["mainstay", "start", ..] => {
                // what a page stops by name it has started by name
                if let Some(before) = self.running.take() {
                    assert!(before.stop().success(), "what ran before `{line}`");
                }
                let _ = self.shell(line).finish().expect_code(0);
                self.has_background = true;
            }
            ["mainstay", "init" | "import", ..] => {
                let _ = std::fs::remove_file(self.folder.path().join("mainstay.toml"));
                let _ = self.shell(line).finish().expect_code(0);
            }
            ["mainstay", ..] => {
                let _ = self.shell(line).finish().expect_code(0);
            }
            ["curl", "-i", url] => {
                if self.running.is_none() {
                    self.run("mainstay run");
                }
                let path = url
                    .strip_prefix("http://localhost:3000")
                    .ok_or("another address")?;
                let _ = self
                    .running
                    .as_ref()
                    .expect("it runs")
                    .get(path)
                    .expect(200);
            }
            _ => return Err("nothing says how to try this".to_owned()),
        }
        Ok(())
    }
}

/// The commands of a block, without remarks, continued lines as one.
fn commands(block: &Block) -> Vec<String> {
    let text = block.text.replace("\\\n", " ");
    let plain = text
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    let single = plain.flat_map(|line| line.split(" && "));
    let meant = single.filter(|line| !line.is_empty() && !line.starts_with('#'));
    meant.map(str::to_owned).collect()
}

/// Types all commands of one document.
#[track_caller]
fn type_all(document: &str) {
    let blocks = document_blocks();
    let mut scene = Scene::new();
    for block in blocks.iter().filter(|block| block.document == document) {
        for (language, begin, name) in [
            ("toml", "# mainstay.toml", "mainstay.toml"),
            ("js", "// ecosystem.config.js", "ecosystem.config.js"),
        ] {
            if block.language == language && block.text.starts_with(begin) {
                scene.folder.write(name, &block.text);
            }
        }
        let lines = commands(block);
        for line in lines.iter().filter(|_| block.language == "sh") {
            let place = format!("{document}:{}: {line}", block.line);
            assert_eq!(scene.type_line(line), Ok(()), "{place}");
        }
    }
    if scene.has_background {
        let _ = scene.shell("mainstay stop all").finish();
    }
    if let Some(running) = scene.running {
        assert!(running.stop().success());
    }
}

macro_rules! documents {
    ($($test:ident: $document:literal,)*) => {
        /// Those whose commands are typed.
        const TYPED: &[&str] = &[$($document),*];
        $(
            #[test]
            fn $test() {
                type_all($document);
            }
        )*
    };
}

documents! {
    commands_of_the_headers_page_do_what_they_say: "docs/protection/headers.md",
    commands_of_the_readme_do_what_they_say: "README.md",
    commands_of_the_balancer_page_do_what_they_say: "docs/behind-a-balancer.md",
    commands_of_the_container_page_do_what_they_say: "docs/container.md",
    commands_of_the_first_ten_minutes_do_what_they_say: "docs/first-ten-minutes.md",
    commands_of_standing_beside_do_what_they_say: "docs/migrate/beside.md",
    commands_of_moving_from_pm2_do_what_they_say: "docs/migrate/from-pm2.md",
    commands_of_going_back_do_what_they_say: "docs/migrate/going-back.md",
    commands_of_one_layer_at_a_time_do_what_they_say: "docs/migrate/layer-by-layer.md",
    commands_of_nginx_staying_do_what_they_say: "docs/migrate/nginx-stays.md",
    commands_of_the_layers_page_do_what_they_say: "docs/operations/layers.md",
    commands_of_the_maintenance_page_do_what_they_say: "docs/operations/maintenance.md",
    commands_of_the_overload_page_do_what_they_say: "docs/protection/overload.md",
    commands_of_the_background_page_do_what_they_say: "docs/operations/background.md",
    commands_of_the_logs_page_do_what_they_say: "docs/operations/logs.md",
    commands_of_the_ports_page_do_what_they_say: "docs/operations/ports.md",
    commands_of_the_reload_page_do_what_they_say: "docs/operations/reload.md",
    commands_of_the_upgrade_page_do_what_they_say: "docs/operations/upgrade.md",
    commands_of_the_workers_page_do_what_they_say: "docs/operations/workers.md",
    commands_of_the_filters_page_do_what_they_say: "docs/protection/filters.md",
    commands_of_the_authentication_page_do_what_they_say: "docs/protection/authentication.md",
    commands_of_the_rate_limits_page_do_what_they_say: "docs/protection/rate-limits.md",
    commands_of_the_sizes_page_do_what_they_say: "docs/protection/sizes.md",
    commands_of_the_cache_page_do_what_they_say: "docs/speed/cache.md",
}

#[test]
fn every_document_with_commands_has_its_test() {
    let blocks = document_blocks();
    let missing = blocks
        .iter()
        .filter(|block| block.language == "sh")
        .find(|block| !TYPED.contains(&block.document.as_str()));
    assert_eq!(missing, None, "give it a line in the list above");
}

#[test]
fn every_block_in_the_documents_is_of_a_known_kind() {
    let unknown: Vec<String> = document_blocks()
        .iter()
        .filter(|block| !["sh", "toml"].contains(&block.language.as_str()))
        .filter(|block| !SHOWN.contains(&block.language.as_str()))
        .map(|block| format!("{}:{}: `{}`", block.document, block.line, block.language))
        .collect();
    assert!(
        unknown.is_empty(),
        "neither run, nor loaded, nor known to be only shown: {unknown:?}"
    );
}
