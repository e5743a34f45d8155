//! The variables by which a worker learns what it is, in the words PM2 has for them, and those of ours it does not
//! inherit. Reads no environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use serde::{Deserialize, Serialize};

use crate::options::AppOptions;

/// Which inherited variables an app does not get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterEnv {
    /// It gets all of them.
    #[default]
    Nothing,
    /// None but those without which programs are not found, do not know their user or write to the wrong place.
    Everything,
    /// All but those that begin like one of these.
    Prefixes(Vec<String>),
}

/// What no filter takes away.
const NEEDED: [&str; 10] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM", "NODE_ENV",
];

type Variables = BTreeMap<OsString, OsString>;

impl FilterEnv {
    /// What is left of the inherited variables.
    pub(crate) fn apply(&self, mut inherited: Variables) -> Variables {
        match self {
            Self::Nothing => {}
            Self::Everything => inherited.retain(|name, _| {
                let name = name.to_string_lossy();
                NEEDED.contains(&&*name) || name.starts_with("LC_")
            }),
            Self::Prefixes(prefixes) => inherited.retain(|name, _| {
                let name = name.to_string_lossy();
                !prefixes.iter().any(|prefix| name.starts_with(prefix))
            }),
        }
        inherited
    }
}

/// What worker `index` of `workers` is told of itself. `number` is the one by which people know it.
pub(crate) fn tell(
    env: &mut Variables,
    options: &AppOptions,
    index: u32,
    workers: u32,
    number: u32,
) {
    let mode = if workers > 1 {
        "cluster_mode"
    } else {
        "fork_mode"
    };
    for (name, value) in [
        (options.instance_var.as_str(), index.to_string()),
        ("pm_id", number.to_string()),
        ("name", options.name.clone()),
        ("namespace", options.namespace.clone()),
        ("exec_mode", mode.to_owned()),
        ("instances", workers.to_string()),
    ] {
        // what was said for the app itself is meant
        if !options.env.contains_key(name) {
            env.insert(name.into(), value.into());
        }
    }
    if let Some(name) = &options.increment_var
        && let Some(value) = raised(env.get(OsStr::new(name)), index)
    {
        env.insert(name.into(), value.into());
    }
}

/// The number in a variable, higher by `index`. `None`: there is none.
fn raised(value: Option<&OsString>, index: u32) -> Option<String> {
    let number: u64 = value?.to_str()?.trim().parse().ok()?;
    Some(number.checked_add(u64::from(index))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(list: &[(&str, &str)]) -> Variables {
        let list = list.iter();
        list.map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn names(variables: &Variables) -> Vec<String> {
        let names = variables.keys();
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_filter_leaves_what_programs_cannot_do_without() {
        let all = variables(&[
            ("AWS_KEY", "1"),
            ("HOME", "/"),
            ("LC_ALL", "C"),
            ("PATH", "/bin"),
        ]);
        let filters = [
            (
                FilterEnv::Nothing,
                vec!["AWS_KEY", "HOME", "LC_ALL", "PATH"],
            ),
            (FilterEnv::Everything, vec!["HOME", "LC_ALL", "PATH"]),
            (
                FilterEnv::Prefixes(vec!["AWS".into(), "HO".into()]),
                vec!["LC_ALL", "PATH"],
            ),
        ];
        for (filter, expected) in filters {
            assert_eq!(names(&filter.apply(all.clone())), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_worker_learns_what_it_is() {
        let options = AppOptions {
            name: "api".to_owned(),
            instance_var: "INSTANCE".to_owned(),
            increment_var: Some("METRICS_PORT".to_owned()),
            env: BTreeMap::from([("namespace".to_owned(), "mine".to_owned())]),
            ..AppOptions::default()
        };
        let mut env = variables(&[("METRICS_PORT", "9100"), ("namespace", "mine")]);
        tell(&mut env, &options, 2, 4, 12);
        let expected = [
            ("INSTANCE", "2"),
            ("METRICS_PORT", "9102"),
            ("exec_mode", "cluster_mode"),
            ("instances", "4"),
            ("name", "api"),
            ("namespace", "mine"),
            ("pm_id", "12"),
        ];
        assert_eq!(env, variables(&expected));
    }

    #[test]
    fn only_a_number_is_raised() {
        for (value, expected) in [
            (Some("3000"), Some("3002")),
            (Some("api"), None),
            (Some("18446744073709551615"), None),
            (None, None),
        ] {
            let value = value.map(OsString::from);
            assert_eq!(raised(value.as_ref(), 2).as_deref(), expected);
        }
    }
}
