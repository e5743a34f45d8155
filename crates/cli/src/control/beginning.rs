//! What a gateway is told at its start, from the settings. Decides nothing: it hands on.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_config::{Layer, Settings};
use mainstay_pipeline::{self as pipeline, DebugToken, HealthOptions, Suspension, WaitOptions};
use mainstay_proxy::{ClientOptions, Options, UpstreamOptions};
use mainstay_store::RedisOptions;

use super::fronts::{self, Sockets};
use crate::protocol::{AccessLogging, Beginning, GatewaySettings, Observe, VERSION};

/// The first message. `workers` says how many each app has, `instance` tells instances apart in `Via`.
pub(super) fn beginning(
    settings: &Settings,
    sockets: &Sockets,
    workers: &[(String, u32)],
    threads: usize,
    instance: &str,
    debug: &DebugToken,
) -> Beginning {
    Beginning {
        version: VERSION,
        // who starts a gateway knows it
        name: String::new(),
        threads,
        sockets: sockets.counts(),
        observe: if sockets.observe.is_some() {
            Observe::Served
        } else {
            Observe::Off
        },
        settings: gateway_settings(settings, workers, instance, Some(debug)),
        suspension: Suspension::None,
        members: BTreeMap::new(),
    }
}

/// What may change while gateways run. `instance` tells instances apart in `Via`.
pub(crate) fn gateway_settings(
    settings: &Settings,
    workers: &[(String, u32)],
    instance: &str,
    debug: Option<&DebugToken>,
) -> GatewaySettings {
    let front = |routes| pipeline::Options {
        trusted_proxies: settings.trusted_proxies.clone(),
        health: HealthOptions {
            enabled: settings.has(Layer::Health),
        },
        maintenance: settings.maintenance.clone(),
        overload: settings.overload.clone(),
        routes,
        layers: settings.layers.clone(),
        rate_limits: settings.rate_limits.clone(),
        pages: Arc::default(),
        instance: instance.to_owned(),
        debug: debug.cloned(),
    };
    GatewaySettings {
        fronts: fronts::routes(settings).into_iter().map(front).collect(),
        pages: settings
            .pages
            .iter()
            .map(|page| page.options.clone())
            .collect(),
        targets: fronts::targets(settings, workers),
        store: settings.store.clone(),
        store_options: RedisOptions {
            budget: settings.timeouts.store,
            authorities: settings
                .store_authorities
                .as_ref()
                .map(|authorities| authorities.pem.clone()),
        },
        wait: WaitOptions {
            queue: settings.limits.queue as usize,
            patience: settings.timeouts.queue,
        },
        proxy: proxy_options(settings),
        access_log: if settings.log.access {
            AccessLogging::Json
        } else {
            AccessLogging::Off
        },
    }
}

fn proxy_options(settings: &Settings) -> Options {
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    let size = |size: mainstay_values::Size| usize::try_from(size.as_bytes()).unwrap_or(usize::MAX);
    Options {
        client: ClientOptions {
            head: size(limits.head),
            field: size(limits.field),
            fields: limits.fields as usize,
            target: size(limits.target),
            head_timeout: timeouts.head,
            keep_alive: timeouts.keep_alive,
            keep_alive_trusted: timeouts.keep_alive_trusted,
            body_minimum: size(limits.body_rate)
                .saturating_mul(timeouts.body_period.as_secs().max(1) as usize),
            body_period: timeouts.body_period,
            send_timeout: timeouts.send,
            ..ClientOptions::default()
        },
        upstream: UpstreamOptions {
            connect_timeout: timeouts.connect,
            head_timeout: timeouts.response,
            body_timeout: timeouts.idle,
            ..UpstreamOptions::default()
        },
    }
}
