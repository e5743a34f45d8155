//! The program about to be started: what to run, with what around it.
//!
//! What may not be here: anything of the surrounding machine that changes the outcome. The environment is
//! cleaned, the runtime directory is the test's own, the port is a free one unless the test says otherwise.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Bare, Ended, Folder, Output, Running, Terminal, built, eventually, packages};

/// The runtime directory, inside the program's folder.
const RUNTIME_DIR: &str = ".run";
/// State and logs, beside it.
const HOME: &str = ".home";

/// Describes one start of the program.
#[derive(Debug)]
#[must_use = "nothing runs until `start` or `finish`"]
pub struct Mainstay {
    binary: PathBuf,
    verb: Vec<String>,
    flags: Vec<String>,
    target: Vec<String>,
    folder: Folder,
    environment: Vec<(String, OsString)>,
    path: Vec<PathBuf>,
    address: Address,
    session: Session,
    /// Where it is started; its own folder if that is not said.
    place: Option<PathBuf>,
}

/// To which session of processes it belongs.
#[derive(Debug, PartialEq, Eq)]
enum Session {
    /// To that of the tests, with the terminal they may run in.
    Ours,
    /// To one of its own, without a terminal, as daemons do.
    Own,
    /// To a process namespace of its own, as process 1, as in a container.
    World,
    /// To one of its own that leads a terminal of its own.
    Terminal,
}

/// Who decides the address.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    /// The harness: a free port of loopback.
    Free,
    /// The test, by flags, file or app.
    AsConfigured,
}

impl Mainstay {
    /// `mainstay run FLAGS TARGET`, in a fresh folder: a file, a folder, or nothing (`""`) for the configuration alone.
    #[track_caller]
    pub fn run(target: &str) -> Self {
        let target = if target.is_empty() {
            Vec::new()
        } else {
            vec![target.to_owned()]
        };
        Self::new(&["run"], target)
    }

    /// `mainstay run FLAGS -- COMMAND...`.
    #[track_caller]
    pub fn run_command<const N: usize>(command: [&str; N]) -> Self {
        let words = ["--"]
            .into_iter()
            .chain(command)
            .map(str::to_owned)
            .collect();
        Self::new(&["run"], words)
    }

    /// `mainstay run FLAGS -- mainstay-testapp ARGUMENTS`: the app that misbehaves on request.
    #[track_caller]
    pub fn run_testapp<const N: usize>(arguments: [&str; N]) -> Self {
        let testapp = built::testapp().to_string_lossy().into_owned();
        let words = ["--", &testapp].into_iter().chain(arguments);
        Self::new(&["run"], words.map(str::to_owned).collect())
    }

    /// `mainstay run FLAGS --upstream ADDRESS`.
    #[track_caller]
    pub fn in_front_of(upstream: &str) -> Self {
        Self::run("").flags(["--upstream", upstream])
    }

    /// `mainstay WORDS...`, nothing added.
    #[track_caller]
    pub fn say<const N: usize>(words: [&str; N]) -> Self {
        Self::new(&words, Vec::new()).listens_as_configured()
    }

    #[track_caller]
    fn new(verb: &[&str], target: Vec<String>) -> Self {
        Self {
            binary: built::mainstay(),
            verb: verb.iter().map(|&word| word.to_owned()).collect(),
            flags: Vec::new(),
            target,
            folder: Folder::new(),
            environment: Vec::new(),
            path: Vec::new(),
            address: Address::Free,
            session: Session::Ours,
            place: None,
        }
    }

