//! What is run. Starts nothing, and looks at no file of the app.

mod command;
mod group;
mod keys;
mod lives;
mod order;
mod output;
mod scaling;
mod upkeep;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use mainstay_supervisor::AppOptions;
use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{
    AppKind, CoreDumps, Farewell, GiveUp, Limits, Liveness, Privileges, Ready, Workers,
};
use mainstay_values::Address;
use serde::{Deserialize, Serialize};

use self::command::{command, command_line, environment, filter_env, variable};
pub(crate) use self::group::Cpus;
pub(crate) use self::keys::SECTION;
pub use self::order::{Awaited, Ranks, StartOrder};
pub(crate) use self::output::is_nowhere;
pub use self::output::{LogForm, LogPlace, LogSharing, OutputSettings};
pub use self::upkeep::{MaxMemory, UpkeepSettings};
use super::account;
use super::preset::Preset;
use super::reload::ReloadMode;
use crate::reader::{Reader, is_name, not_a_name};

/// One app to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSettings {
    /// What the supervisor needs to know; the name is unique among apps and upstreams.
    pub options: AppOptions,
    /// Where it answers.
    pub listen: AppListen,
    /// When it is started.
    #[serde(default)]
    pub order: StartOrder,
    /// How a new release of it comes in.
    pub release: ReleaseSettings,
    /// What is done to its workers without anybody asking.
    pub upkeep: UpkeepSettings,
    /// Where its output goes in the background.
    pub output: OutputSettings,
    /// What was found out of an app of which the settings leave it open: no setting, but what became of one.
    #[serde(default)]
    pub reach: Reach,
}

/// Where an app is reached of which the settings do not say whether it takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// At an address of the gateway, as soon as it listens.
    #[default]
    Gateway,
    /// It has not listened: nowhere.
    Nowhere,
}

/// Where an app answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppListen {
    /// At the common addresses, by routes.
    #[default]
    Shared,
    /// At this address, where no other app answers.
    At(Address),
    /// At the address that it asks for itself, where no other app answers.
    Own,
}

/// How a new release of an app comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSettings {
    /// Whether the releases may run at the same time.
    pub mode: ReloadMode,
    /// What is run once before the new workers. `None`: nothing.
    pub command: Option<Target>,
    /// How long that may take, 10 ms to a day.
    pub timeout: Duration,
}

impl Default for ReleaseSettings {
    fn default() -> Self {
        Self {
            mode: ReloadMode::Overlap,
            command: None,
            // migrations of large tables take minutes
            timeout: Duration::from_mins(10),
        }
    }
}

impl AppSettings {
    /// An app with everything else as the preset says.
    pub fn new(name: String, target: Target, cwd: PathBuf, preset: Preset) -> Self {
        let (workers, privileges) = match preset {
            Preset::Strict => (Workers::Auto, Privileges::Held),
            Preset::Off | Preset::Safe => (Workers::Fixed(1), Privileges::Open),
        };
        let limits = Limits {
            privileges,
            ..Limits::default()
        };
        Self {
            options: AppOptions {
                name,
                target,
                cwd: Some(cwd),
                workers,
                limits,
                ..AppOptions::default()
            },
            listen: AppListen::Shared,
            order: StartOrder::default(),
            release: ReleaseSettings::default(),
            upkeep: UpkeepSettings::default(),
            output: OutputSettings::default(),
            reach: Reach::Gateway,
        }
    }

    /// Whether requests can come to it.
    pub fn is_server(&self) -> bool {
        match self.options.kind {
            AppKind::Server => true,
            AppKind::Background => false,
            AppKind::Either => self.reach == Reach::Gateway,
        }
    }

    /// The address of its own that the settings name.
    pub fn address(&self) -> Option<&Address> {
        match &self.listen {
            AppListen::At(address) => Some(address),
            AppListen::Shared | AppListen::Own => None,
        }
    }

    /// The app's name.
    pub fn name(&self) -> &str {
        &self.options.name
    }
}

pub(crate) fn read(name: String, section: Reader<'_>, preset: Preset) -> AppSettings {
    let target = section
        .item("command")
        .and_then(|item| command(&item))
        .unwrap_or_else(|| Target::Path(PathBuf::from(".")));
    let mut app = AppSettings::new(name, target, PathBuf::new(), preset);
    app.options.cwd = section.path_behind("cwd");
    section.set("listen", &mut app.listen);
    let options = &mut app.options;
    options.command_line = command_line(&section);
    section.set("http", &mut options.kind);
    if options.kind == AppKind::Background {
        options.ready = Ready::Alive;
        // two of a bot, or of a timetable, are one too many; nobody waits for them
        app.release.mode = ReloadMode::Hold;
    }
    if let Some(item) = section.item("namespace") {
        match section.get::<String>("namespace") {
            Some(name) if is_name(&name) => options.namespace = name,
            Some(_) => item.reject(not_a_name()),
            None => {}
        }
    }
    if let Some(item) = section.item("env") {
        options.env = environment(&item);
    }
    if let Some(item) = section.item("filter_env") {
        options.filter_env = filter_env(&item);
    }
    if let Some(name) = variable(&section, "instance_var") {
        options.instance_var = name;
    }
    options.increment_var = variable(&section, "increment_var");
    scaling::read(&section, &mut options.workers);
    options.port = section.get_within("port", &(1..=u16::MAX));
    section.set("ready", &mut options.ready);
    order::read(&section, &mut app.order);
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    section.set_within("start_timeout", &bounds, &mut options.start_timeout);
    section.set("kill_signal", &mut options.kill_signal);
    section.set_within("kill_timeout", &bounds, &mut options.kill_timeout);
    section.set_within("drain_timeout", &bounds, &mut options.drain_timeout);
    let or_never = Duration::ZERO..=Duration::from_hours(24);
    section.set_within("hang_timeout", &or_never, &mut options.hang_timeout);
    if let Some(true) = section.get("liveness") {
        options.liveness = Liveness::Asked;
    }
    if let Some(true) = section.get("shutdown_message") {
        options.farewell = Farewell::Message;
    }
    lives::read(&section, &mut options.lives);
    if let Some(gives_up) = section.get("give_up") {
        options.give_up = if gives_up {
            GiveUp::InCrashLoop
        } else {
            GiveUp::Never
        };
    }
    options.user = account(&section, "user");
    options.group = account(&section, "group");
    let counts = 16..=1_048_576_u32;
    let limits = &mut options.limits;
    limits.open_files = section.get_within("open_files", &counts).map(u64::from);
    limits.processes = section.get_within("processes", &counts).map(u64::from);
    if let Some(true) = section.get("core_dumps") {
        limits.core_dumps = CoreDumps::Inherited;
    }
    if let Some(is_held) = section.get("no_new_privs") {
        limits.privileges = if is_held {
            Privileges::Held
        } else {
            Privileges::Open
        };
    }
    group::read(&section, &mut options.group_limits);
    upkeep::read(&section, &mut app.upkeep);
    output::read(&section, &mut app.output);
    let release = &mut app.release;
    section.set("reload", &mut release.mode);
    release.command = section
        .item("release_command")
        .and_then(|item| command(&item));
    section.set_within("release_timeout", &bounds, &mut release.timeout);
    section.finish();
    app
}
