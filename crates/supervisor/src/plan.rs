//! From an app's options to the exact process of one start: words, environment, descriptors. Starts nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cgroup::AppGroup;
use crate::identity::Identity;
use crate::launch::{Launch, Runtime};
use crate::lifecycle::Policy;
use crate::node::environment::{
    NODE_OPTIONS, OWN_OPTIONS, merge, merge_into_words, own_options, shift_inspector,
};
use crate::numbers::Numbers;
use crate::options::{AppKind, AppOptions, Workers};
use crate::probe::Prober;
use crate::process::Spawn;
use crate::ready::Expected;
use crate::socket::Files;
use crate::start_error::StartError;
use crate::tree::MARK;
use crate::{count, hung, ports, variables};
use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

/// How often a worker measures itself whose app is scaled by that, in milliseconds.
const SCALED_STATS_EVERY: &str = "1000";

/// Everything about an app that does not change from start to start.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) app: Arc<str>,
    pub(crate) options: AppOptions,
    pub(crate) launch: Launch,
    pub(crate) workers: u32,
    pub(crate) identity: Option<Identity>,
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    /// None: its processes stay where ours are.
    pub(crate) cgroup: Option<AppGroup>,
    pub(crate) prober: Prober,
    /// The program's, with the app's own over it.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) preload: PathBuf,
    pub(crate) policy: Policy,
    /// By which workers are known.
    pub(crate) numbers: Numbers,
}

/// What was decided when a release was prepared, and stays so whatever links and files say later.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlanState {
    pub(crate) options: AppOptions,
    pub(crate) launch: Launch,
    pub(crate) workers: u32,
    pub(crate) identity: Option<Identity>,
}

/// One start, ready to go.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) spawn: Spawn,
    pub(crate) expected: Expected,
    pub(crate) mark: String,
    /// What a Node worker speaks through.
    pub(crate) speech: Option<Speech>,
}

/// Our ends of a Node worker's two ways to speak.
#[derive(Debug)]
pub(crate) struct Speech {
    /// The preload's FIFO, where there is a preload.
    pub(crate) control: Option<OwnedFd>,
    /// The other end of `NODE_CHANNEL_FD`.
    pub(crate) channel: StdUnixStream,
}

/// Different for every start, also over an upgrade of the program, which keeps its process id.
fn nonce() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_micros()
}

type Variables = BTreeMap<OsString, OsString>;

impl Plan {
    /// What it was made of.
    pub(crate) fn state(&self) -> PlanState {
        PlanState {
            options: self.options.clone(),
            launch: self.launch.clone(),
            workers: self.workers,
            identity: self.identity,
        }
    }

    /// What cannot work is said before anything is started.
    pub(crate) fn several_workers_need_ports_of_their_own(&self) -> Result<(), StartError> {
        match (self.runtime(), self.options.port) {
            _ if self.options.kind == AppKind::Background => Ok(()),
            (Runtime::Port | Runtime::Deno, Some(port)) if self.most_workers() > 1 => {
                Err(StartError::PortForMany {
                    app: self.app.to_string(),
                    port,
                    workers: self.most_workers(),
                })
            }
            _ => Ok(()),
        }
    }

    /// How many workers there may be at once.
    pub(crate) fn most_workers(&self) -> u32 {
        self.workers.max(count::most(self.options.workers))
    }

    /// How workers of this app are told where to listen.
    pub(crate) fn runtime(&self) -> Runtime {
        if self.options.listen_fds {
            Runtime::ListenFds
        } else {
            self.launch.runtime
        }
    }

