//! `enabled = false`: a section that stands in the file and does not count. It is checked all the same.
//!
//! The section of a layer leaves the layer out; any other is as if it were not written. Knows no key but this one.

use std::collections::BTreeSet;
use std::ops::Range;

use mainstay_pipeline::RatePolicy;
use mainstay_values::Problem;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key::{Key, Section};
use crate::report::Report;
use crate::sections::{self, Layer};
use crate::word;

/// What was switched off.
#[derive(Default)]
pub(crate) struct SwitchedOff {
    /// Layers, each with where that is said.
    layers: Vec<(Layer, Range<usize>)>,
    /// Limits on rates, which a preset may have brought.
    policies: Vec<String>,
    /// An app or upstream: what would have answered requests.
    target: Option<(String, Range<usize>)>,
}

/// Takes out every section that is off, once all of them were checked.
pub(crate) fn take_out(table: &mut DeTable<'_>, report: &Report<'_>) -> SwitchedOff {
    let mut off = SwitchedOff::default();
    let switches: Vec<_> = sections::ALL
        .iter()
        .flat_map(|section| switches(table, section))
        .collect();
    if switches.iter().any(|switch| !switch.is_on) {
        sections::check(table, report);
    }
    for switch in switches {
        let path: Vec<&str> = switch.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            // of a layer with named sections as a whole, where a reader would look for a name
            [kind, "enabled"] => {
                remove(table, &path);
                if !switch.is_on {
                    remove(table, &[kind]);
                }
            }
            path if !switch.is_on => remove(table, path),
            _ => {}
        }
        if !switch.is_on {
            off.note(&path, switch.place);
        }
    }
    off
}

impl SwitchedOff {
    fn note(&mut self, path: &[&str], place: Range<usize>) {
        match path {
            [kind] | [kind, "enabled"] => {
                if let Ok(layer) = word::read::<Layer>(kind) {
                    self.layers.push((layer, place));
                }
            }
            ["rate_limit", name] => self.policies.push((*name).to_owned()),
            ["app" | "upstream", _] => self.target = Some((path.join("."), place)),
            _ => {}
        }
    }

    /// Adds the layers to those that are left out.
    pub(crate) fn leave_out(&self, without: &mut BTreeSet<Layer>, report: &Report<'_>) {
        for (layer, place) in &self.layers {
            without.insert(*layer);
            report.set_place("without", place.clone());
        }
    }

    /// Takes the policies out that are off.
    pub(crate) fn take_out_policies(&self, policies: &mut Vec<RatePolicy>) {
        policies.retain(|policy| !self.policies.contains(&policy.name));
    }

    /// Whoever switches everything off that answers does not mean whatever else lies in the folder.
    pub(crate) fn refuse_to_leave_nothing(&self, report: &Report<'_>) {
        if let Some((path, place)) = &self.target {
            let problem = Problem::new(format!("with `{path}` off nothing is left to run"))
                .expected("another app or upstream")
                .hint("what is off counts as not written");
            report.push_at(place.clone(), problem);
        }
    }
}

/// `enabled` of one section.
struct Switch {
    /// Of the section; ends in `enabled` where it is meant for all sections of a layer.
    path: Vec<String>,
    place: Range<usize>,
    is_on: bool,
}

impl Switch {
    /// A wrong value is no switch: reading the section complains about it.
    fn of(path: &[&str], value: &Spanned<DeValue<'_>>) -> Option<Self> {
        Some(Self {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            place: value.span(),
            is_on: value.get_ref().as_bool()?,
        })
    }
}

/// The switches that sections of this heading hold.
fn switches(table: &DeTable<'_>, section: &Section) -> Vec<Switch> {
    let name = Key::ENABLED.name;
    // what has no keys of its own has names that the user invents
    if section.heading.is_empty() || section.keys.is_empty() {
        return Vec::new();
    }
    let heading = section.heading.trim_matches(['[', ']']);
    let path: Vec<&str> = heading.split('.').collect();
    let Some((&"NAME", outer)) = path.split_last() else {
        let found = find(table, &path).and_then(|below| below.get(name));
        let switch = found.and_then(|value| Switch::of(&path, value));
        return switch.into_iter().collect();
    };
    let Some(named) = find(table, outer) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in named {
        let path = [outer, &[key.get_ref()]].concat();
        let switch = match value.get_ref() {
            DeValue::Table(below) => below.get(name).and_then(|value| Switch::of(&path, value)),
            _ if key.get_ref() == name && word::read::<Layer>(outer[0]).is_ok() => {
                Switch::of(&path, value)
            }
            _ => None,
        };
        found.extend(switch);
    }
    found
}

fn find<'t, 'a>(table: &'t DeTable<'a>, path: &[&str]) -> Option<&'t DeTable<'a>> {
    path.iter()
        .try_fold(table, |table, part| table.get(*part)?.get_ref().as_table())
}

fn remove(table: &mut DeTable<'_>, path: &[&str]) {
    match path {
        [] => {}
        [last] => drop(table.remove(*last)),
        [first, rest @ ..] => {
            if let Some(DeValue::Table(below)) = table.get_mut(*first).map(Spanned::get_mut) {
                remove(below, rest);
            }
        }
    }
}
