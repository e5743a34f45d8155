//! Layers that somebody disabled while the instance runs: laid over the settings, whatever those say, until their time
//! is over. Kept in memory, by the control plane: a reload or another gateway changes nothing about it, another start
//! does. What a layer is when it is left out, `config` knows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_config::{Layer, Settings};
use mainstay_values::format_duration;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::beginning::gateway_settings;
use super::handover::{ago, at, until};
use super::state::Control;
use crate::failure::Failure;
use crate::order::{Disable, Ending};
use crate::say;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Disabled(BTreeMap<Layer, Span>);

#[derive(Debug)]
struct Span {
    since: Instant,
    /// None: until somebody enables it.
    until: Option<Instant>,
}

/// All of them for the next program: since when, and how long still.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DisabledState(Vec<(Layer, Duration, Option<Duration>)>);

impl From<DisabledState> for Disabled {
    fn from(state: DisabledState) -> Self {
        let span = |(layer, since, left)| {
            let (since, until) = (ago(since), at(left));
            (layer, Span { since, until })
        };
        Self(state.0.into_iter().map(span).collect())
    }
}

/// One of them, for `mainstay status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DisabledLayer {
    pub(super) layer: Layer,
    /// How long it has been so.
    pub(super) since: Duration,
    /// How long it will. None: until somebody enables it.
    pub(super) left: Option<Duration>,
}

impl Disabled {
    pub(super) fn state(&self) -> DisabledState {
        let span =
            |(layer, span): (&Layer, &Span)| (*layer, span.since.elapsed(), until(span.until));
        DisabledState(self.0.iter().map(span).collect())
    }

    /// From now on, for so long. What was said before about this layer is forgotten.
    fn add(&mut self, layer: Layer, time: Option<Duration>, now: Instant) {
        let since = self.0.get(&layer).map_or(now, |known| known.since);
        let until = time.map(|time| now + time);
        self.0.insert(layer, Span { since, until });
    }

    /// Whether it was disabled.
    fn remove(&mut self, layer: Layer) -> bool {
        self.0.remove(&layer).is_some()
    }

    /// Waits until the time of one is over, and forgets it. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Layer {
        let Some((until, layer)) = self.next_end() else {
            return std::future::pending().await;
        };
        sleep_until(until).await;
        self.remove(layer);
        layer
    }

    fn next_end(&self) -> Option<(Instant, Layer)> {
        let spans = self.0.iter();
        let ends = spans.filter_map(|(layer, span)| Some((span.until?, *layer)));
        ends.min()
    }

    /// The settings without these layers.
    pub(super) fn over<'a>(&self, settings: &'a Settings) -> Cow<'a, Settings> {
        if self.0.is_empty() {
            return Cow::Borrowed(settings);
        }
        let mut settings = settings.clone();
        settings.leave_out(self.0.keys().copied());
        Cow::Owned(settings)
    }

    /// All of them.
    pub(super) fn list(&self, now: Instant) -> Vec<DisabledLayer> {
        let spans = self.0.iter();
        spans
            .map(|(layer, span)| DisabledLayer {
                layer: *layer,
                since: now - span.since,
                left: span.until.map(|until| until.saturating_duration_since(now)),
            })
            .collect()
    }
}

impl Control {
    /// `mainstay disable`.
    pub(super) fn disable(&mut self, disable: Disable) -> Ending {
        let Disable { layer, for_ms } = disable;
        let time = for_ms.map(Duration::from_millis);
        let is_news = self.settings.has(layer);
        self.disabled.add(layer, time, Instant::now());
        self.tell_settings();
        let until = match time {
            Some(time) => format!("for {}", format_duration(time)),
            None => format!("until `mainstay enable {layer}`"),
        };
        let message = format!("layer `{layer}` is disabled {until}");
        say::warning(&message);
        Ending::well(if is_news {
            message
        } else {
            format!(
                "{message}; the settings leave it out as well{}",
                self.place_of_without()
            )
        })
    }

    /// `mainstay enable`.
    pub(super) fn enable(&mut self, layer: Layer) -> Ending {
        if !self.disabled.remove(layer) {
            let reason = if self.settings.has(layer) {
                format!("layer `{layer}` is not disabled")
            } else {
                let place = self.place_of_without();
                format!(
                    "layer `{layer}` was not disabled at run time; the settings leave it out{place}: change them, then `mainstay reload --settings`"
                )
            };
            return Ending::from(Failure::usage(reason));
        }
        self.tell_settings();
        let message = self.back(layer);
        say::note(&message);
        Ending::well(message)
    }

    /// The time of one is over.
    pub(super) fn on_enabled(&mut self, layer: Layer) {
        self.tell_settings();
        say::note(&format!("{}: its time is over", self.back(layer)));
    }

    /// What holds again.
    fn back(&self, layer: Layer) -> String {
        if self.settings.has(layer) {
            format!("layer `{layer}` is as the settings say again")
        } else {
            let place = self.place_of_without();
            format!("layer `{layer}` is no longer disabled, but left out by the settings{place}")
        }
    }

    fn place_of_without(&self) -> String {
        let place = self.places.get("without");
        place.map_or_else(String::new, |place| format!(" ({place})"))
    }

    /// The running gateways swap their settings; whoever follows them begins with these.
    pub(super) fn tell_settings(&mut self) {
        let workers = self.workers();
        let settings = self.disabled.over(&self.settings);
        let settings = gateway_settings(&settings, &workers, &self.instance, Some(&self.debug));
        if let Some(gateways) = &mut self.gateways {
            gateways.settings(settings);
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_config::Preset;

    use super::*;

    #[test]
    fn each_ends_when_its_time_is_over() {
        let mut disabled = Disabled::default();
        let settings = Settings::of(Preset::Strict);
        assert!(matches!(disabled.over(&settings), Cow::Borrowed(_)));
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let time = |seconds| Some(Duration::from_secs(seconds));
        disabled.add(Layer::Headers, time(60), at(0));
        disabled.add(Layer::Health, None, at(0));
        // said again: the new time counts, it has been so since the first
        disabled.add(Layer::Headers, time(30), at(20));
        let listed = disabled.list(at(30));
        let seconds = listed.iter().map(|one| {
            let left = one.left.map(|left| left.as_secs());
            (one.layer, one.since.as_secs(), left)
        });
        assert_eq!(
            seconds.collect::<Vec<_>>(),
            [(Layer::Health, 30, None), (Layer::Headers, 30, Some(20))]
        );
        assert!(!disabled.over(&settings).has(Layer::Headers));
        assert_eq!(disabled.next_end(), Some((at(50), Layer::Headers)));
        assert!(disabled.remove(Layer::Headers));
        assert!(disabled.over(&settings).has(Layer::Headers));
        assert_eq!(disabled.next_end(), None, "nobody enabled the other");
        assert!(disabled.remove(Layer::Health));
        assert!(!disabled.remove(Layer::Health));
    }
}
