//! `[auth.users]` and `users_file`: users with the hashes of their passwords. No message here holds a hash.

use std::collections::BTreeMap;

use mainstay_pipeline::{AuthOptions, PasswordHash};
use mainstay_values::{BadValue, Problem};

use crate::key::Section;
use crate::reader::Reader;
use crate::value::{Item, Value};

/// A file with users is not longer.
const LONGEST_FILE: usize = 1 << 20;
/// Users of one section.
const MOST: usize = 10_000;
/// A user's name is not longer.
const LONGEST_NAME: usize = 128;

pub(crate) const SECTION: Section = Section {
    heading: "[auth.users]",
    doc: "Users, each `name = \"HASH\"`: argon2 or bcrypt, as `mainstay hash` and `htpasswd -B` make them.",
    keys: &[],
    aliases: &[],
    example: "\
[auth.users]
anna = \"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$7ijJX0qDmKZPuCBcbBrbcZ4P1hRcYGBGcbK2e5yPfTQ\"
",
};

pub(super) fn read(section: &Reader<'_>, slot: &mut AuthOptions) {
    let mut users = BTreeMap::new();
    if let Some(item) = section.item("users_file") {
        slot.users_file = file_of(&item, &mut users);
    }
    if let Some(inline) = section.section("users", &SECTION) {
        for (name, item) in inline.entries() {
            let name = name.get_ref();
            if let Some(problem) = unfit_name(name) {
                item.push(Problem::bad_value(&item.path, problem));
            } else if let Some(hash) = hash(&item) {
                users.insert(name.to_string(), hash);
            }
        }
    }
    if users.len() > MOST {
        let problem = Problem::new(format!("`{}` has too many users", section.path()));
        section.reject(problem.expected(format!("at most {MOST}")));
    }
    slot.users.append(&mut users);
}

fn hash(item: &Item<'_>) -> Option<PasswordHash> {
    let text = String::read(item)?;
    let read = text.parse();
    read.map_err(|cause| item.push(Problem::bad_value(&item.path, cause).keep_line_back()))
        .ok()
}

/// Reads the file, and tells all that is wrong with it; its name for people, where it could be read.
fn file_of(item: &Item<'_>, users: &mut BTreeMap<String, PasswordHash>) -> Option<String> {
    let (name, text) = item.text_of_file(LONGEST_FILE)?;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let outcome = match line.split_once(':') {
            None => Err(BadValue::new("a user", "`NAME:HASH`")),
            Some((user, hash)) => match unfit_name(user) {
                Some(cause) => Err(cause),
                None => hash.parse().map(|hash| (user.to_owned(), hash)),
            },
        };
        match outcome {
            Ok((user, hash)) => drop(users.insert(user, hash)),
            Err(cause) => item.push(Problem::bad_value(&format!("{name}:{}", number + 1), cause)),
        }
    }
    Some(name)
}

/// RFC 7617, 2: no colon; and nothing that could not be told to an app in a field.
fn unfit_name(name: &str) -> Option<BadValue> {
    let is_sound = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name
            .bytes()
            .all(|byte| (b'!'..=b'~').contains(&byte) && byte != b':');
    (!is_sound).then(|| {
        BadValue::new(
            "a user's name",
            "1 to 128 visible ASCII characters without `:` and spaces",
        )
    })
}
