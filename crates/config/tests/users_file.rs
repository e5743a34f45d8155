//! A file of users may hold anything: it is read, or complained about, and no complaint shows what may be a hash.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mainstay_config::{Included, Reachable, SourceFile, Sources, Style, load, render};
use proptest::prelude::*;

const SETTINGS: &str = "[app.api]\ncommand = \"node x.js\"\n[auth]\nusers_file = \"htpasswd\"\n";

/// Stands behind each colon, where hashes do.
const SECRET: &str = "s3cr3t-h4sh";

fn with(users: &[u8]) -> Sources {
    let file = SourceFile::new("mainstay.toml", "/srv", SETTINGS.into());
    let others = BTreeMap::from([(PathBuf::from("/srv/htpasswd"), users.to_vec())]);
    Sources {
        included: Included::by(&file, &others),
        reachable: Reachable::Memory(others),
        file: Some(file),
        folder: "/srv".into(),
        ..Sources::default()
    }
}

/// How many users there are, or the complaint.
fn read(users: &[u8]) -> Result<usize, String> {
    let sources = with(users);
    match load(&sources) {
        Ok(settings) => Ok(settings.layers.auth.users.len()),
        Err(problems) => Err(render(&problems, &sources, Style::Plain)),
    }
}

#[test]
fn users_are_read_line_by_line() {
    let hash = "$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS";
    let file = format!("# who may come\n\nanna:{hash}\r\nbert:{hash}   \nanna:{hash}\n");
    assert_eq!(read(file.as_bytes()), Ok(2));
}

proptest! {
    #[test]
    fn any_bytes_are_users_or_a_complaint(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(complaint) = read(&bytes) {
            let is_plain = !complaint.contains('\u{1b}');
            prop_assert!(is_plain);
        }
    }

    #[test]
    fn no_complaint_shows_a_hash(
        lines in prop::collection::vec("[a-z# ]{0,6}:?(\\$[a-z0-9]{1,8}){0,4}", 1..20),
    ) {
        let secrets = format!(":{SECRET}");
        let lines: Vec<String> = lines.iter().map(|line| line.replacen(':', &secrets, 1)).collect();
        let file = lines.join("\n");
        if let Err(complaint) = read(file.as_bytes()) {
            prop_assert!(!complaint.contains(SECRET), "{}", complaint);
        }
    }
}