    /// Prepares start number `start` of worker `index`.
    pub(crate) fn prepare(&self, index: u32, start: u32, files: &Files) -> io::Result<Prepared> {
        let mut words = self.launch.words.clone();
        let mut env = self.common_environment();
        variables::tell(
            &mut env,
            &self.options,
            index,
            self.workers,
            self.numbers.of(&self.app, index),
        );
        let mark = format!("{}.{index}.{start}", nonce());
        set(&mut env, MARK, &mark);
        let mut descriptors = Vec::new();
        let mut speech = None;
        let expected = match self.runtime() {
            runtime if self.options.kind == AppKind::Background => {
                if runtime == Runtime::Node {
                    let channel = channel(&mut env, &mut descriptors)?;
                    speech = Some(Speech {
                        control: None,
                        channel,
                    });
                }
                if let Some(port) = self.options.port {
                    set(&mut env, "PORT", &self.own_port(port, index).to_string());
                }
                Expected::Alive(self.options.lives.min_uptime)
            }
            Runtime::Node => {
                let (control_path, control) = files.control(start)?;
                speech = Some(Speech {
                    control: Some(control),
                    channel: channel(&mut env, &mut descriptors)?,
                });
                env.insert("MAINSTAY_INTERNAL_CONTROL_PATH".into(), control_path.into());
                env.insert(
                    "MAINSTAY_INTERNAL_LISTEN_PATH".into(),
                    files.socket(start).into(),
                );
                self.node_environment(index, &mut env, &mut words);
                Expected::Said
            }
            Runtime::ListenFds => {
                let listener = files.bind(start)?;
                descriptors.push((listener.try_clone()?.into(), FIRST));
                set(&mut env, "LISTEN_FDS", "1");
                set(&mut env, "LISTEN_FDNAMES", "http");
                words = with_listen_pid(words);
                Expected::Accepted(Arc::new(listener), files.socket(start))
            }
            Runtime::Deno => {
                let port = self.port(&mut env)?;
                set(
                    &mut env,
                    "DENO_SERVE_ADDRESS",
                    &format!("tcp:127.0.0.1:{port}"),
                );
                Expected::Port(port)
            }
            Runtime::Port => Expected::Port(self.port(&mut env)?),
        };
        let mut words = words.into_iter().map(OsString::from);
        let mut spawn = Spawn::new(words.next().unwrap_or_default());
        spawn.arguments = words.collect();
        spawn.env = env.into_iter().collect();
        spawn.cwd = Some(self.launch.cwd.clone());
        spawn.identity = self.identity;
        spawn.limits.clone_from(&self.limits);
        spawn.privileges = self.options.limits.privileges;
        spawn.cgroup = self.door()?;
        spawn.descriptors = descriptors;
        Ok(Prepared {
            spawn,
            expected,
            mark,
            speech,
        })
    }

    /// Prepares a command that does not listen: what a worker gets, but for everything that is about listening.
    ///
    /// # Errors
    /// When the app's control group cannot be made.
    pub(crate) fn errand(&self) -> io::Result<Prepared> {
        let mut env = self.common_environment();
        let mark = format!("{}.errand", nonce());
        set(&mut env, MARK, &mark);
        let mut words = self.launch.words.iter().map(OsString::from);
        let mut spawn = Spawn::new(words.next().unwrap_or_default());
        spawn.arguments = words.collect();
        spawn.env = env.into_iter().collect();
        spawn.cwd = Some(self.launch.cwd.clone());
        spawn.identity = self.identity;
        spawn.limits.clone_from(&self.limits);
        spawn.privileges = self.options.limits.privileges;
        spawn.cgroup = self.door()?;
        Ok(Prepared {
            spawn,
            expected: Expected::Said,
            mark,
            speech: None,
        })
    }

    /// Of the app's control group, where it has one.
    fn door(&self) -> io::Result<Option<OwnedFd>> {
        self.cgroup.as_ref().map(AppGroup::door).transpose()
    }

    /// Whose sockets and instance we are is nobody's business below; theirs is theirs. What we tell a worker
    /// ourselves begins with `MAINSTAY_INTERNAL_`, which is never a setting: an instance started below a worker
    /// cannot misread it.
    pub(crate) fn common_environment(&self) -> Variables {
        const OURS: [&str; 6] = [
            "LISTEN_FDS",
            "LISTEN_PID",
            "LISTEN_FDNAMES",
            "NOTIFY_SOCKET",
            "NODE_CHANNEL_FD",
            "NODE_UNIQUE_ID",
        ];
        let mut env = self.environment.clone();
        env.retain(|name, _| {
            let name = name.to_string_lossy();
            !name.starts_with("MAINSTAY_") && !OURS.contains(&&*name)
        });
        for (name, value) in &self.launch.variables {
            if !self.options.env.contains_key(name) {
                set(&mut env, name, value);
            }
        }
        if !self.launch.path_prefix.is_empty() {
            let old = env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
            let folders = self.launch.path_prefix.iter().cloned();
            // A folder with a colon in its name cannot be on a PATH at all; then the old one stays.
            if let Ok(path) = std::env::join_paths(folders.chain(std::env::split_paths(&old))) {
                env.insert("PATH".into(), path);
            }
        }
        env
    }

