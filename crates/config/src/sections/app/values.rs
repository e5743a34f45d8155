//! How the values of `[app.NAME]` are spelled. Knows no key.

use mainstay_supervisor::launch::Interpreter;
use mainstay_supervisor::options::{AppKind, Ready, Workers};
use mainstay_supervisor::signal::Signal;
use mainstay_values::{Address, BadValue};
use toml::de::DeValue;

use super::{AppListen, scaling};
use crate::value::{Item, Value, quoted};

/// More processes than one machine serves well.
pub(super) const MOST_WORKERS: u32 = 1_024;

impl Value for Workers {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "auto" => Ok(Self::Auto),
            "max" => Ok(Self::Max),
            _ => match u32::from_text(text) {
                Ok(count) if (1..=MOST_WORKERS).contains(&count) && !text.is_empty() => {
                    Ok(Self::Fixed(count))
                }
                _ => scaling::from_text(text).ok_or_else(|| {
                    BadValue::new(
                        "a number of workers",
                        format!("1 to {MOST_WORKERS}, `auto`, `max`, or `2..8` for as many as the work needs"),
                    )
                }),
            },
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Fixed(count) => count.to_string(),
            Self::Auto => "auto".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Between(range) => scaling::print(range),
        }
    }

    fn toml(&self) -> String {
        match self {
            Self::Fixed(_) => self.print(),
            Self::Between(range) => scaling::toml(range),
            Self::Auto | Self::Max => quoted(&self.print()),
        }
    }
}

/// `http`: on, off, or found out.
impl Value for AppKind {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "true" => Ok(Self::Server),
            "false" => Ok(Self::Background),
            "auto" => Ok(Self::Either),
            _ => Err(BadValue::new("on or off", "`true`, `false` or `\"auto\"`")),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Server => "true",
            Self::Background => "false",
            Self::Either => "auto",
        }
        .to_owned()
    }

    fn toml(&self) -> String {
        match self {
            Self::Either => quoted(&self.print()),
            Self::Server | Self::Background => self.print(),
        }
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        let outcome = match item.value.get_ref() {
            DeValue::Boolean(true) => Ok(Self::Server),
            DeValue::Boolean(false) => Ok(Self::Background),
            DeValue::String(text) if text == "auto" => Ok(Self::Either),
            _ => Self::from_text(""),
        };
        outcome.map_err(|cause| item.reject(cause)).ok()
    }
}

/// `own`, or an address; an app of which nothing is said shares the common ones.
impl Value for AppListen {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "own" => Ok(Self::Own),
            text => Address::from_text(text).map(Self::At),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Shared => String::new(),
            Self::At(address) => address.print(),
            Self::Own => "own".to_owned(),
        }
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        match item.value.get_ref().as_str() {
            Some("own") => Some(Self::Own),
            _ => Address::read(item).map(Self::At),
        }
    }
}

impl Value for Ready {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        let complaint = || {
            BadValue::new(
                "a sign of readiness",
                "`listen`, `message`, `http:/path`, `log:text` or `alive`",
            )
        };
        match text.split_once(':') {
            None if text == "listen" => Ok(Self::Listen),
            None if text == "message" => Ok(Self::Message),
            None if text == "alive" => Ok(Self::Alive),
            Some(("http", path)) if is_path(path) => Ok(Self::Http(path.to_owned())),
            Some(("http", _)) => Err(complaint().hint("the path begins with `/`: `http:/ready`")),
            Some(("log", part)) if is_part_of_a_line(part) => Ok(Self::Log(part.to_owned())),
            Some(("log", _)) => {
                Err(complaint().hint("part of one line that the app writes: `log:listening on`"))
            }
            _ => Err(complaint()),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Listen => "listen".to_owned(),
            Self::Message => "message".to_owned(),
            Self::Alive => "alive".to_owned(),
            Self::Http(path) => format!("http:{path}"),
            Self::Log(part) => format!("log:{part}"),
        }
    }
}

/// What may stand in a request line as it is.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= 1_024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The supervisor keeps this much of a line.
fn is_part_of_a_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 1_024 && !text.contains(['\n', '\r', '\0'])
}

impl Value for Signal {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        Self::parse(text).ok_or_else(|| {
            let names: Vec<String> = Self::ALL.map(|signal| format!("`{signal}`")).into();
            BadValue::new(
                "a signal to stop with",
                format!("one of {}", names.join(", ")),
            )
        })
    }

    fn print(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for Interpreter {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        let complaint = || {
            BadValue::new(
                "an interpreter",
                "a program, such as `\"node\"` or `\"/opt/node-22/bin/node\"`, or `none`",
            )
        };
        match text {
            "none" => Ok(Self::Itself),
            text if text.contains(['\0', '\n']) || text.trim().is_empty() => Err(complaint()),
            text if text.contains(' ') => {
                Err(complaint().hint("what follows the program goes to `interpreter_args`"))
            }
            text if text.contains('@') && !text.contains('/') => {
                Err(complaint()
                    .hint("versions are not looked up: write the whole path of that one"))
            }
            text => Ok(Self::Program(text.to_owned())),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Itself => "none".to_owned(),
            Self::Program(program) => program.clone(),
        }
    }
}
