//! What tasks need from the machine, and how a machine gets it.
//!
//! Programs come from Debian's packages when we are root on such a machine; otherwise a sentence says what is
//! missing. Packages for the test apps are installed below `target/`, from the lock files of `tests/apps`, again
//! only when those change. What may not be here: versions of our own dependencies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, output, program, root, run, succeeds};
use crate::failure::Failure;

/// A program that is not Rust's.
pub(crate) struct Tool {
    /// How to see that it works: the words to try.
    probe: &'static [&'static str],
    /// Debian's packages that bring it.
    packages: &'static [&'static str],
}

/// The test apps' packages ask for Node 20; Debian has it since release 13.
pub(crate) const NODE: Tool = Tool {
    probe: &[
        "node",
        "--eval",
        "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)",
    ],
    packages: &["nodejs"],
};
pub(crate) const NPM: Tool = Tool {
    probe: &["npm", "--version"],
    packages: &["npm"],
};
pub(crate) const PYTHON: Tool = Tool {
    probe: &["python3", "-c", "import ensurepip, venv"],
    packages: &["python3", "python3-venv"],
};
pub(crate) const REDIS: Tool = Tool {
    probe: &["redis-server", "--version"],
    packages: &["redis-server"],
};
pub(crate) const WRK: Tool = Tool {
    probe: &["sh", "-c", "command -v wrk"],
    packages: &["wrk"],
};
pub(crate) const NGINX: Tool = Tool {
    probe: &["nginx", "-v"],
    packages: &["nginx-light"],
};
pub(crate) const HAPROXY: Tool = Tool {
    probe: &["haproxy", "-v"],
    packages: &["haproxy"],
};
pub(crate) const OPENSSL: Tool = Tool {
    probe: &["openssl", "version"],
    packages: &["openssl"],
};

/// Makes sure that all of these are there.
pub(crate) fn need(tools: &[&Tool]) -> Result<(), Failure> {
    let missing = lacking(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !may_install() {
        return Err(Failure::new(format!(
            "missing on this machine: {names}\n  install them (on Debian: `apt-get install {names}`), or run this as root on Debian"
        )));
    }
    run(&mut program("apt-get", ["-qq", "update"]))?;
    let mut install = program(
        "apt-get",
        ["-qq", "install", "--yes", "--no-install-recommends"],
    );
    // A service that starts by itself would take the ports that tests ask for.
    run(install
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1"))?;
    let old = lacking(tools);
    if old.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "what this Debian has of {} is too old\n  install Node 20 and Python 3.11 or newer, or use Debian 13",
        old.join(" ")
    )))
}

/// Debian's packages of those tools that do not work here.
fn lacking(tools: &[&Tool]) -> Vec<&'static str> {
    tools
        .iter()
        .filter(|tool| !tool.works())
        .flat_map(|tool| tool.packages)
        .copied()
        .collect()
}

/// A cargo subcommand.
pub(crate) struct Subcommand {
    /// Its name after `cargo`.
    pub(crate) name: &'static str,
    /// The version built where none is installed.
    pub(crate) version: &'static str,
    /// What is built of it: words for `cargo install`.
    pub(crate) features: &'static [&'static str],
}

impl Subcommand {
    /// Whether it is there.
    pub(crate) fn is_here(&self) -> bool {
        succeeds(&mut cargo([self.name, "--version"]))
    }

    /// Makes sure that it is there. It is built without optimisation: on two cores that takes three minutes instead
    /// of ten, and costs it seconds where it is used.
    pub(crate) fn need(&self) -> Result<(), Failure> {
        if self.is_here() {
            return Ok(());
        }
        let package = format!("cargo-{}", self.name);
        let mut install = cargo([
            "install",
            "--debug",
            "--locked",
            "--version",
            self.version,
            &package,
        ]);
        run(install.args(self.features))
    }
}

/// Where the lock files of the test apps are.
const APPS: &str = "tests/apps";

/// Installs the packages of the test apps, unless the same ones are there already.
pub(crate) fn app_packages() -> Result<(), Failure> {
    npm_packages("node", APPS)?;
    pm2_package()?;
    python_packages()?;
    lists()
}

/// Installs PM2, with which tests and `bench lives` compare.
pub(crate) fn pm2_package() -> Result<(), Failure> {
    npm_packages("pm2", "bench/pm2")
}

fn npm_packages(name: &str, source: &str) -> Result<(), Failure> {
    let place = Place::new(
        name,
        source,
        &["package.json", "package-lock.json", ".npmrc"],
    )?;
    if place.is_current() {
        return Ok(());
    }
    // esbuild's install script only checks what its package for this platform already brings.
    let mut npm = program(
        "npm",
        [
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-progress",
        ],
    );
    run(npm.current_dir(&place.folder))?;
    place.finish()
}

fn python_packages() -> Result<(), Failure> {
    let place = Place::new("python", APPS, &["requirements.txt"])?;
    if place.is_current() {
        return Ok(());
    }
    let folder = place.folder.to_string_lossy().into_owned();
    run(&mut program("python3", ["-m", "venv", &folder]))?;
    let pip = place.folder.join("bin/pip");
    let requirements = place.folder.join("requirements.txt");
    let words = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        &requirements.to_string_lossy(),
    ];
    run(&mut program(&pip.to_string_lossy(), words))?;
    place.finish()
}

/// Installs packages of which only the files are read.
fn lists() -> Result<(), Failure> {
    let place = Place::new("lists", "tests/lists", &["requirements.txt"])?;
    if place.is_current() {
        return Ok(());
    }
    let python = root().join("target/test-packages/python/bin/python");
    let folder = place.folder.to_string_lossy().into_owned();
    let requirements = place.folder.join("requirements.txt");
    let words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--upgrade",
        "--target",
        &folder,
        "-r",
        &requirements.to_string_lossy(),
    ];
    run(&mut program(&python.to_string_lossy(), words))?;
    place.finish()
}

/// A folder below `target/` with copies of the files that say what is installed in it.
struct Place {
    folder: PathBuf,
    wanted: String,
}

impl Place {
    fn new(name: &str, source: &str, files: &[&str]) -> Result<Self, Failure> {
        let folder = root().join("target/test-packages").join(name);
        fs::create_dir_all(&folder)?;
        let mut wanted = String::new();
        for file in files {
            let source = root().join(source).join(file);
            wanted.push_str(&read(&source)?);
            fs::copy(&source, folder.join(file))?;
        }
        Ok(Self { folder, wanted })
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamped| stamped == self.wanted)
    }

    /// Written last, so that an interrupted installation is done again.
    fn finish(&self) -> Result<(), Failure> {
        Ok(fs::write(self.stamp(), &self.wanted)?)
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("installed")
    }
}

impl Tool {
    fn works(&self) -> bool {
        self.probe
            .split_first()
            .is_some_and(|(name, words)| succeeds(program(name, []).args(words)))
    }
}

fn may_install() -> bool {
    let root = output(&mut program("id", ["-u"])).is_ok_and(|id| id.trim() == "0");
    root && Path::new("/etc/debian_version").exists()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", path.display())))
}
