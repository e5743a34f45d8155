//! Whether the Node that would run an app is another one than its project wants. Starts nothing but `node --version`, as the
//! app would be started.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::semver::Version;
use super::wanted::Wanted;
use super::{Launch, Runtime};
use crate::identity::Identity;
use crate::node::environment::NODE_OPTIONS;
use crate::plan::Plan;
use crate::process::{Process, Spawn};

/// Version managers put scripts in the place of `node`, which take their time.
const PATIENCE: Duration = Duration::from_secs(5);
/// No version is longer.
const LONGEST: u64 = 256;

/// The Node that would run an app is not one that its project wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNode {
    /// Where the project says so.
    pub file: PathBuf,
    /// As it is written there.
    pub wanted: String,
    /// The version that would run it.
    pub found: String,
}

impl fmt::Display for OtherNode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{}` wants Node {}, and the one that runs it is {}",
            self.file.display(),
            self.wanted,
            self.found
        )
    }
}

/// Which version a `node` has, for the apps that it runs and whose projects want a certain one.
#[derive(Debug)]
pub struct NodeQuestion {
    program: OsString,
    environment: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    identity: Option<Identity>,
    wanted: Vec<(Arc<str>, Wanted)>,
}

impl NodeQuestion {
    /// None: no Node runs the app, or nobody says in a way that is understood which one is wanted.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let program = node_of(&plan.launch)?;
        let wanted = Wanted::find(&plan.launch.cwd)?;
        let mut environment = plan.common_environment();
        // it could load anything
        environment.remove(OsStr::new(NODE_OPTIONS));
        Some(Self {
            program,
            environment: environment.into_iter().collect(),
            cwd: plan.launch.cwd.clone(),
            identity: plan.identity,
            wanted: vec![(Arc::clone(&plan.app), wanted)],
        })
    }

    /// Whether the answer to both must be the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let path = |question: &Self| {
            let mut environment = question.environment.iter();
            environment.find(|(name, _)| name == "PATH").cloned()
        };
        self.program == other.program
            && self.cwd == other.cwd
            && self.identity == other.identity
            && path(self) == path(other)
    }

    /// Takes over the apps of such a one.
    pub(crate) fn join(&mut self, other: Self) {
        self.wanted.extend(other.wanted);
    }

    /// Asks it, for 5 seconds at most, and tells the apps of which another Node is wanted. One that says nothing is no reason
    /// to say anything. Call it on the main thread, inside a tokio runtime.
    pub async fn ask(self) -> Vec<(Arc<str>, OtherNode)> {
        let Some(version) = self.version().await else {
            return Vec::new();
        };
        let others = self.wanted.into_iter();
        let others = others.filter(|(_, wanted)| !wanted.range.has(&version));
        let other = |wanted: Wanted| OtherNode {
            file: wanted.file,
            wanted: wanted.text,
            found: version.to_string(),
        };
        others.map(|(app, wanted)| (app, other(wanted))).collect()
    }

    async fn version(&self) -> Option<Version> {
        let (process, output) = self.start().ok()?;
        let mut text = String::new();
        let mut output = pipe::Receiver::from_owned_fd(output).ok()?.take(LONGEST);
        let read = timeout(PATIENCE, output.read_to_string(&mut text)).await;
        // it has said what it had to say
        process.signal_group(Signal::KILL);
        let _ = process.wait().await;
        read.ok()?.ok()?;
        Version::parse(&text)
    }

    fn start(&self) -> io::Result<(Process, OwnedFd)> {
        let (output, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let mut spawn = Spawn::new(&self.program);
        spawn.arguments = vec!["--version".into()];
        spawn.env.clone_from(&self.environment);
        spawn.cwd = Some(self.cwd.clone());
        spawn.identity = self.identity;
        spawn.stdout = Some(theirs);
        spawn.stderr = Some(
            std::fs::File::options()
                .write(true)
                .open("/dev/null")?
                .into(),
        );
        Ok((spawn.start()?, output))
    }
}

/// What runs it, if that is a Node: the one that the words name, else the one on the PATH.
fn node_of(launch: &Launch) -> Option<OsString> {
    if launch.runtime != Runtime::Node {
        return None;
    }
    let names = |word: &str| Path::new(word).file_name() == Some(OsStr::new("node"));
    let program = launch.words.first()?;
    if names(program) {
        return Some(program.into());
    }
    let is_script = |word: &String| {
        let extension = Path::new(word).extension().and_then(OsStr::to_str);
        extension.is_some_and(|one| ["js", "mjs", "cjs", "ts", "mts", "cts"].contains(&one))
            || word.contains("node_modules/.bin/")
    };
    // what nobody knows may be anything
    let is_node = launch.words.iter().any(is_script)
        || !launch.path_prefix.is_empty()
        || launch
            .words
            .iter()
            .any(|word| word.split_whitespace().any(names));
    is_node.then(|| "node".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(words: &[&str], path_prefix: &[&str], runtime: Runtime) -> Launch {
        Launch {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            cwd: "/srv".into(),
            path_prefix: path_prefix.iter().map(PathBuf::from).collect(),
            variables: Vec::new(),
            runtime,
            name: "app".to_owned(),
            shown: String::new(),
        }
    }

    #[test]
    fn the_node_that_would_run_it_is_asked() {
        let node = |words: &[&str]| node_of(&launch(words, &[], Runtime::Node));
        for (words, expected) in [
            (&["node", "server.js"][..], Some("node")),
            (
                &["/opt/node22/bin/node", "server.js"],
                Some("/opt/node22/bin/node"),
            ),
            (&["tsx", "server.ts"], Some("node")),
            (&["/srv/node_modules/.bin/next", "start"], Some("node")),
            (&["sh", "-c", "NODE_ENV=x exec node dist"], Some("node")),
            (&["./server"], None),
            (&["sh", "-c", "sleep 5"], None),
        ] {
            assert_eq!(node(words), expected.map(OsString::from), "{words:?}");
        }
        let script = launch(
            &["sh", "-c", "next start"],
            &["/srv/node_modules/.bin"],
            Runtime::Node,
        );
        assert_eq!(node_of(&script), Some("node".into()));
        assert_eq!(
            node_of(&launch(&["deno", "a.ts"], &[], Runtime::Deno)),
            None
        );
    }
}
