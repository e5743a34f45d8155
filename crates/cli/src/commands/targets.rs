//! Which instances, apps and workers words like `api`, `3`, `all`, `billing` or `/^api-/` mean. Looks at nothing but what
//! it is given.

use mainstay_values::nearest;
use regex_lite::Regex;

use super::landscape::Known;
use crate::failure::Failure;

/// What is meant of one instance.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) known: &'a Known,
    pub(super) part: Part,
}

/// How much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The instance with all it runs.
    Whole,
    /// These apps, in its order.
    Apps(Vec<String>),
    /// One of several workers of an app.
    Worker { app: String, index: u32, id: u32 },
}

impl Part {
    /// The apps that this is about: `all` of the instance where it is meant as a whole.
    pub(super) fn apps(&self, all: &Known) -> Vec<String> {
        match self {
            Self::Whole => all.apps.iter().map(|app| app.name.clone()).collect(),
            Self::Apps(apps) => apps.clone(),
            Self::Worker { app, .. } => vec![app.clone()],
        }
    }
}

/// What these words mean among these instances. Each instance is there once; several words add up.
///
/// # Errors
/// The first word that means nothing, with what is near.
pub(super) fn choose<'a>(
    words: &[String],
    instances: &'a [Known],
) -> Result<Vec<Chosen<'a>>, Failure> {
    let mut chosen: Vec<Chosen<'a>> = Vec::new();
    for word in words {
        let meant = meaning(word, instances)?;
        for one in meant {
            let same = |other: &&mut Chosen<'_>| other.known.name == one.known.name;
            match chosen.iter_mut().find(same) {
                Some(other) => other.part = both(&other.part, &one.part, one.known),
                None => chosen.push(one),
            }
        }
    }
    Ok(chosen)
}

/// Whether a word means anything.
pub(super) fn is_known(word: &str, instances: &[Known]) -> bool {
    meaning(word, instances).is_ok()
}

fn meaning<'a>(word: &str, instances: &'a [Known]) -> Result<Vec<Chosen<'a>>, Failure> {
    let whole = |known| Chosen {
        known,
        part: Part::Whole,
    };
    if word == "all" && !instances.is_empty() {
        return Ok(instances.iter().map(whole).collect());
    }
    let named = instances.iter().filter(|known| known.name == word);
    let named: Vec<_> = named.map(whole).collect();
    // an app that has the name of another instance is meant too, as PM2 means all of a name
    let apps = apps_that(instances, |_, name, _| name == word);
    let found = with_whole(named, apps);
    if !found.is_empty() {
        return Ok(found);
    }
    if let Ok(id) = word.parse::<u32>() {
        return by_id(id, instances);
    }
    let found = apps_that(instances, |_, _, namespace| namespace == word);
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some(pattern) = word
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    {
        let regex = Regex::new(pattern).map_err(|error| {
            Failure::usage(format!("`{word}` is no regular expression: {error}"))
        })?;
        let found = apps_that(instances, |instance, name, _| {
            regex.is_match(name) || regex.is_match(instance)
        });
        if found.is_empty() {
            return Err(nothing(word, "matches no name", instances));
        }
        return Ok(found);
    }
    Err(nothing(
        word,
        "is no app, instance or namespace of yours",
        instances,
    ))
}

/// Those apps of which instance, name and namespace fit; the whole instance where all do.
fn apps_that(instances: &[Known], fits: impl Fn(&str, &str, &str) -> bool) -> Vec<Chosen<'_>> {
    let mut found = Vec::new();
    for known in instances {
        let fitting = known
            .apps
            .iter()
            .filter(|app| fits(&known.name, &app.name, &app.namespace));
        let apps: Vec<String> = fitting.map(|app| app.name.clone()).collect();
        if !apps.is_empty() {
            found.push(Chosen {
                part: part_of(apps, known),
                known,
            });
        }
    }
    found
}

fn part_of(apps: Vec<String>, known: &Known) -> Part {
    // servers that run elsewhere are served by the instance too: it is more than its apps then
    if apps.len() == known.apps.len() && !known.has_upstreams() {
        Part::Whole
    } else {
        Part::Apps(apps)
    }
}

fn with_whole<'a>(whole: Vec<Chosen<'a>>, apps: Vec<Chosen<'a>>) -> Vec<Chosen<'a>> {
    let is_new = |one: &Chosen<'_>| whole.iter().all(|other| other.known.name != one.known.name);
    let others: Vec<_> = apps.into_iter().filter(is_new).collect();
    whole.into_iter().chain(others).collect()
}

