//! The sections of the layers that may stand at the top of the file and again below a route. What each of them
//! means is in its own file.

use mainstay_pipeline::{AuthOptions, CorsOptions, Layers};

use super::preset::Preset;
use super::{auth, body, cache, compress, cors, errors, filter, headers};
use crate::key::Key;
use crate::reader::Reader;

/// What a preset says about all of them.
pub(crate) fn of(preset: Preset) -> Layers {
    Layers {
        cors: CorsOptions::default(),
        body: body::of(preset),
        filter: filter::of(preset),
        cache: cache::of(preset),
        compress: compress::of(preset),
        auth: AuthOptions::default(),
        headers: headers::of(preset),
        errors: errors::of(preset),
    }
}

/// Reads those that are there over what holds without them. Whether there were any.
pub(crate) fn read(place: &Reader<'_>, slot: &mut Layers) -> bool {
    let off = of(Preset::Off);
    let read = [
        read_one(
            place.section("cors", &cors::SECTION),
            &mut slot.cors,
            off.cors,
            cors::read,
        ),
        read_one(
            place.section("body", &body::SECTION),
            &mut slot.body,
            off.body,
            body::read,
        ),
        read_one(
            place.section("filter", &filter::SECTION),
            &mut slot.filter,
            off.filter,
            filter::read,
        ),
        read_one(
            place.section("cache", &cache::SECTION),
            &mut slot.cache,
            off.cache,
            cache::read,
        ),
        read_one(
            place.section("compress", &compress::SECTION),
            &mut slot.compress,
            off.compress,
            compress::read,
        ),
        read_one(
            place.section("auth", &auth::SECTION),
            &mut slot.auth,
            off.auth,
            auth::read,
        ),
        read_one(
            place.section("headers", &headers::SECTION),
            &mut slot.headers,
            off.headers,
            headers::read,
        ),
        read_one(
            place.section("errors", &errors::SECTION),
            &mut slot.errors,
            off.errors,
            errors::read,
        ),
    ];
    read.contains(&true)
}

/// Reads one of them, if it is there. A route switches its layer off alone; at the top, `enabled` was read before.
fn read_one<T>(
    section: Option<Reader<'_>>,
    slot: &mut T,
    off: T,
    read: impl FnOnce(Reader<'_>, &mut T),
) -> bool {
    let Some(section) = section else {
        return false;
    };
    let is_off = section.get(Key::ENABLED.name) == Some(false);
    read(section, slot);
    if is_off {
        *slot = off;
    }
    true
}
