//! `mainstay.toml`, environment and flags to checked [`Settings`], and every complaint about them.
//!
//! Prints nothing, starts nothing, opens no socket, and reads no environment but the map it is given; files are read by
//! [`Sources::gather`], before any of them is looked at.
//!
//! Every section is one file in `sections`: its settings, its keys with one sentence each, how it
//! is read. Adding a section is adding a file, a field of [`Settings`] and a line in `sections`.

mod check;
mod default_file;
mod document;
pub mod ecosystem;
mod effective;
mod files;
mod flags;
mod include;
mod key;
mod layout;
mod load;
mod merge;
mod origin;
mod overrides;
mod pattern;
mod profile;
mod reader;
mod reference;
mod render;
mod report;
mod schema;
mod sections;
mod settings;
mod source;
mod source_file;
mod switch;
mod value;
mod word;

pub use default_file::default_file;
pub use effective::{Effective, InForce};
pub use files::{Disk, Files, Reachable};
pub use flags::Flags;
pub use include::Included;
pub use key::{Key, Section};
pub use load::{Loaded, explain, load};
pub use origin::{Origin, Origins};
pub use reference::reference;
pub use render::{Style, render};
pub use schema::schema;
pub use sections::{
    AppListen, AppSettings, Authorities, Awaited, Layer, Limits, ListenSettings, LogForm, LogPlace,
    LogSettings, LogSharing, MaxMemory, OutputSettings, PageSettings, Percent, Preset, Ranks,
    Reach, ReleaseSettings, ReloadMode, ReloadSettings, RouteSettings, ShutdownSettings,
    StartOrder, Surge, Timeouts, UpkeepSettings, UpstreamSettings,
};
pub use settings::Settings;
pub use source::Sources;
pub use source_file::SourceFile;
