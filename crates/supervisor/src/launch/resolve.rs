//! The decision: target to program, arguments, folder and runtime. Starts nothing but `node --version`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mainstay_values::nearest;

use super::package::{Package, bin_folders, local_program};
use super::target::is_script;
use super::words::{ScriptCall, exec_last, plain, rough};
use super::{CommandLine, Interpreter, LaunchError, Runtime, Target, typescript};

/// What is executed for an app.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Launch {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// Folders put in front of `PATH`, the nearest first (`node_modules/.bin`).
    pub path_prefix: Vec<PathBuf>,
    /// Variables a package manager would have set.
    pub variables: Vec<(String, String)>,
    /// How it is told where to listen.
    pub runtime: Runtime,
    /// A name for the app: the package's, else the folder's.
    pub name: String,
    /// What is run, in one line for people: the words of the script or command.
    pub shown: String,
}

impl Launch {
    /// Finds out how to run `target`. `environment` tells the `PATH` in which programs are looked for, `cwd` (absolute)
    /// is what relative paths are relative to.
    ///
    /// # Errors
    /// Each [`LaunchError`] says what was looked for.
    pub fn resolve(
        target: &Target,
        line: &CommandLine,
        environment: &BTreeMap<OsString, OsString>,
        cwd: &Path,
    ) -> Result<Self, LaunchError> {
        // the kernel would say of the program that it is not there
        if !cwd.is_dir() {
            return Err(LaunchError::NoFolder(cwd.to_owned()));
        }
        let search = Search { environment, cwd };
        if let Some(interpreter) = &line.interpreter {
            return search.interpreted(target, interpreter, line);
        }
        line.complete(match target {
            Target::Command(command) => match plain(command) {
                Some(words) => search.arguments(&words)?,
                None if command.trim().is_empty() => return Err(LaunchError::Empty),
                None => search.shell(command.trim()),
            },
            Target::Arguments(words) => search.arguments(words)?,
            Target::Path(path) => search.path(path)?,
        })
    }
}

/// The name of something beside it that was probably meant.
fn near(path: &Path) -> Option<String> {
    /// A folder may hold anything.
    const MOST: usize = 1_000;
    let name = path.file_name()?.to_str()?;
    let beside = std::fs::read_dir(path.parent()?).ok()?.take(MOST).flatten();
    let beside: Vec<String> = beside
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nearest(name, beside.iter().map(String::as_str)).map(str::to_owned)
}

struct Search<'a> {
    environment: &'a BTreeMap<OsString, OsString>,
    cwd: &'a Path,
}

