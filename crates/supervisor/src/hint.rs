//! What the last lines of a failed worker mean, and what to do about it. Recognises; decides nothing.

use mainstay_values::Size;

use crate::process::Exit;

/// A sentence with the next step, if the trouble is a known one.
pub(crate) fn hint(lines: &[String], exit: Option<Exit>) -> Option<String> {
    lines
        .iter()
        .rev()
        .find_map(|line| of_line(line))
        .or_else(|| exit.and_then(of_exit))
}

/// Of an app whose workers together wanted more than `bytes` of memory, their limit.
pub(crate) fn over_limit(bytes: u64) -> String {
    let limit = Size::bytes(bytes);
    format!(
        "the kernel ended it: the app was over its memory limit of {limit} (`memory_limit`, for all its workers together): raise \
         it, use fewer workers, or look for a leak"
    )
}

fn of_line(line: &str) -> Option<String> {
    if let Some(name) = between(line, "Cannot find module '", "'")
        .or_else(|| between(line, "Cannot find package '", "'"))
    {
        return Some(missing_module(name));
    }
    if let Some(name) = between(line, "No module named '", "'") {
        let name = name.split('.').next().unwrap_or(name);
        return Some(format!(
            "the Python module `{name}` is not installed: `pip install {name}` in the environment that runs the app"
        ));
    }
    let found = KNOWN.iter().find(|(sign, _)| line.contains(sign));
    found.map(|(_, hint)| (*hint).to_owned())
}

const KNOWN: [(&str, &str); 20] = [
    (
        "ERR_MAINSTAY_SERVER",
        "TLS and HTTP/2 end in front of the app: let it listen with `http.createServer()`",
    ),
    (
        "EADDRINUSE",
        "the port is taken: by another process, or by another worker of this app. Stop the other one, or let the app \
         listen on the environment variable PORT",
    ),
    (
        "Address already in use",
        "the port is taken: stop the other process, or let the app listen on the environment variable PORT",
    ),
    (
        "EACCES: permission denied, listen",
        "ports below 1024 need a privilege the app does not have: let it listen on a higher one, the public port is ours",
    ),
    (
        "Cannot use import statement outside a module",
        "the file is an ES module: set `\"type\": \"module\"` in package.json, or name it `.mjs`",
    ),
    (
        "require is not defined in ES module scope",
        "the file is CommonJS: name it `.cjs`, or take `\"type\": \"module\"` out of package.json",
    ),
    (
        "ERR_REQUIRE_ESM",
        "a package it requires is an ES module only: use `import()`, or Node 22.12 or newer",
    ),
    (
        "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX",
        "Node strips types only: run it with `tsx`, or compile it first",
    ),
    (
        "ERR_UNKNOWN_FILE_EXTENSION",
        "this Node does not run that file type: use `tsx` for TypeScript, or run the compiled JavaScript",
    ),
    (
        "was compiled against a different Node.js version",
        "a native addon was built for another version of Node: run `npm rebuild` with the one that runs the app, or run \
         the app with the one it was built for (`node --version`)",
    ),
    (
        "No such built-in module",
        "this version of Node does not have that module: run the app with a newer one (`node --version`, and `engines` in \
         package.json)",
    ),
    (
        "ERR_UNKNOWN_BUILTIN_MODULE",
        "this version of Node does not have that module: run the app with a newer one (`node --version`, and `engines` in \
         package.json)",
    ),
    (
        "fetch is not defined",
        "this version of Node is older than 18 and has no `fetch`: run the app with a newer one (`node --version`)",
    ),
    (
        "Unsupported engine",
        "this version of Node is not one the app wants: compare `node --version` with `engines` in package.json",
    ),
    (
        "bad option: ",
        "this version of Node does not know that option: take it out of the command or NODE_OPTIONS, or use a newer Node",
    ),
    (
        "EMFILE",
        "it has as many files open as it may: look for a leak, or raise the limit it is given",
    ),
    (
        "JavaScript heap out of memory",
        "the heap is full: raise it with NODE_OPTIONS=--max-old-space-size=MEGABYTES, or look for a leak",
    ),
    (
        "ECONNREFUSED",
        "something the app connects to at start is not running: a database, a cache",
    ),
    (
        "SyntaxError",
        "the file named above has a syntax error, or is written for a newer Node or Python than the one that runs it",
    ),
    (
        "is not allowed in NODE_OPTIONS",
        "an option in NODE_OPTIONS is not allowed there: give it to `node` in the command",
    ),
];

fn missing_module(name: &str) -> String {
    if name.starts_with('.') || name.starts_with('/') {
        return format!("`{name}` does not exist: check the path, or build the app first");
    }
    format!(
        "the package `{name}` is not installed: run `npm install` (or `npm ci`) in the app's folder"
    )
}

fn of_exit(exit: Exit) -> Option<String> {
    let hint = match exit {
        Exit::Code(0) => {
            "it ended without an error and without listening: is it a server, and does it wait for its work?"
        }
        Exit::Code(127) => {
            "127 is how a shell says that a command was not found: is it installed, and on the PATH?"
        }
        Exit::Code(126) => "126 is how a shell says that a file is not executable: `chmod +x` it",
        Exit::OutOfMemory => {
            "memory ran out, of its control group or of the machine: give it more, use fewer workers, or look for a leak"
        }
        Exit::Signal(9) => {
            "somebody sent SIGKILL; the kernel has counted no end for want of memory, as far as it can be seen from here"
        }
        Exit::Signal(4 | 6 | 7 | 8 | 11) => {
            "the program itself crashed: a native addon or the runtime has a bug"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    let (found, _) = rest.split_once(end)?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_troubles_are_recognised() {
        let cases = [
            ("Error: Cannot find module 'express'", "npm install"),
            ("Error: Cannot find module './config'", "does not exist"),
            (
                "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from /a.mjs",
                "`koa`",
            ),
            (
                "ModuleNotFoundError: No module named 'flask.app'",
                "pip install flask",
            ),
            (
                "Error: listen EADDRINUSE: address already in use :::3000",
                "the port is taken",
            ),
            ("SyntaxError: Unexpected token '}'", "syntax error"),
            (
                "was compiled against a different Node.js version using",
                "npm rebuild",
            ),
            (
                "Error [ERR_UNKNOWN_BUILTIN_MODULE]: No such built-in module: node:sqlite",
                "node --version",
            ),
            ("node: bad option: --env-file", "newer Node"),
            (
                "SyntaxError: Cannot use import statement outside a module",
                "\"type\": \"module\"",
            ),
        ];
        for (line, expected) in cases {
            let lines = [line.to_owned(), "Node.js v20.20.2".to_owned()];
            let found = hint(&lines, Some(Exit::Code(1))).unwrap_or_default();
            assert!(found.contains(expected), "{line}: {found}");
        }
        assert!(over_limit(256 << 20).contains("memory limit of 256mb (`memory_limit`"));
        assert_eq!(hint(&["hello".to_owned()], Some(Exit::Code(1))), None);
        assert!(
            hint(&[], Some(Exit::Code(0)))
                .unwrap()
                .contains("without listening")
        );
    }
}
