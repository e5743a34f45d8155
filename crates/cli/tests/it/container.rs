//! The program as a container runs it: the first process, nothing to write to but one folder, a user nobody knows,
//! no capabilities.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mainstay_testkit::{Mainstay, Running, eventually};

use crate::support::json;

/// Makes the container and becomes what is named behind it. Root may choose the user; others are root within a user
/// namespace of their own, which has no more rights outside.
const CONTAINER: &str = r#"#!/bin/sh
set -e
here=$PWD
mkdir -p "$MAINSTAY_RUNTIME_DIR"
if [ "$(id -u)$AS" = 0root ]; then own= user= uid=0
elif [ "$(id -u)" = 0 ]; then own= user="--reuid=54321 --regid=54321 --clear-groups" uid=54321
else own=--map-root-user user= uid=0; fi
export here user uid
exec unshare $own --mount --pid --fork --mount-proc sh -ec '
  mount --make-rprivate /
  mount --rbind / /mnt
  mount -t proc proc /mnt/proc
  mount -t tmpfs -o "uid=$uid,mode=700" tmpfs "/mnt$MAINSTAY_RUNTIME_DIR"
  mount -o remount,ro,bind /mnt
  exec chroot /mnt setpriv $user --bounding-set=-all --inh-caps=-all --no-new-privs \
    sh -c "cd \"$here\"; exec \"\$@\"" sh "$@"
' sh "#;

/// Starts the test app in a container.
#[track_caller]
fn contained(user: &str, arguments: &str) -> Running {
    let start = Mainstay::run("server.js").file(
        "server.js",
        &format!(
            "const fs = require('fs');\n\
             let readOnly = false;\n\
             try {{ fs.writeFileSync(__dirname + '/x', ''); }} catch (error) {{ readOnly = error.code === 'EROFS' || error.code; }}\n\
             {arguments}\n\
             require('http').createServer((request, response) => response.end(JSON.stringify({{\n\
               readOnly, parent: process.ppid, uid: process.getuid(),\n\
               caps: /CapEff:\\t(\\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1],\n\
             }}))).listen(3000);\n"
        ),
    );
    let program = start.program().display().to_string();
    let script = start.folder().join("container");
    fs::write(&script, format!("{CONTAINER}'{program}' \"$@\"\n")).expect("the folder is ours");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("ours");
    start.binary(script).env("AS", user).start()
}

#[test]
fn as_the_first_process_of_a_bare_container_it_runs_drains_and_leaves_nobody() {
    // an orphan that ends later must be reaped by the first process: by us
    let orphan =
        "require('child_process').spawn('sh', ['-c', '(sleep 0.2 &) ; exit'], { detached: true });";
    let mut mainstay = contained("somebody", orphan);
    let answer = json(&mainstay.get("/").expect(200));
    assert_ne!(answer["readOnly"], false, "{answer}");
    assert_eq!(answer["parent"], 1, "{answer}");
    assert_eq!(answer["caps"], "0000000000000000", "{answer}");
    let first = mainstay.descendants()[0];
    eventually("no zombie below the first process", || {
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).ok()?;
        let zombie = |child: &str| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.contains(") Z ")
        };
        (!children.split_whitespace().any(zombie)).then_some(())
    });
    mainstay.terminate_process(first);
    let status = eventually("the end", || mainstay.ended());
    assert_eq!(status.code(), Some(0), "{}", mainstay.output());
}

#[test]
fn root_without_capabilities_is_enough_too() {
    let mainstay = contained("root", "");
    let answer = json(&mainstay.get("/").expect(200));
    assert_eq!(answer["uid"], 0, "{answer}");
    assert_eq!(answer["caps"], "0000000000000000", "{answer}");
}
