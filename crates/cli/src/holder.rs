//! Who has an address that we do not get, in words that say what to do about it. Takes nothing, ends nobody.

use std::path::Path;

use mainstay_proxy::{BindError, claimant};
use mainstay_supervisor::identity::user_name;
use mainstay_supervisor::ports::{self, Program};
use mainstay_values::Address;

use crate::failure::Failure;

/// Why an address was refused; one that is taken is named with its holder.
pub(crate) fn refused(error: BindError, address: &Address) -> Failure {
    match error {
        BindError::InUse(_) => Failure::machine(in_use(address, &Holder::of(address))),
        error => Failure::machine(error.to_string()),
    }
}

/// Who has it.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// This very process: another address of its own lies in the way.
    Ourselves,
    /// An instance, by its name.
    Instance(String, u32),
    Program(Program),
    /// Whose it is, is all that we may know.
    User(String),
    /// Nobody who can be seen from here.
    Unseen,
}

impl Holder {
    fn of(address: &Address) -> Self {
        let claimed_by = claimant(address).map(|claimant| claimant.pid);
        let claimed_by = claimed_by.filter(|pid| instance(*pid).is_some());
        let held = ports::holder(address);
        let program = held.as_ref().and_then(|held| held.program.clone());
        let Some(pid) = claimed_by.or(program.as_ref().map(|program| program.pid)) else {
            return held.map_or(Self::Unseen, |held| Self::User(user_name(held.uid)));
        };
        if pid == std::process::id() {
            return Self::Ourselves;
        }
        match (instance(pid), program) {
            (Some(name), _) => Self::Instance(name, pid),
            (None, Some(program)) => Self::Program(program),
            (None, None) => Self::Unseen,
        }
    }
}

/// The name of the instance that a process is part of, by what `ps` shows.
fn instance(pid: u32) -> Option<String> {
    let line = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).ok()?;
    let line = String::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split('\0').collect();
    match words[..] {
        ["mainstay", "control" | "gateway", name, ..] => Some(name.to_owned()),
        _ => None,
    }
}

fn in_use(address: &Address, holder: &Holder) -> String {
    let elsewhere = match address {
        Address::Unix(_) => "choose another path",
        _ => "choose another address with `--listen`",
    };
    match holder {
        Holder::Ourselves => format!(
            "`{address}` overlaps with an address on which this instance listens already; write it as it was, or stop \
             the instance and start it anew"
        ),
        Holder::Instance(name, pid) => format!(
            "`{address}` is in use by the instance `{name}` (process {pid}); end it with `mainstay stop --name {name}`, or {elsewhere}"
        ),
        Holder::Program(Program { pid, name }) => {
            format!("`{address}` is in use by `{name}` (process {pid}); stop it, or {elsewhere}")
        }
        Holder::User(user) => format!(
            "`{address}` is in use by a process of user `{user}`, which we may not look at; {} as root names it; stop it, or {elsewhere}",
            look(address)
        ),
        Holder::Unseen => format!(
            "`{address}` is in use by a process that cannot be seen from here, as one of another container; stop it, or {elsewhere}"
        ),
    }
}

/// The command that names a holder.
fn look(address: &Address) -> String {
    match address.port() {
        Some(port) => format!("`ss -ltnp 'sport = :{port}'`"),
        None => "`ss -lxp`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holder_is_named_with_the_way_out() {
        let address: Address = ":80".parse().expect("an address");
        let program = Program {
            pid: 7,
            name: "nginx".to_owned(),
        };
        for (holder, parts) in [
            (Holder::Ourselves, ["this instance", "start it anew"]),
            (
                Holder::Instance("shop".to_owned(), 7),
                ["`shop` (process 7)", "`mainstay stop --name shop`"],
            ),
            (Holder::Program(program), ["`nginx` (process 7)", "stop it"]),
            (
                Holder::User("www-data".to_owned()),
                ["user `www-data`", "`ss -ltnp 'sport = :80'`"],
            ),
            (Holder::Unseen, ["another container", "`--listen`"]),
        ] {
            let said = in_use(&address, &holder);
            for part in parts {
                assert!(said.contains(part), "{said}");
            }
        }
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let address: Address = address.parse().expect("an address");
        assert_eq!(Holder::of(&address), Holder::Ourselves);
    }
}
