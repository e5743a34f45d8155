//! `[rate_limit.NAME]`: how much one client may ask for. How that is counted is in the pipeline's stage.

use std::num::NonZeroU32;
use std::time::Duration;

use mainstay_pipeline::{
    Algorithm, BanOptions, KeyPart, Listed, QuotaHeaders, RatePolicy, Sharing, Skip, WithoutStore,
};
use mainstay_values::{Problem, Rate, RequestPattern, format_duration};

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::Value as _;
use crate::word::Word;

/// Every request is held against all of them, and each is remembered apart.
const MOST_POLICIES: usize = 100;
/// A bucket that is filled with more at once limits nothing.
const MOST_BURST: u32 = 1_000_000;
/// Of any kind.
pub(super) const LONGEST_BAN: Duration = Duration::from_hours(365 * 24);
const MINUTES_15: Duration = Duration::from_mins(15);

/// What a preset limits: `strict` what the guides do.
pub(crate) fn of(preset: Preset) -> Vec<RatePolicy> {
    if preset != Preset::Strict {
        return Vec::new();
    }
    let policy = |name: &str, count: u32, paths: &[&str]| RatePolicy {
        requests: paths.iter().filter_map(|path| path.parse().ok()).collect(),
        ..RatePolicy::new(
            name,
            Rate {
                count: NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN),
                window: MINUTES_15,
            },
        )
    };
    vec![
        policy("client", 1_000, &[]),
        policy("api", 100, &["/api"]),
        RatePolicy {
            skip: Skip {
                successful: true,
                failed: false,
            },
            ..policy("auth", 5, &["/auth", "/login"])
        },
    ]
}

impl Word for Algorithm {
    const WANTED: &'static str = "a way to count";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sliding_window", Self::SlidingWindow),
        ("fixed_window", Self::FixedWindow),
        ("token_bucket", Self::TokenBucket),
    ];
}

impl Word for Sharing {
    const WANTED: &'static str = "who counts together";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("leased", Self::Leased),
        ("exact", Self::Exact),
        ("machine", Self::Machine),
    ];
}

impl Word for WithoutStore {
    const WANTED: &'static str = "what holds without the store";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("local", Self::Local),
        ("open", Self::Open),
        ("closed", Self::Closed),
    ];
}

impl Word for QuotaHeaders {
    const WANTED: &'static str = "a form of rate limit headers";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("draft-8", Self::Draft8),
        ("draft-7", Self::Draft7),
        ("draft-6", Self::Draft6),
        ("legacy", Self::Legacy),
        ("none", Self::None),
    ];
}

/// For who writes limit and window apart.
const RATE: &str = "write both in one: `rate = \"100/15m\"`";

