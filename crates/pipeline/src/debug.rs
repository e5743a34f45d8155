//! How an answer came about, told to whoever knows the token: `Mainstay-Debug: TOKEN` in the request.
//!
//! An exchange that was not asked carries an empty pointer and pays nothing more. What may not be here: a word to
//! anybody without the token, or the token on its way to an origin.

use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderName, HeaderValue};
use mainstay_values::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::forwarding::is_hop_by_hop;
use crate::{Exchange, Refusal, Step};

/// The field that asks, and the one that answers.
pub const DEBUG_FIELD: &str = "mainstay-debug";

/// What must be known to be told how an answer came about. Travels to the gateway; is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DebugToken(Secret);

impl DebugToken {
    /// Takes the token.
    pub fn new(token: String) -> Self {
        Self(Secret::new(token))
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether `other` is the same, in time that depends on the lengths only.
    pub(crate) fn is(&self, other: &HeaderValue) -> bool {
        self.0.is(other.as_bytes())
    }
}

impl fmt::Debug for DebugToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DebugToken(…)")
    }
}

impl Serialize for DebugToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for DebugToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Who set which response field, found out by looking before and after each step.
#[derive(Debug, Default)]
pub(crate) struct Account {
    before: HeaderMap,
    /// The last step that set a field.
    set: Vec<(HeaderName, Step)>,
    /// The step that took a field out which somebody before it had set.
    removed: Vec<(HeaderName, Step)>,
}

impl Account {
    /// The fields as they are after a step.
    pub(crate) fn note(&mut self, step: Step, headers: &HeaderMap) {
        for name in headers.keys() {
            if !self.before.get_all(name).iter().eq(headers.get_all(name)) {
                self.sets(name, step);
            }
        }
        for name in self
            .before
            .keys()
            .filter(|name| !headers.contains_key(*name))
        {
            self.set.retain(|(known, _)| known != name);
            // what concerned the app's connection ended with it: nobody decided that
            if !is_hop_by_hop(name) {
                self.removed.push((name.clone(), step));
            }
        }
        self.before = headers.clone();
    }

    /// A step has set a field.
    pub(crate) fn sets(&mut self, name: &HeaderName, step: Step) {
        self.set.retain(|(known, _)| known != name);
        self.set.push((name.clone(), step));
    }

    /// As JSON. Names of fields, steps and routes are tokens, which need no escaping.
    pub(crate) fn tell(&self, exchange: &Exchange, route: Option<&str>) -> Option<HeaderValue> {
        let mut text = String::from("{\"trail\":[");
        list(&mut text, exchange.trail.steps().map(Step::name));
        text.push(']');
        if let Some(route) = route {
            let _ = write!(text, ",\"route\":\"{route}\"");
        }
        if let Some(identity) = &exchange.identity {
            let _ = write!(text, ",\"user\":{}", serde_json::json!(&*identity.name));
        }
        if let Some(origin) = &exchange.origin {
            // names of servers may hold paths, and those anything
            let _ = write!(text, ",\"origin\":{}", serde_json::json!(&**origin));
        }
        if let Some(took) = exchange.origin_duration {
            let _ = write!(text, ",\"origin_us\":{}", took.as_micros());
        }
        let _ = write!(text, ",\"client\":\"{}\"", exchange.client);
        let _ = write!(text, ",\"resends\":{}", exchange.resends);
        if let Some(reason) = exchange.refusal.map(Refusal::reason) {
            let _ = write!(text, ",\"refusal\":\"{reason}\"");
        }
        if let Some(leak) = exchange.scrubbed {
            let _ = write!(text, ",\"scrubbed\":\"{}\"", leak.word());
        }
        if let Some((step, refusal)) = exchange.spared() {
            let (step, reason) = (step.name(), refusal.reason());
            let _ = write!(
                text,
                ",\"dry_run\":{{\"step\":\"{step}\",\"reason\":\"{reason}\"}}"
            );
        }
        for (word, fields) in [("set", &self.set), ("removed", &self.removed)] {
            let _ = write!(text, ",\"{word}\":{{");
            for (index, (name, step)) in fields.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(text, "{comma}\"{name}\":\"{}\"", step.name());
            }
            text.push('}');
        }
        text.push('}');
        HeaderValue::try_from(text).ok()
    }
}

fn list(text: &mut String, names: impl Iterator<Item = &'static str>) {
    for (index, name) in names.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\"{name}\"");
    }
}
