//! A folder with files, a supervisor over it, and the events that come of it. Patience is bounded in one place.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_supervisor::cgroup::Groups;
use mainstay_supervisor::events::{Endpoint, Failure, Note, ReadyWorker, Why};
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::Workers;
use mainstay_supervisor::process::Exit;
use mainstay_supervisor::{
    AppOptions, Descriptors, Event, Numbers, Probed, Prober, StartError, Supervisor, Surroundings,
    WorkerId, node,
};
use rustix::process::Signal;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Far beyond what any of this takes; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Scene {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

pub(crate) struct Play {
    pub(crate) supervisor: Supervisor,
    pub(crate) root: PathBuf,
    environment: BTreeMap<String, String>,
    events: UnboundedReceiver<Event>,
    output: Vec<u8>,
    /// How much of the output `line` has looked at.
    read: usize,
    _folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sockets = folder.path().join("s");
        std::fs::create_dir(&sockets).unwrap();
        // Passable, as the program makes it when workers run as somebody else.
        for passable in [folder.path(), &sockets] {
            std::fs::set_permissions(passable, Permissions::from_mode(0o711)).unwrap();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "tests find node and python where everybody does"
        )]
        let path = std::env::var("PATH").unwrap();
        Self {
            folder,
            environment: BTreeMap::from([("PATH".into(), path)]),
        }
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A symlink.
    pub(crate) fn link(self, target: &str, name: &str) -> Self {
        link(self.folder.path(), target, name);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(crate) fn try_start(self, options: AppOptions) -> Result<Play, StartError> {
        let (sender, events) = unbounded_channel();
        let root = self.folder.path();
        let surroundings = surroundings(root, &self.environment);
        Ok(Play {
            supervisor: Supervisor::start(vec![options], surroundings, sender)?,
            root: root.to_owned(),
            environment: self.environment,
            events,
            output: Vec::new(),
            read: 0,
            _folder: self.folder,
        })
    }

    pub(crate) fn start(self, options: AppOptions) -> Play {
        self.try_start(options).unwrap()
    }

    pub(crate) fn run_with(self, options: AppOptions, command: &str) -> Play {
        self.start(AppOptions {
            target: Target::Command(command.to_owned()),
            ..options
        })
    }

    pub(crate) fn run(self, command: &str) -> Play {
        self.start(app(command))
    }
}

pub(crate) fn app(command: &str) -> AppOptions {
    AppOptions {
        target: Target::Command(command.to_owned()),
        kill_timeout: Duration::from_secs(20),
        ..AppOptions::default()
    }
}

pub(crate) fn workers(count: u32, command: &str) -> AppOptions {
    AppOptions {
        workers: Workers::Fixed(count),
        ..app(command)
    }
}

fn surroundings(root: &Path, environment: &BTreeMap<String, String>) -> Surroundings {
    let environment = environment.iter();
    Surroundings {
        environment: environment.map(|(k, v)| (k.into(), v.into())).collect(),
        cwd: root.to_owned(),
        sockets: root.join("s"),
        preload: node::install(root).unwrap(),
        prober: Prober::new(|endpoint, path| async move {
            tokio::task::spawn_blocking(move || probed(&endpoint, &path))
                .await
                .unwrap()
        }),
        gateway_group: None,
        groups: groups(root),
        numbers: Numbers::default(),
        guard: None,
    }
}

/// Where a folder plays the kernel's control groups, those.
fn groups(root: &Path) -> Groups {
    let kernel = root.join("kernel");
    if kernel.is_dir() {
        Groups::below(kernel, "test")
    } else {
        Groups::default()
    }
}

/// Puts a symlink in one step where perhaps another one was, as deployments do.
fn link(root: &Path, target: &str, name: &str) {
    let fresh = root.join(format!(".{name}"));
    std::os::unix::fs::symlink(target, &fresh).unwrap();
    std::fs::rename(fresh, root.join(name)).unwrap();
}

impl Play {
    pub(crate) fn link(&self, target: &str, name: &str) {
        link(&self.root, target, name);
    }

    /// Puts every worker down; what another supervisor must know, as it would be told.
    pub(crate) async fn put_down(&mut self) -> (String, Descriptors) {
        let put_down = self.supervisor.put_down();
        let put_down = tokio::time::timeout(PATIENCE, put_down).await.unwrap();
        let mut descriptors = Descriptors::default();
        let state = self.supervisor.state(put_down.unwrap(), &mut descriptors);
        let state = serde_json::to_string(&state.unwrap()).unwrap();
        (state, descriptors)
    }

    /// Another supervisor goes on.
    pub(crate) fn take_up(&mut self, state: &str, mut descriptors: Descriptors) {
        let (sender, events) = unbounded_channel();
        let taken = Supervisor::take_up(
            serde_json::from_str(state).unwrap(),
            &mut descriptors,
            surroundings(&self.root, &self.environment),
            sender,
        );
        self.supervisor = taken.unwrap();
        // what was said before is still to be heard
        let mut before = std::mem::replace(&mut self.events, events);
        while let Ok(event) = before.try_recv() {
            if let Event::Output(line) = event {
                self.output.extend_from_slice(&line.bytes);
            }
        }
    }

    /// Fails if such an event comes within this time.
    pub(crate) async fn nothing_for(&mut self, time: Duration, unwanted: impl Fn(&Event) -> bool) {
        let search = async {
            loop {
                let event = self.events.recv().await.unwrap();
                assert!(!unwanted(&event), "{event:?}");
            }
        };
        let _ = tokio::time::timeout(time, search).await;
    }

    /// The first event that `choose` takes.
    #[track_caller]
    pub(crate) fn expect<T>(
        &mut self,
        what: &str,
        mut choose: impl FnMut(&Event) -> Option<T>,
    ) -> impl Future<Output = T> {
        let place = std::panic::Location::caller();
        async move {
            let mut seen = Vec::new();
            let search = async {
                loop {
                    let event = self.events.recv().await.unwrap();
                    if let Event::Output(line) = &event {
                        self.output.extend_from_slice(&line.bytes);
                    }
                    if let Some(chosen) = choose(&event) {
                        return chosen;
                    }
                    seen.push(format!("{event:?}"));
                }
            };
            let found = tokio::time::timeout(PATIENCE, search).await.ok();
            found.unwrap_or_else(|| panic!("{place}: no {what} in\n{}", seen.join("\n")))
        }
    }

    pub(crate) async fn ready(&mut self) -> ReadyWorker {
        self.expect("ready", |event| match event {
            Event::Ready(ready) => Some((**ready).clone()),
            Event::Failed(failure) => panic!("failed: {failure:?}"),
            _ => None,
        })
        .await
    }

    /// The end of a worker that was asked to end.
    pub(crate) async fn stopped(&mut self) -> WorkerId {
        self.expect("stopped", |event| match event {
            Event::Stopped { worker, .. } => Some(worker.clone()),
            _ => None,
        })
        .await
    }

    /// The unasked end of a worker: how, and how long until it is started again.
    pub(crate) async fn exited(&mut self) -> (Exit, Option<Duration>) {
        self.expect("exit", |event| match event {
            Event::Exited {
                exit, restart_in, ..
            } => Some((*exit, *restart_in)),
            _ => None,
        })
        .await
    }

    /// A worker that is given nothing new.
    pub(crate) async fn draining(&mut self) -> (WorkerId, Why) {
        self.expect("draining", |event| match event {
            Event::Draining { worker, why } => Some((worker.clone(), *why)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn note(&mut self) -> Note {
        self.expect("note", |event| match event {
            Event::Note { note, .. } => Some(note.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn failed(&mut self) -> Failure {
        self.expect("failure", |event| match event {
            Event::Failed(failure) => Some((**failure).clone()),
            _ => None,
        })
        .await
    }

    /// The next line with this text, in the order of the output; other events may have come before or after it.
    pub(crate) async fn line(&mut self, part: &str) -> String {
        loop {
            let unread = &self.output[self.read..];
            let ends = unread.iter().position(|byte| *byte == b'\n');
            if let Some(end) = ends {
                let text = String::from_utf8_lossy(&unread[..end])
                    .trim_end()
                    .to_owned();
                self.read += end + 1;
                if text.contains(part) {
                    return text;
                }
                continue;
            }
            self.expect(part, |event| {
                matches!(event, Event::Output(_)).then_some(())
            })
            .await;
        }
    }

    /// Stops everything; how the first worker ended, and all that was written.
    pub(crate) async fn stop(mut self) -> (Option<Exit>, String) {
        tokio::time::timeout(PATIENCE, self.supervisor.stop_all(&[]))
            .await
            .unwrap();
        let exit = self
            .expect("stopped", |event| match event {
                Event::Stopped { exit, .. } => Some(*exit),
                _ => None,
            })
            .await;
        (exit, String::from_utf8_lossy(&self.output).into_owned())
    }
}

/// One request over the worker's endpoint, on a thread: the whole answer.
pub(crate) async fn get(endpoint: Option<&Endpoint>) -> String {
    let endpoint = endpoint.cloned().expect("it listens");
    tokio::task::spawn_blocking(move || answer(&endpoint, "/").unwrap())
        .await
        .unwrap()
}

/// What the program's prober would say.
fn probed(endpoint: &Endpoint, path: &str) -> Probed {
    match answer(endpoint, path) {
        Ok(answer) if answer.starts_with("HTTP/1.1 2") => Probed::Well,
        Ok(_) => Probed::Unwell,
        Err(_) => Probed::Silent,
    }
}

fn answer(endpoint: &Endpoint, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    match endpoint {
        Endpoint::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)?;
        }
        Endpoint::Tcp(address) => {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)?;
        }
    }
    Ok(answer)
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

pub(crate) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Our own children, also those that have ended and were not reaped.
pub(crate) fn children() -> Vec<u32> {
    let own = std::process::id();
    let folders = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1));
        parent == Some(&own.to_string())
    })
    .collect()
}

/// Waits for something that no event tells.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let search = async {
        while !is_so() {
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    assert!(found.is_ok(), "waited in vain for {what}");
}