pub(crate) const SECTION: Section = Section {
    heading: "[rate_limit.NAME]",
    doc: "How much one client may ask for; what is more is answered with 429 and `Retry-After`. A request is counted by every \
          policy that is for it, in the order of the file; the first that refuses ends it. All workers, threads and gateways \
          share the counts, and a reload keeps them. Preset `strict` has three: `client` (1000/15m), `api` (100/15m on \
          `/api`) and `auth` (5/15m failures on `/auth` and `/login`); a section of the same name changes one of them.",
    keys: &[
        Key {
            name: "match",
            kind: "kind of request, or list of them",
            default: "(every request)",
            doc: "Which requests it is for: methods, host and path, each as needed: `POST api.example.com/auth`; no spelling of a path evades it.",
        },
        Key {
            name: "rate",
            kind: "rate",
            default: "",
            doc: "So many in so long: `100/15m`.",
        },
        Key {
            name: "algorithm",
            kind: "`sliding_window`, `fixed_window` or `token_bucket`",
            default: "\"sliding_window\"",
            doc: "How is counted: over the last window at any time; in windows that begin with a client's first request, as express-rate-limit; one after the other at an even pace, as nginx's `limit_req`.",
        },
        Key {
            name: "burst",
            kind: "count, up to 1000000",
            default: "(none)",
            doc: "For `token_bucket`: how many more than one may come at once.",
        },
        Key {
            name: "delay",
            kind: "count, up to `burst`",
            default: "(nobody waits)",
            doc: "For `token_bucket`: so many of the burst pass at once, the others wait their turn; `0` makes all of them wait.",
        },
        Key {
            name: "key",
            kind: "`ip`, `route`, `header:NAME`, `cookie:NAME`, `api-key`, `user` or `claim:NAME`, or list of them",
            default: "\"ip\"",
            doc: "Whose budget it is; of a list all together. `api-key`, `user` and `claim:NAME` are what was verified; a header or cookie is what the client likes to send.",
        },
        Key {
            name: "ipv6_prefix",
            kind: "32 to 128",
            default: "56",
            doc: "How many bits of an IPv6 address stand for one client.",
        },
        Key {
            name: "cost",
            kind: "count",
            default: "1",
            doc: "What one request takes of the budget.",
        },
        Key {
            name: "skip_successful",
            kind: "`true` or `false`",
            default: "false",
            doc: "Gives back what a request took when its answer has a status below 400: only failures count.",
        },
        Key {
            name: "skip_failed",
            kind: "`true` or `false`",
            default: "false",
            doc: "Gives back what a request took when its answer has a status from 400 on, or nobody waited for it.",
        },
        Key {
            name: "allow",
            kind: "list of addresses, ranges and `key:KEY`",
            default: "[]",
            doc: "Who is never counted.",
        },
        Key {
            name: "deny",
            kind: "list of addresses, ranges and `key:KEY`",
            default: "[]",
            doc: "Who is always refused, with 403.",
        },
        Key {
            name: "ban_after",
            kind: "count",
            default: "(nobody is banned)",
            doc: "After so many refusals, without a window that was kept to in between, whatever matches is refused for `ban_for`.",
        },
        Key {
            name: "ban_for",
            kind: "duration, 1s to 365d",
            default: "(nobody is banned)",
            doc: "How long a ban lasts; `mainstay unban` lifts it.",
        },
        Key {
            name: "headers",
            kind: "`draft-8`, `draft-7`, `draft-6`, `legacy` or `none`, or list of them",
            default: "\"draft-8\"",
            doc: "In which words clients are told what is left; of several policies the one nearest to its end is told.",
        },
        Key {
            name: "share",
            kind: "`leased`, `exact` or `machine`",
            default: "\"leased\"",
            doc: "Who counts together where there is a `store`: all machines, by blocks of hits that each takes ahead; all machines, asking for each request; this machine alone. What waits its turn (`delay`), and what refuses nobody (`dry_run`), is counted by each machine alone.",
        },
        Key {
            name: "without_store",
            kind: "`local`, `open` or `closed`",
            default: "\"local\"",
            doc: "What holds while the store is away: what this machine counts; everything passes; nothing does, with 503.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("limit", RATE),
        ("max", RATE),
        ("window", RATE),
        ("windowMs", RATE),
        ("path", "match"),
        ("paths", "match"),
        ("methods", "match"),
        ("host", "match"),
        ("by", "key"),
        ("nodelay", "write `burst` and no `delay`: then nobody waits"),
        ("skipSuccessfulRequests", "skip_successful"),
        ("skipFailedRequests", "skip_failed"),
        ("skip_success", "skip_successful"),
        ("standardHeaders", "headers"),
        ("legacyHeaders", "write `headers = \"legacy\"`"),
        ("ipv6Subnet", "ipv6_prefix"),
        ("keyGenerator", "key"),
        ("ban", "write `ban_after` and `ban_for`"),
        ("name", "[rate_limit.NAME]"),
    ],
    example: "\
[rate_limit.login]
match = [\"POST /auth\", \"POST /login\"]
rate = \"5/15m\"
skip_successful = true
ban_after = 20
ban_for = \"1h\"

[rate_limit.everything]
rate = \"10/s\"
burst = 20
",
};

/// Reads them all over those of the preset.
pub(crate) fn read_all(top: &Reader<'_>, slot: &mut Vec<RatePolicy>) {
    for (name, section) in top.named("rate_limit", &SECTION) {
        let known = slot.iter().position(|policy| policy.name == name);
        let before = known.map(|index| slot[index].clone());
        let Some(policy) = read(name, &section, before) else {
            section.finish();
            continue;
        };
        if slot.len() >= MOST_POLICIES && known.is_none() {
            section.reject(
                Problem::new("there are too many rate limits")
                    .expected(format!("at most {MOST_POLICIES}")),
            );
        }
        section.finish();
        match known {
            Some(index) => slot[index] = policy,
            None => slot.push(policy),
        }
    }
}

/// One of them. None without a sound rate.
fn read(name: String, section: &Reader<'_>, before: Option<RatePolicy>) -> Option<RatePolicy> {
    let rate: Option<Rate> = section.get("rate");
    if section.item("rate").is_none() && before.is_none() {
        section.reject(
            Problem::new(format!("`{}` limits nothing", section.path()))
                .expected("`rate = \"100/15m\"` or the like below it"),
        );
    }
    let mut policy = match (before, rate) {
        (Some(before), rate) => RatePolicy {
            rate: rate.unwrap_or(before.rate),
            ..before
        },
        (None, Some(rate)) => RatePolicy::new(name, rate),
        // what else is wrong is told all the same
        (None, None) => {
            let any = Rate {
                count: NonZeroU32::MIN,
                window: MINUTES_15,
            };
            read_rest(section, &mut RatePolicy::new(name, any));
            return None;
        }
    };
    read_rest(section, &mut policy);
    check_rate(section, &policy);
    Some(policy)
}

fn read_rest(section: &Reader<'_>, policy: &mut RatePolicy) {
    if let Some(requests) = section.list::<RequestPattern>("match") {
        policy.requests = requests;
    }
    counting(section, policy);
    if let Some(key) = section.list::<KeyPart>("key") {
        policy.key = key;
    }
    let mut prefix = u32::from(policy.ipv6_prefix);
    section.set_within("ipv6_prefix", &(32..=128), &mut prefix);
    policy.ipv6_prefix = u8::try_from(prefix).unwrap_or(128);
    section.set_within("cost", &(1..=RatePolicy::MOST_HITS), &mut policy.cost);
    section.set("skip_successful", &mut policy.skip.successful);
    section.set("skip_failed", &mut policy.skip.failed);
    if let Some(listed) = section.list::<Listed>("allow") {
        policy.allow = listed;
    }
    if let Some(listed) = section.list::<Listed>("deny") {
        policy.deny = listed;
    }
    ban(section, policy);
    if let Some(headers) = section.list::<QuotaHeaders>("headers") {
        policy.headers = headers;
    }
    section.set("share", &mut policy.sharing);
    section.set("without_store", &mut policy.without_store);
    section.set("dry_run", &mut policy.enforcement);
}

/// A burst is only known to a bucket, and makes one.
fn counting(section: &Reader<'_>, policy: &mut RatePolicy) {
    let algorithm: Option<Algorithm> = section.get("algorithm");
    let burst = section.get_within("burst", &(0..=MOST_BURST));
    let delay: Option<u32> = section.get("delay");
    let is_of_bucket = burst.is_some() || delay.is_some();
    match algorithm {
        Some(algorithm) => policy.algorithm = algorithm,
        None if is_of_bucket => policy.algorithm = Algorithm::TokenBucket,
        None => {}
    }
    policy.burst = burst.unwrap_or(policy.burst);
    policy.delay = delay.or(policy.delay);
    if is_of_bucket && policy.algorithm != Algorithm::TokenBucket {
        for key in ["burst", "delay"] {
            if let Some(item) = section.item(key) {
                item.push(
                    Problem::new(format!("`{}` is for a bucket", item.path))
                        .expected("`algorithm = \"token_bucket\"` beside it, or neither"),
                );
            }
        }
    }
    if let (Some(item), true) = (section.item("delay"), delay > Some(policy.burst)) {
        item.push(
            Problem::new(format!("`{}` is more than the burst", item.path))
                .expected(format!("at most `burst`, {}", policy.burst)),
        );
    }
}

fn ban(section: &Reader<'_>, policy: &mut RatePolicy) {
    let after = section.get_within("ban_after", &(1..=RatePolicy::MOST_HITS));
    let lasts = section.get_within("ban_for", &(Duration::from_secs(1)..=LONGEST_BAN));
    let there = |key| section.item(key).is_some();
    let before = policy.ban;
    let after = after.or(before.map(|ban| ban.after));
    let lasts = lasts.or(before.map(|ban| ban.lasts));
    if let (Some(after), Some(lasts)) = (after, lasts) {
        policy.ban = Some(BanOptions { after, lasts });
        return;
    }
    for (key, other, example) in [
        ("ban_after", "ban_for", "ban_for = \"1h\""),
        ("ban_for", "ban_after", "ban_after = 20"),
    ] {
        if there(key) && !there(other) {
            section.reject(
                Problem::new(format!("`{}` has `{key}` and no `{other}`", section.path()))
                    .expected(format!("`{example}` or the like beside it")),
            );
        }
    }
}

/// What can be counted.
fn check_rate(section: &Reader<'_>, policy: &RatePolicy) {
    let (count, window) = (policy.rate.count.get(), policy.rate.window);
    let item = section.item("rate");
    let complain = |problem: Problem| match &item {
        Some(item) => item.push(problem),
        None => section.reject(problem),
    };
    let path = format!("{}.rate", section.path());
    if count > RatePolicy::MOST_HITS {
        complain(
            Problem::new(format!("`{path}` allows more than can be counted"))
                .expected(format!("at most {}", RatePolicy::MOST_HITS))
                .hint("a shorter window, such as `1000/s`, allows as much"),
        );
    }
    if window > RatePolicy::LONGEST_WINDOW {
        complain(
            Problem::new(format!("`{path}` has too long a window")).expected(format!(
                "at most `{}`",
                format_duration(RatePolicy::LONGEST_WINDOW)
            )),
        );
    }
    let most = match policy.algorithm {
        Algorithm::TokenBucket => policy.burst.saturating_add(1),
        _ => count,
    };
    if let (Some(item), true) = (section.item("cost"), policy.cost > most) {
        item.push(
            Problem::new(format!("`{}` is more than ever passes at once", item.path))
                .expected(format!("at most {}", most.print())),
        );
    }
}
