//! Flags that many commands know: those of whatever starts something, and those that name a running instance.

use std::path::PathBuf;

use clap::Args;
use mainstay_config::Flags;

/// Flags of every verb that starts something.
#[derive(Args)]
pub(crate) struct Common {
    /// Read this file instead of ./mainstay.toml
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Listen here, such as `:3000`, `127.0.0.1:8080` or `unix:/run/shop.sock`
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Serve health and metrics here, read-only
    #[arg(long, value_name = "ADDR")]
    pub(super) observe: Option<String>,
    /// Workers: a number, `auto` or `max`
    #[arg(short = 'n', long, value_name = "N|max|auto")]
    pub(super) workers: Option<String>,
    /// How much protection is on when nothing more is said; `safe` if none is named
    #[arg(long, value_name = "off|safe|strict")]
    pub(super) preset: Option<String>,
    /// Leave layers out, such as `headers`
    #[arg(long, value_name = "LAYER,…")]
    pub(super) without: Option<String>,
    /// Lay `[profile.NAME]` of the settings file over the rest of it, or `env_NAME` of an ecosystem file
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<String>,
    /// Only these apps of an ecosystem file
    #[arg(long, value_name = "APP,…")]
    pub(super) only: Option<String>,
    /// The instance's name
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Front servers that run already, such as `127.0.0.1:9000` or `unix:/run/app.sock`
    #[arg(long, value_name = "ADDR")]
    pub(super) upstream: Option<String>,
}

/// Which running instance is meant.
#[derive(Args)]
pub(crate) struct Which {
    /// The instance's name; not needed when only one runs
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Which instances, apps or workers are meant.
#[derive(Args)]
pub(crate) struct Targets {
    /// An app, an instance, an id, a namespace, `/regex/` or `all`; not needed when only one instance runs
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Only of this instance
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

impl Common {
    /// These, and where nothing is said, those.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            listen: self.listen.or(other.listen),
            observe: self.observe.or(other.observe),
            workers: self.workers.or(other.workers),
            preset: self.preset.or(other.preset),
            without: self.without.or(other.without),
            env: self.env.or(other.env),
            only: self.only.or(other.only),
            name: self.name.or(other.name),
            upstream: self.upstream.or(other.upstream),
        }
    }

    /// As the settings take them.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            observe: self.observe.clone(),
            workers: self.workers.clone(),
            preset: self.preset.clone(),
            without: self.without.clone(),
            env: self.env.clone(),
            only: self.only.clone(),
            name: self.name.clone(),
            upstream: self.upstream.clone(),
            target: None,
        }
    }

    /// Nothing is said.
    pub(super) fn none() -> Self {
        Self {
            config: None,
            listen: None,
            observe: None,
            workers: None,
            preset: None,
            without: None,
            env: None,
            only: None,
            name: None,
            upstream: None,
        }
    }
}
