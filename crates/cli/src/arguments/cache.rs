//! The words of `mainstay cache`.

use clap::{Args, Subcommand};
use mainstay_pipeline::{Extent, PurgeMode};

use super::Which;

/// `mainstay cache`.
#[derive(Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    pub(crate) wish: CacheWish,
}

/// What is asked of the cache.
#[derive(Subcommand)]
pub(crate) enum CacheWish {
    /// Forget kept answers: of a URL, or by their beginning, form or tag
    Purge(CachePurge),
    /// List what is kept
    List(CacheList),
    /// Tell what the cache holds, and what became of the requests that it was asked about
    Stats(CacheStats),
    /// Ask for a URL as a client would, and tell what the cache did and why
    Explain(CacheExplain),
}

/// Which kept answers are meant.
#[derive(Args)]
#[group(required = false, multiple = false)]
pub(crate) struct Meant {
    /// A URL, or a path of every host
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Those whose URL, or path, begins so
    #[arg(long, value_name = "BEGINNING")]
    pub(crate) prefix: Option<String>,
    /// Those whose URL, or path, is of this form: `*` stands for anything
    #[arg(long, value_name = "FORM")]
    pub(crate) pattern: Option<String>,
    /// Those with this tag in `Cache-Tag` or `Surrogate-Key`
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// All
    #[arg(long)]
    pub(crate) all: bool,
}

impl Meant {
    /// As it was typed. None: nothing was.
    pub(crate) fn extent(&self) -> Option<Extent> {
        let named = [
            self.url.clone().map(Extent::Url),
            self.prefix.clone().map(Extent::Prefix),
            self.pattern.clone().map(Extent::Pattern),
            self.tag.clone().map(Extent::Tag),
            self.all.then_some(Extent::All),
        ];
        named.into_iter().flatten().next()
    }
}

/// `mainstay cache purge`.
#[derive(Args)]
pub(crate) struct CachePurge {
    #[command(flatten)]
    pub(crate) meant: Meant,
    /// Take them for stale instead: the app is asked whether they still hold
    #[arg(long)]
    pub(crate) soft: bool,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

impl CachePurge {
    pub(crate) fn mode(&self) -> PurgeMode {
        if self.soft {
            PurgeMode::Soft
        } else {
            PurgeMode::Hard
        }
    }
}

/// `mainstay cache list`.
#[derive(Args)]
pub(crate) struct CacheList {
    #[command(flatten)]
    pub(crate) meant: Meant,
    /// URLs that are listed, 1 to 10000
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) most: u16,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay cache stats`.
#[derive(Args)]
pub(crate) struct CacheStats {
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// `mainstay cache explain`.
#[derive(Args)]
pub(crate) struct CacheExplain {
    /// The URL, such as `http://shop.example/hats`, or just `/hats`
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// A header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}