fn by_id(id: u32, instances: &[Known]) -> Result<Vec<Chosen<'_>>, Failure> {
    for known in instances {
        for app in &known.apps {
            let Some(index) = app.ids.iter().position(|known| *known == id) else {
                continue;
            };
            let part = if app.ids.len() == 1 {
                part_of(vec![app.name.clone()], known)
            } else {
                Part::Worker {
                    app: app.name.clone(),
                    index: u32::try_from(index).unwrap_or(u32::MAX),
                    id,
                }
            };
            return Ok(vec![Chosen { known, part }]);
        }
    }
    Err(nothing(&id.to_string(), "is the id of nobody", instances))
}

fn both(one: &Part, other: &Part, known: &Known) -> Part {
    if one == other {
        return one.clone();
    }
    let (one, other) = (one.apps(known), other.apps(known));
    let apps = known.apps.iter().map(|app| app.name.clone());
    let meant = apps.filter(|app| one.contains(app) || other.contains(app));
    part_of(meant.collect(), known)
}

fn nothing(word: &str, why: &str, instances: &[Known]) -> Failure {
    let names: Vec<&str> = names(instances);
    let hint = match nearest(word, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "nothing of yours runs or is on record".to_owned(),
        None => format!("there is {}; `mainstay ls` shows them", names.join(", ")),
    };
    Failure::usage(format!("`{word}` {why}; {hint}"))
}

/// Names of instances and apps, each once.
fn names(instances: &[Known]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for known in instances {
        names.push(&known.name);
        names.extend(known.apps.iter().map(|app| app.name.as_str()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::listing::ListedApp;

    fn app(name: &str, namespace: &str, ids: &[u32]) -> ListedApp {
        ListedApp {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            is_stopped: false,
            program: "node".to_owned(),
            folder: PathBuf::new(),
            wanted: 1,
            ready: 1,
            scaled: None,
            waits_for: Vec::new(),
            address: None,
            ids: ids.to_vec(),
            workers: Vec::new(),
            files: Vec::new(),
        }
    }

    fn known(name: &str, apps: &[ListedApp]) -> Known {
        Known {
            name: name.to_owned(),
            running: None,
            record: None,
            apps: apps.to_vec(),
        }
    }

    fn instances() -> Vec<Known> {
        vec![
            known("blog", &[app("blog", "web", &[5])]),
            known(
                "shop",
                &[
                    app("api", "core", &[0, 1]),
                    app("web", "web", &[2]),
                    app("worker", "core", &[3]),
                ],
            ),
        ]
    }

    fn chosen(words: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let instances = instances();
        let chosen = choose(&words, &instances).map_err(|failure| failure.message)?;
        let named = chosen.iter().map(|one| match &one.part {
            Part::Whole => one.known.name.clone(),
            Part::Apps(apps) => format!("{}/{}", one.known.name, apps.join("+")),
            Part::Worker { app, index, .. } => format!("{}/{app}:{index}", one.known.name),
        });
        Ok(named.collect())
    }

    #[test]
    fn words_mean_what_pm2_means_by_them() {
        for (words, expected) in [
            ("all", &["blog", "shop"][..]),
            ("shop", &["shop"]),
            ("blog", &["blog"]),
            ("api", &["shop/api"]),
            ("api worker", &["shop/api+worker"]),
            ("worker api web", &["shop"]),
            ("web", &["shop/web"]),
            ("core", &["shop/api+worker"]),
            ("5", &["blog"]),
            ("2", &["shop/web"]),
            ("1", &["shop/api:1"]),
            ("1 1", &["shop/api:1"]),
            ("0 1", &["shop/api"]),
            ("/^(api|web)$/", &["shop/api+web"]),
            ("/b/", &["blog", "shop/web"]),
            ("shop api", &["shop"]),
        ] {
            let found = chosen(words);
            assert_eq!(found.as_deref(), Ok(&expected.map_to()[..]), "{words}");
        }
    }

    trait MapTo {
        fn map_to(&self) -> Vec<String>;
    }

    impl MapTo for &[&str] {
        fn map_to(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn a_word_that_means_nothing_names_what_is_near() {
        for (words, part) in [
            ("shpo", "did you mean `shop`?"),
            ("api wroker", "did you mean `worker`?"),
            ("9", "id of nobody"),
            ("/(/", "no regular expression"),
            ("/^x/", "matches no name"),
            ("something-else", "api, blog, shop, web, worker"),
        ] {
            let found = chosen(words).unwrap_err();
            assert!(found.contains(part), "{words}: {found}");
        }
        assert!(choose(&["all".to_owned()], &[]).is_err());
    }
}
