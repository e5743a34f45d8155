//! What can be wrong with what the user wants to run. Each says what was looked for and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Why a target cannot be run.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The command has no words.
    #[error("the command is empty: give a program, a file or a folder")]
    Empty,
    /// There is neither a file nor a folder there.
    #[error("no file or folder `{}`: {}", .path.display(), next_step(.near.as_deref()))]
    NotFound {
        /// What was named.
        path: PathBuf,
        /// The name of something there that is nearly the same.
        near: Option<String>,
    },
    /// The folder to run in is not there.
    #[error("no folder `{}` to run in: check `cwd`, or make the folder", .0.display())]
    NoFolder(PathBuf),
    /// It is there and cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file of which we do not know how to run it.
    #[error(
        "do not know how to run `{}`: it is not executable and its name ends in none of .js .mjs .cjs .ts .mts .cts .py \
         .sh .rb .php .pl; \
         make it executable (`chmod +x`), or give the whole command", .0.display()
    )]
    UnknownKind(PathBuf),
    /// An interpreter was named for what is not one file.
    #[error(
        "`interpreter` needs a file to run, and `{0}` is none: name the file, or write the whole command"
    )]
    NotAFile(String),
    /// Words for an interpreter where none can be seen.
    #[error(
        "`interpreter_args` have no interpreter in `{0}`: name the file as `command`, or write the whole command"
    )]
    NoInterpreter(String),
    /// A folder without anything we know how to start.
    #[error(
        "nothing to start in `{}`: looked for {looked_for}; add a `start` script to package.json, or name the file",
        .folder.display()
    )]
    NothingToStart {
        /// The folder.
        folder: PathBuf,
        /// What was looked for, in order.
        looked_for: String,
    },
    /// `npm start` and the like where there is no such script.
    #[error("no script `{script}` in `{}`: it has {present}", .package.display())]
    NoScript {
        /// The script asked for.
        script: String,
        /// The package.json.
        package: PathBuf,
        /// The scripts it has.
        present: String,
    },
    /// A package.json that is not one.
    #[error("`{}` is not a valid package.json: {reason}", .path.display())]
    BadPackage {
        /// Which.
        path: PathBuf,
        /// What the parser said, with its place.
        reason: String,
    },
    /// TypeScript without anything that runs it.
    #[error(
        "cannot run `{}`: {found}, which does not run TypeScript by itself, and neither `tsx` nor `ts-node` is in node_modules/.bin; \
         use Node 22.18 or newer, or `npm install --save-dev tsx`, or run the compiled JavaScript", .file.display()
    )]
    NoTypeScript {
        /// The file.
        file: PathBuf,
        /// The Node that was found, in words.
        found: String,
    },
}

fn next_step(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "check the name, or give a command such as `node server.js`".to_owned(),
    }
}
