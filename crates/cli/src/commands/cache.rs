//! `mainstay cache`: what a running instance keeps of answers, and what it shall not keep any longer.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use http::header::HeaderMap;
use mainstay_pipeline::{
    Extent, Inventory, KeptAnswer, KeptResource, Purge, PurgeMode, cache_sentence,
};
use mainstay_values::Size;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::instance::Instance;
use super::table::{Cell, Column, Side, render, terminal_width};
use crate::arguments::{Cache, CacheExplain, CacheList, CachePurge, CacheStats, CacheWish};
use crate::explain::{Asked, send};
use crate::failure::Failure;
use crate::order::{self, CacheCounts, Insight, Purged};
use crate::protocol::PurgeKnown;
use crate::{Outcome, say};

/// So often an answer is looked for that is just being kept.
const LOOKS: u32 = 20;
/// See [`LOOKS`].
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

pub(crate) fn execute(cache: &Cache) -> Outcome {
    match &cache.wish {
        CacheWish::Purge(wish) => purge(wish),
        CacheWish::List(wish) => list(wish),
        CacheWish::Stats(wish) => stats(wish),
        CacheWish::Explain(wish) => explain(wish),
    }
}

fn purge(wish: &CachePurge) -> Outcome {
    let extent = wish.meant.extent().ok_or_else(|| {
        Failure::usage(
            "nothing to purge is named; write a URL, `--prefix`, `--pattern` or `--tag`, or `--all`",
        )
    })?;
    let purge = Purge {
        extent: spelled(extent)?,
        mode: wish.mode(),
    };
    let instance = Instance::find(wish.which.name.as_deref())?;
    let text = instance.ask_about("/cache/purge", &body(&purge)?)?;
    let purged: Purged = read(&text)?;
    if wish.json {
        super::print(format!("{text}\n").as_bytes())?;
    } else {
        say::note(&what_became(&purged, purge.mode));
    }
    if purged.known == PurgeKnown::NotYet {
        return Err(Failure::machine(
            "the store is away: other machines hear of it when it is back, if this instance runs until then; else purge again",
        ));
    }
    if purged.silent > 0 {
        return Err(Failure::machine(
            "a gateway did not say that it has done it: `mainstay reload --gateway` replaces it, and what it keeps",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn what_became(purged: &Purged, mode: PurgeMode) -> String {
    let here = if purged.known == PurgeKnown::Everywhere {
        " here, and all that share the store know of it"
    } else {
        ""
    };
    let count = match purged.answers {
        0 => {
            return format!(
                "nothing of that was kept{here}; what is just being fetched will not be"
            );
        }
        1 => "1 kept answer".to_owned(),
        count => format!("{count} kept answers"),
    };
    match mode {
        PurgeMode::Hard => format!("forgot {count}{here}"),
        PurgeMode::Soft => format!("{count}: the app is asked whether they still hold"),
    }
}

/// As kept answers are named.
fn spelled(extent: Extent) -> Result<Extent, Failure> {
    let typed = match &extent {
        Extent::All => String::new(),
        Extent::Url(text) | Extent::Prefix(text) | Extent::Pattern(text) | Extent::Tag(text) => {
            text.clone()
        }
    };
    extent.spelled().ok_or_else(|| {
        Failure::usage(format!(
            "nothing that is kept can be meant by `{typed}`; write `http://shop.example/path` or `/path`, and a tag without \
             blanks and commas"
        ))
    })
}

fn list(wish: &CacheList) -> Outcome {
    let instance = Instance::find(wish.which.name.as_deref())?;
    let extent = spelled(wish.meant.extent().unwrap_or(Extent::All))?;
    let (text, inventory) = inventory(&instance, extent, usize::from(wish.most))?;
    if wish.json {
        return super::print(format!("{text}\n").as_bytes());
    }
    super::print(table(&inventory).as_bytes())
}

fn inventory(
    instance: &Instance,
    extent: Extent,
    most: usize,
) -> Result<(String, Inventory), Failure> {
    let text = instance.ask_about("/cache/list", &body(&order::CacheList { extent, most })?)?;
    let inventory = read(&text)?;
    Ok((text, inventory))
}

fn table(inventory: &Inventory) -> String {
    if inventory.resources == 0 {
        return "nothing of that is kept\n".to_owned();
    }
    let column = |heading, side| Column {
        heading,
        side,
        leave_out: 0,
    };
    let columns = [
        column("answers", Side::Right),
        column("bytes", Side::Right),
        column("status", Side::Right),
        column("age", Side::Right),
        column("fresh for", Side::Right),
        column("url", Side::Left),
    ];
    let rows: Vec<_> = inventory.listed.iter().map(row).collect();
    let mut text = render(&columns, &rows, terminal_width());
    let shown = inventory.listed.len() as u64;
    let all = Size::bytes(inventory.bytes);
    let _ = if shown < inventory.resources {
        writeln!(
            text,
            "{shown} of {} URLs, which take {all} in all; `--most` shows more",
            inventory.resources
        )
    } else {
        writeln!(text, "{shown} URLs, {all}")
    };
    text
}

fn row(kept: &KeptResource) -> Vec<Cell> {
    let newest = kept.answers.first();
    let of_newest = |read: &dyn Fn(&KeptAnswer) -> String| newest.map_or_else(String::new, read);
    let fresh = match newest {
        Some(answer) if answer.always_validates => Cell::pending("asks"),
        Some(answer) if answer.fresh_for > 0 => Cell::good(format!("{}s", answer.fresh_for)),
        Some(_) => Cell::pending("stale"),
        None => Cell::new(""),
    };
    vec![
        Cell::new(kept.answers.len().to_string()),
        Cell::new(kept.bytes.to_string()),
        Cell::new(of_newest(&|answer| answer.status.to_string())),
        Cell::new(of_newest(&|answer| format!("{}s", answer.age))),
        fresh,
        Cell::new(kept.url.clone()),
    ]
}

fn stats(wish: &CacheStats) -> Outcome {
    let text = Instance::find(wish.which.name.as_deref())?.ask("/cache.json")?;
    if wish.json {
        return super::print(format!("{text}\n").as_bytes());
    }
    let counts: CacheCounts = read(&text)?;
    let mut text = format!(
        "kept: {} URLs, {}; {} went for others\n",
        counts.resources,
        Size::bytes(counts.bytes),
        counts.evictions
    );
    match counts.hit_rate {
        Some(rate) => {
            let _ = writeln!(
                text,
                "hit rate: {rate:.1} % of the requests that may be answered from it"
            );
        }
        None => text.push_str("no request has asked for it yet\n"),
    }
    let sections = [
        ("requests", &counts.requests),
        ("not used or not kept", &counts.unused),
    ];
    for (heading, counts) in sections
        .into_iter()
        .filter(|(_, counts)| !counts.is_empty())
    {
        let counts: Vec<_> = counts
            .iter()
            .map(|(word, count)| format!("{word} {count}"))
            .collect();
        let _ = writeln!(text, "{heading}: {}", counts.join(" · "));
    }
    super::print(text.as_bytes())
}

fn explain(wish: &CacheExplain) -> Outcome {
    let instance = Instance::find(wish.which.name.as_deref())?;
    let insight: Insight = read(&instance.ask("/debug.json")?)?;
    let asked = Asked::read(std::slice::from_ref(&wish.url), &wish.headers)?;
    let head = send(&asked, None, &insight)?;
    let sentence = sentence(&head.headers);
    // a path alone is one of every host
    let named = if wish.url.starts_with('/') {
        wish.url.clone()
    } else {
        asked.url()
    };
    let kept = kept(&instance, &spelled(Extent::Url(named))?, &head.headers)?;
    if wish.json {
        let value = json!({
            "url": asked.url(),
            "status": head.status.as_u16(),
            "cache_status": head.headers.get("cache-status").and_then(|value| value.to_str().ok()),
            "sentence": sentence,
            "kept": kept.listed,
        });
        return super::print(format!("{value:#}\n").as_bytes());
    }
    let mut text = format!("{}: {}\n{sentence}\n", asked.url(), head.status);
    for resource in &kept.listed {
        for answer in &resource.answers {
            let _ = writeln!(text, "kept of {}: {}", resource.url, in_words(answer));
        }
    }
    super::print(text.as_bytes())
}

/// What is kept of a URL whose answer has just begun. It is kept when all of it has come: a moment later, where its head says
/// that it will be.
fn kept(instance: &Instance, extent: &Extent, headers: &HeaderMap) -> Result<Inventory, Failure> {
    let lines = headers.get_all("cache-status").iter();
    let is_kept = lines.filter_map(|line| line.to_str().ok()).any(|line| {
        let own = line.rsplit(',').next().unwrap_or_default();
        own.split(';').any(|parameter| parameter.trim() == "stored")
    });
    let mut looks = if is_kept { LOOKS } else { 1 };
    loop {
        let (_, kept) = inventory(instance, extent.clone(), 10)?;
        looks -= 1;
        if looks == 0 || !kept.listed.is_empty() {
            return Ok(kept);
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

fn sentence(headers: &HeaderMap) -> String {
    let field = headers.get_all("cache-status").iter().next_back();
    let told = field.and_then(|value| cache_sentence(value.to_str().ok()?));
    told.unwrap_or_else(|| {
        "the cache was not asked: it is off on this route, or the request was answered before it"
            .to_owned()
    })
}

fn in_words(answer: &KeptAnswer) -> String {
    let mut text = format!(
        "{}, {} bytes, {} s old, ",
        answer.status, answer.bytes, answer.age
    );
    match answer.fresh_for {
        _ if answer.always_validates => text.push_str("used when the app says that it holds"),
        left if left > 0 => drop(write!(text, "fresh for {left} s")),
        _ if answer.purged => text.push_str("purged"),
        left => drop(write!(text, "stale for {} s", -left)),
    }
    for (seconds, when) in [
        (answer.stale_while_revalidate, "while it is fetched anew"),
        (answer.stale_if_error, "if the app fails"),
    ] {
        if seconds > 0 {
            let _ = write!(text, ", {seconds} s longer {when}");
        }
    }
    if !answer.vary.is_empty() {
        let _ = write!(
            text,
            "; for requests with the same {}",
            answer.vary.join(", ")
        );
    }
    if !answer.tags.is_empty() {
        let _ = write!(text, "; tags {}", answer.tags.join(", "));
    }
    text
}

fn body(wish: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(wish).map_err(|error| Failure::internal("the wish", error))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::machine(format!("the instance speaks another version: {error}")))
}