impl Search<'_> {
    /// Run by the interpreter that was named, whatever the file's name says.
    fn interpreted(
        &self,
        target: &Target,
        interpreter: &Interpreter,
        line: &CommandLine,
    ) -> Result<Launch, LaunchError> {
        let no_file = || LaunchError::NotAFile(target.to_string());
        let mut words = match target {
            Target::Path(path) => {
                let (full, kind) = self.found(path)?;
                if kind.is_dir() {
                    return Err(LaunchError::NotAFile(full.display().to_string()));
                }
                vec![path.display().to_string()]
            }
            Target::Command(command) => plain(command).ok_or_else(no_file)?,
            Target::Arguments(words) => words.clone(),
        };
        let file = words.first_mut().ok_or(LaunchError::Empty)?;
        match interpreter {
            // a name without a folder would be looked up on the PATH
            Interpreter::Itself if self.cwd.join(&*file).is_file() => {
                *file = self.cwd.join(&*file).display().to_string();
            }
            Interpreter::Itself => {}
            Interpreter::Program(program) => {
                let before = [program].into_iter().chain(&line.interpreter_args);
                words.splice(0..0, before.cloned());
            }
        }
        words.extend_from_slice(&line.args);
        Ok(self.direct(words))
    }

    fn arguments(&self, words: &[String]) -> Result<Launch, LaunchError> {
        let Some(first) = words.first().filter(|word| !word.is_empty()) else {
            return Err(LaunchError::Empty);
        };
        let file = Path::new(first);
        if is_script(file) && self.cwd.join(file).is_file() {
            let mut launch = self.path(file)?;
            launch.words.extend_from_slice(&words[1..]);
            launch.shown = launch.words.join(" ");
            return Ok(launch);
        }
        if let Some(call) = ScriptCall::read(words) {
            match Package::nearest(self.cwd)? {
                Some(package) if call.certain || package.has_script(call.script) => {
                    return self.script(&package, call.script, call.arguments);
                }
                _ => {}
            }
        }
        if first == "npx"
            && words.len() > 1
            && let Some(program) = local_program(self.cwd, &words[1])
        {
            let mut words = words[1..].to_vec();
            words[0] = program.display().to_string();
            return Ok(self.direct(words));
        }
        Ok(self.direct(words.to_vec()))
    }

    fn found(&self, path: &Path) -> Result<(PathBuf, Metadata), LaunchError> {
        // without the dot of `mainstay run .`
        let full: PathBuf = self.cwd.join(path).components().collect();
        match std::fs::metadata(&full) {
            Ok(kind) => Ok((full, kind)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LaunchError::NotFound {
                    path: path.to_owned(),
                    near: near(&full),
                })
            }
            Err(source) => Err(LaunchError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn path(&self, path: &Path) -> Result<Launch, LaunchError> {
        let (full, kind) = self.found(path)?;
        if kind.is_dir() {
            return self.folder(&full);
        }
        let words = self.file(path, &full, kind.permissions().mode() & 0o111 != 0)?;
        Ok(self.direct(words))
    }

    fn file(&self, path: &Path, full: &Path, executable: bool) -> Result<Vec<String>, LaunchError> {
        let shown = path.display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("js" | "mjs" | "cjs") => Ok(vec!["node".to_owned(), shown]),
            Some("ts" | "mts" | "cts") => {
                typescript::runner(path, self.environment, full.parent().unwrap_or(self.cwd))
            }
            Some("py") => Ok(vec!["python3".to_owned(), shown]),
            // its first line says what runs it
            _ if executable => Ok(vec![full.display().to_string()]),
            Some("sh") => Ok(vec!["bash".to_owned(), shown]),
            Some("rb") => Ok(vec!["ruby".to_owned(), shown]),
            Some("php") => Ok(vec!["php".to_owned(), shown]),
            Some("pl") => Ok(vec!["perl".to_owned(), shown]),
            _ => Err(LaunchError::UnknownKind(path.to_owned())),
        }
    }

    fn folder(&self, folder: &Path) -> Result<Launch, LaunchError> {
        let here = Search {
            environment: self.environment,
            cwd: folder,
        };
        let package = Package::read(folder)?;
        if let Some(package) = package
            .as_ref()
            .filter(|package| package.has_script("start"))
        {
            return here.script(package, "start", &[]);
        }
        let mut looked_for = vec!["a `start` script in package.json".to_owned()];
        let main = package.as_ref().and_then(Package::main);
        let mains = main.into_iter().flat_map(|main| {
            let main = main.strip_prefix("./").unwrap_or(main);
            [
                main.to_owned(),
                format!("{main}.js"),
                format!("{main}/index.js"),
            ]
        });
        let usual = ["server.js", "index.js", "app.js"].map(str::to_owned);
        for name in mains.chain(usual) {
            if folder.join(&name).is_file() {
                return here.path(Path::new(&name));
            }
            looked_for.push(format!("`{name}`"));
        }
        Err(LaunchError::NothingToStart {
            folder: folder.to_owned(),
            looked_for: looked_for.join(", "),
        })
    }

    fn script(
        &self,
        package: &Package,
        script: &str,
        arguments: &[String],
    ) -> Result<Launch, LaunchError> {
        let text = package.script(script, arguments)?;
        let folder = package.folder();
        let here = Search {
            environment: self.environment,
            cwd: folder,
        };
        let mut launch = here.shell(&text);
        launch.path_prefix = bin_folders(folder);
        launch.variables = package.variables(script);
        Ok(launch)
    }

    fn shell(&self, text: &str) -> Launch {
        let words = vec!["sh".to_owned(), "-c".to_owned(), exec_last(text)];
        let mut launch = self.direct(words);
        launch.runtime = Runtime::of_words(rough(text));
        text.clone_into(&mut launch.shown);
        launch
    }

    fn direct(&self, words: Vec<String>) -> Launch {
        let shown = words.join(" ");
        let runtime = Runtime::of_program(&words, self.environment, self.cwd);
        Launch {
            words,
            cwd: self.cwd.to_owned(),
            path_prefix: Vec::new(),
            variables: Vec::new(),
            runtime,
            name: self.name(),
            shown,
        }
    }

    /// The package's name, else the folder's. A package that cannot be read has no name, which harms nobody.
    fn name(&self) -> String {
        let package = Package::nearest(self.cwd).ok().flatten();
        let folder = self.cwd.file_name().and_then(|name| name.to_str());
        package
            .as_ref()
            .and_then(Package::name)
            .or(folder)
            .unwrap_or("app")
            .to_owned()
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
