//! `mainstay explain`: what happens to a request, from the settings or from a running instance.

use mainstay_config::Loaded;

use super::Instance;
use super::run::{Read, here, read};
use crate::Outcome;
use crate::arguments::Explain;
use crate::control::{Greeting, Origin};
use crate::explain::{Asked, answer_json, answer_lines, json, lines, rehearse, send};
use crate::failure::Failure;
use crate::order::Insight;

pub(crate) fn execute(explain: &Explain) -> Outcome {
    let text = if explain.token {
        format!("{}\n", insight(explain)?.token)
    } else {
        let asked = Asked::read(&explain.request, &explain.headers)?;
        if explain.send {
            from_the_instance(explain, &asked)?
        } else {
            from_the_settings(explain, &asked)?
        }
    };
    super::print(text.as_bytes())
}

fn from_the_settings(explain: &Explain, asked: &Asked) -> Result<String, Failure> {
    let origin = Origin::new(explain.common.flags(), here()?, Greeting::Usual);
    let Read { loaded, .. } = read(origin)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    let rehearsal = runtime.block_on(rehearse(&loaded.settings, asked))?;
    let Loaded { settings, origins } = loaded;
    Ok(if explain.json {
        format!("{:#}\n", json(asked, &rehearsal, &settings, &origins))
    } else {
        lines(asked, &rehearsal, &settings, &origins)
    })
}

fn from_the_instance(explain: &Explain, asked: &Asked) -> Result<String, Failure> {
    let insight = insight(explain)?;
    let head = send(asked, explain.data.as_deref(), &insight)?;
    Ok(if explain.json {
        format!("{:#}\n", answer_json(&head, &insight))
    } else {
        answer_lines(&head, &insight)
    })
}

fn insight(explain: &Explain) -> Result<Insight, Failure> {
    let name = explain.common.flags().name;
    let text = Instance::find(name.as_deref())?.ask("/debug.json")?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::machine(format!("the instance speaks another version: {error}")))
}