    fn node_environment(&self, index: u32, env: &mut Variables, words: &mut [String]) {
        let own = own_options(&self.preload);
        let theirs = env
            .get(OsStr::new(NODE_OPTIONS))
            .and_then(|value| value.to_str())
            .unwrap_or_default();
        let theirs = shift_inspector(theirs, index);
        for word in words.iter_mut() {
            *word = shift_inspector(word, index);
        }
        merge_into_words(words, &own);
        set(env, NODE_OPTIONS, &merge(&own, &theirs));
        set(env, OWN_OPTIONS, &own);
        set(env, "MAINSTAY_INTERNAL_WORKER", &index.to_string());
        set(env, "MAINSTAY_INTERNAL_WORKERS", &self.workers.to_string());
        let every = hung::report_every(self.options.hang_timeout).as_millis();
        set(env, "MAINSTAY_INTERNAL_REPORT_EVERY", &every.to_string());
        if matches!(self.options.workers, Workers::Between(_)) {
            set(env, "MAINSTAY_INTERNAL_STATS_EVERY", SCALED_STATS_EVERY);
        }
        if let Some(port) = self.options.port {
            let port = self.own_port(port, index);
            set(env, "MAINSTAY_INTERNAL_PORT", &port.to_string());
            set(env, "PORT", &port.to_string());
        }
    }

    /// The port that worker `index` believes to have: all the same, or each another.
    fn own_port(&self, port: u16, index: u32) -> u16 {
        let step = u16::try_from(self.port_step(index)).unwrap_or(u16::MAX);
        port.saturating_add(step)
    }

    /// By how much the port that worker `index` asks for is above the one of worker 0.
    pub(crate) fn port_step(&self, index: u32) -> u32 {
        let rises = self.options.increment_var.as_deref() == Some("PORT");
        if rises { index } else { 0 }
    }

    /// The port of this start, told in every variable that is read for it.
    fn port(&self, env: &mut Variables) -> io::Result<u16> {
        let port = match self.options.port {
            Some(port) => match ports::taken(port) {
                Some(reason) => return Err(io::Error::other(reason)),
                None => port,
            },
            None => ports::free()?,
        };
        // uvicorn and flask do not read PORT, but a variable of their own.
        for name in ["PORT", "UVICORN_PORT", "FLASK_RUN_PORT"] {
            set(env, name, &port.to_string());
        }
        Ok(port)
    }
}

/// The first descriptor after the standard streams: systemd's protocol demands it, Node's does not care.
const FIRST: i32 = 3;

/// Node's own channel: `process.send` and `process.on('message')`. Returns our end.
fn channel(
    env: &mut Variables,
    descriptors: &mut Vec<(OwnedFd, RawFd)>,
) -> io::Result<StdUnixStream> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    descriptors.push((theirs.into(), FIRST));
    set(env, "NODE_CHANNEL_FD", &FIRST.to_string());
    Ok(ours)
}

fn set(env: &mut Variables, name: &str, value: &str) {
    env.insert(name.into(), value.into());
}

/// `LISTEN_PID` must be the id of the process that reads it, which is known only after the fork: a shell that becomes
/// the program knows. A script's shell becomes its last command in turn, where `launch` could arrange it.
fn with_listen_pid(words: Vec<String>) -> Vec<String> {
    let shim = ["sh", "-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"];
    shim.into_iter().map(str::to_owned).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_pid_is_set_by_whoever_becomes_the_program() {
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect();
        let direct = with_listen_pid(words(&["gunicorn", "app:app"]));
        assert_eq!(direct[4..], ["gunicorn", "app:app"]);
        let shell = with_listen_pid(words(&["sh", "-c", "a && exec gunicorn app:app"]));
        assert_eq!(shell[4..], ["sh", "-c", "a && exec gunicorn app:app"]);
    }
}