    /// Another program file than the one that was built beside the tests.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = path.into();
        self
    }

    /// The program file that would be started.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.binary
    }

    /// Flags in front of the target.
    pub fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    /// Writes `mainstay.toml` and names it by `-c`.
    #[track_caller]
    pub fn config(mut self, text: &str) -> Self {
        self.folder.write("mainstay.toml", text);
        self.flags
            .extend(["-c".to_owned(), "mainstay.toml".to_owned()]);
        self
    }

    /// Writes one file of the app.
    #[track_caller]
    pub fn file(self, name: &str, text: &str) -> Self {
        self.folder.write(name, text);
        self
    }

    /// Copies an app of `tests/apps` here, and links the packages it needs.
    #[track_caller]
    pub fn app(self, name: &str) -> Self {
        self.folder.copy_from(&packages::app(name));
        self.packages()
    }

    /// Copies an app of `examples` here.
    #[track_caller]
    pub fn example(self, name: &str) -> Self {
        self.folder.copy_from(&packages::example(name));
        self
    }

    /// Links the Node packages of `tests/apps` here.
    #[track_caller]
    pub fn packages(self) -> Self {
        self.folder.link_packages();
        self
    }

    /// Puts the Python of `tests/apps` in front of the `PATH`.
    #[track_caller]
    pub fn python(mut self) -> Self {
        self.path.push(packages::python());
        self
    }

    /// Starts it there instead of in a folder of its own.
    pub fn typed_in(mut self, place: &Path) -> Self {
        self.place = Some(place.to_owned());
        self
    }

    /// Uses the runtime directory of a program that runs, or ran, already.
    pub fn beside(self, other: &Running) -> Self {
        let folder = other.folder();
        self.env("MAINSTAY_RUNTIME_DIR", folder.join(RUNTIME_DIR))
            .env("MAINSTAY_HOME", folder.join(HOME))
    }

    /// One variable of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Leaves the address to flags, file or app; otherwise a free port of loopback is asked for.
    pub fn listens_as_configured(mut self) -> Self {
        self.address = Address::AsConfigured;
        self
    }

    /// Makes it process 1, in a process namespace of its own. What is started then is `unshare`, the program is its child.
    pub fn as_first_process(mut self) -> Self {
        self.session = Session::World;
        self
    }

    /// Starts it as daemons are started: in a session of its own, which has no terminal.
    pub fn without_terminal(mut self) -> Self {
        self.session = Session::Own;
        self
    }

    /// Where the app's files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits for the line with its address.
    #[track_caller]
    pub fn start(self) -> Running {
        let (child, output) = self.spawn();
        Running::wait_for_address(child, output, self.folder)
    }

    /// Starts it and waits until it has said this; for what listens nowhere.
    #[track_caller]
    pub fn start_until(self, part: &str) -> Running {
        let (child, output) = self.spawn();
        let running = Running::without_address(child, output, self.folder);
        running.output_contains_eventually(part);
        running
    }

    /// Starts the app alone instead, by this command of the shell, which listens on `$PORT`.
    #[must_use = "it ends with its value"]
    #[track_caller]
    pub fn bare(self, command: &str) -> Bare {
        let bin = self.folder.path().join("node_modules/.bin");
        let path = std::env::join_paths(
            std::iter::once(bin).chain(std::env::split_paths(&self.search_path())),
        );
        let path = path.expect("folders that were found by a search path");
        Bare::start(command, self.folder, &path)
    }

    /// Starts it and waits for its end; for what is meant to end by itself.
    #[must_use = "an end that nobody looks at proves nothing"]
    #[track_caller]
    pub fn finish(self) -> Ended {
        let (child, output) = self.spawn();
        let mut running = Running::without_address(child, output.clone(), self.folder);
        let status = eventually(
            &format!("the end of a program that said\n{}", output.text()),
            || running.ended(),
        );
        output.wait_for_end();
        Ended {
            status,
            output: output.text(),
        }
    }

    /// Starts it on a terminal of its own, of this many columns and rows.
    #[track_caller]
    pub fn on_terminal(mut self, columns: u16, rows: u16) -> Terminal {
        self.session = Session::Terminal;
        Terminal::start(self.command(), columns, rows, self.folder)
    }

    #[track_caller]
    fn spawn(&self) -> (Child, Output) {
        let mut command = self.command();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.binary.display()));
        let output = Output::default();
        output.collect(child.stdout.take().expect("it was piped"));
        output.collect(child.stderr.take().expect("it was piped"));
        (child, output)
    }

    fn command(&self) -> Command {
        let mut command = match self.session {
            Session::Ours => Command::new(&self.binary),
            Session::Own | Session::Terminal => Command::new("setsid"),
            Session::World => Command::new("unshare"),
        };
        match self.session {
            Session::Ours => command.process_group(0),
            // `setsid` becomes the program, unless it leads a group already: then it would fork
            Session::Own => command.arg(&self.binary),
            Session::Terminal => command.args(["--ctty", "--wait"]).arg(&self.binary),
            Session::World => {
                if !rustix::process::geteuid().is_root() {
                    command.arg("--map-root-user");
                }
                command
                    .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
                    .arg(&self.binary)
                    .process_group(0)
            }
        };
        command.args(&self.verb).args(&self.flags);
        if self.address == Address::Free {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let place = self.place.as_deref().unwrap_or(self.folder.path());
        command.args(&self.target).current_dir(place);
        for stray in [
            "NODE_OPTIONS",
            "NODE_ENV",
            "PORT",
            "HOST",
            "NOTIFY_SOCKET",
            "LISTEN_FDS",
            "LISTEN_PID",
        ] {
            command.env_remove(stray);
        }
        command.env("MAINSTAY_RUNTIME_DIR", self.folder.path().join(RUNTIME_DIR));
        command.env("MAINSTAY_HOME", self.folder.path().join(HOME));
        command.env("PATH", self.search_path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn search_path(&self) -> OsString {
        #[expect(
            clippy::disallowed_methods,
            reason = "node and python are found where the machine has them"
        )]
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(
            self.path
                .iter()
                .cloned()
                .chain(std::env::split_paths(&inherited)),
        )
        .unwrap_or(inherited)
    }
}
