//! How tables of several files become one. Knows no key, and opens no file.
//!
//! Two ways: one table is laid over another and wins; or both stand beside each other, and may not say the same.

use std::ops::Range;

use mainstay_values::{Problem, Problems};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document;
use crate::include::Includer;
use crate::report::Report;
use crate::source::Sources;

/// The settings file laid over what it includes.
///
/// # Errors
/// Every syntax error of every file, and every file that could not be included: what is not TOML has no settings to
/// complain about.
pub(crate) fn merged<'a>(
    sources: &'a Sources,
    report: &Report<'a>,
) -> Result<DeTable<'a>, Problems> {
    let layout = report.layout();
    let mut problems = sources.included.problems.clone();
    let mut tables = Vec::new();
    for (begin, file) in layout.files() {
        let text = document::text(file).map_err(Problems::from);
        match text.and_then(|text| document::parse(&file.name, text)) {
            Ok(table) => tables.push(shifted(table, begin)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(layout.sort(problems));
    }
    let mut tables = tables.into_iter();
    let Some(mut main) = tables.next() else {
        return Ok(DeTable::new());
    };
    let mut included: Vec<_> = sources.included.includers().zip(tables).collect();
    // from the last to the first: what a file includes stands behind it, and is whole when its turn comes
    let mut below: Vec<Vec<DeTable<'a>>> = included.iter().map(|_| Vec::new()).collect();
    let mut below_main = Vec::new();
    while let Some((by, mut table)) = included.pop() {
        table.remove("include");
        let parts = below.pop().unwrap_or_default();
        let whole = over(table, parts, report);
        match by {
            Includer::Main => below_main.push(whole),
            Includer::Other(number) => below[number].push(whole),
        }
    }
    main = over(main, below_main, report);
    Ok(main)
}

/// A file over its parts, which were collected from the last to the first.
fn over<'a>(table: DeTable<'a>, mut parts: Vec<DeTable<'a>>, report: &Report<'_>) -> DeTable<'a> {
    let Some(mut base) = parts.pop() else {
        return table;
    };
    while let Some(part) = parts.pop() {
        put_beside(&mut base, part, "", report);
    }
    lay_over(&mut base, table);
    base
}

/// Sections are merged key by key; any other value takes the place of the one below it.
pub(crate) fn lay_over<'a>(base: &mut DeTable<'a>, overlay: DeTable<'a>) {
    for (key, value) in overlay {
        let both_are_sections = value.get_ref().is_table()
            && base
                .get(key.get_ref().as_ref())
                .is_some_and(|below| below.get_ref().is_table());
        if !both_are_sections {
            // with its key, so that complaints about the name point here too
            base.remove(key.get_ref().as_ref());
            base.insert(key, value);
            continue;
        }
        let below = base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut);
        if let (Some(DeValue::Table(below)), DeValue::Table(above)) = (below, value.into_inner()) {
            lay_over(below, above);
        }
    }
}

/// Sections are merged key by key; a key may stand in one of the two only.
fn put_beside<'a>(base: &mut DeTable<'a>, other: DeTable<'a>, path: &str, report: &Report<'_>) {
    for (key, value) in other {
        let name = key.get_ref().as_ref();
        let path = match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let Some((known, _)) = base.get_key_value(name) else {
            base.insert(key, value);
            continue;
        };
        let (first, second) = (known.span(), key.span());
        let below = base.get_mut(name).map(Spanned::get_mut);
        match (below, value.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => {
                put_beside(below, above, &path, report);
            }
            _ => said_twice(&path, &first, second, report),
        }
    }
}

fn said_twice(path: &str, first: &Range<usize>, second: Range<usize>, report: &Report<'_>) {
    let mut problem = Problem::new(format!("`{path}` stands in two included files"))
        .expected("it in one of them, or in the file that includes both, which wins");
    if let Some(place) = report.place(first) {
        problem = problem.hint(format!("the other one is at {place}"));
    }
    report.push_at(second, problem);
}

/// The same table with its places further back.
fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    if by == 0 {
        return table;
    }
    let span = |span: Range<usize>| span.start + by..span.end + by;
    let mut moved = DeTable::new();
    for (key, value) in table {
        let key = Spanned::new(span(key.span()), key.into_inner());
        moved.insert(key, shifted_value(value, by));
    }
    moved
}

fn shifted_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let moved = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(list) => {
            DeValue::Array(list.into_iter().map(|one| shifted_value(one, by)).collect())
        }
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, moved)
}
