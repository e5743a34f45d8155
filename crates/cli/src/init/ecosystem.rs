//! PM2's ecosystem file: what the apps are called and which file each starts. It is a program; it is not run, only
//! looked through for these two words.

/// What was seen of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ecosystem {
    pub(super) names: Vec<String>,
    pub(super) scripts: Vec<String>,
}

pub(super) fn read(text: &str) -> Ecosystem {
    Ecosystem {
        names: values(text, "name"),
        scripts: values(text, "script"),
    }
}

/// The texts given to a key, in either notation: `name: 'api'`, `"name": "api"`.
fn values(text: &str, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        for (at, _) in line.match_indices(key) {
            let before = line[..at].chars().next_back();
            let rest = line[at + key.len()..].trim_start_matches(['"', '\'']);
            let whole = !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
            let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
            if let Some(text) = value.filter(|_| whole).and_then(quoted) {
                found.push(text.to_owned());
            }
        }
    }
    found
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text
        .chars()
        .next()
        .filter(|first| "'\"`".contains(*first))?;
    text[1..]
        .split(quote)
        .next()
        .filter(|inner| !inner.is_empty())
}
