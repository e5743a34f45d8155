//! From the lines of a head to names and values. `httparse` reads them; what it is lenient
//! about is checked here: every line ends in CRLF, none is empty, none is too long. What a
//! field means is not known here.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::HeaderValue;

use crate::scan::is_token;
use crate::{HeadFault, Limits};

/// Uninitialised room for the fields of one head, on the stack.
pub(crate) type Room<'buf> = [MaybeUninit<httparse::Header<'buf>>; Limits::MOST_FIELDS];

/// Room for the fields of one head.
pub(crate) fn room<'buf>() -> Room<'buf> {
    [const { MaybeUninit::uninit() }; Limits::MOST_FIELDS]
}

/// How much of the room the limits allow to be used.
pub(crate) fn most(limits: &Limits) -> usize {
    limits.fields.min(Limits::MOST_FIELDS)
}

/// Checks that `head` ends in a blank line, that every field's line begins behind a CRLF, and
/// that no field is too long.
pub(crate) fn check_lines(
    head: &[u8],
    fields: &[httparse::Header<'_>],
    limits: &Limits,
) -> Result<(), HeadFault> {
    for field in fields {
        // names are slices of the head, so the difference is their place in it
        let start = field.name.as_ptr() as usize - head.as_ptr() as usize;
        if start < 2 || head[start - 2..start] != *b"\r\n" {
            return Err(HeadFault::BareLf);
        }
        if field.name.len() + field.value.len() > limits.field {
            return Err(HeadFault::FieldTooLarge);
        }
    }
    if head.ends_with(b"\r\n\r\n") {
        Ok(())
    } else {
        Err(HeadFault::BareLf)
    }
}

/// A value as `http` holds it: a slice of the head.
pub(crate) fn slice(head: &Bytes, value: &[u8]) -> Result<HeaderValue, HeadFault> {
    match HeaderValue::from_maybe_shared(head.slice_ref(value)) {
        Ok(value) => Ok(value),
        Err(_) => Err(HeadFault::FieldValue),
    }
}

/// Reads a section of fields that no start line precedes, up to its blank line.
pub(crate) fn read_section(
    section: &Bytes,
    limits: &Limits,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), HeadFault>,
) -> Result<(), HeadFault> {
    let mut room = [httparse::EMPTY_HEADER; Limits::MOST_FIELDS];
    let fields = match httparse::parse_headers(section, &mut room[..most(limits)]) {
        Ok(httparse::Status::Complete((end, fields))) if end == section.len() => fields,
        Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooManyFields),
        _ => return Err(diagnose(section)),
    };
    check_section(section, fields, limits)?;
    fields
        .iter()
        .try_for_each(|field| each(field.name, field.value))
}

/// As [`check_lines`], for a section whose first line is a field.
fn check_section(
    section: &[u8],
    fields: &[httparse::Header<'_>],
    limits: &Limits,
) -> Result<(), HeadFault> {
    let (first, rest) = fields.split_first().ok_or(HeadFault::FieldName)?;
    if first.name.len() + first.value.len() > limits.field {
        return Err(HeadFault::FieldTooLarge);
    }
    check_lines(section, rest, limits)
}

/// Says what is wrong with the lines of fields that the parser did not take: the first thing,
/// in order.
#[cold]
pub(crate) fn diagnose(lines: &[u8]) -> HeadFault {
    lines
        .split_inclusive(|&byte| byte == b'\n')
        .find_map(|line| diagnose_ends(line).or_else(|| diagnose_field(line.trim_ascii_end())))
        .unwrap_or(HeadFault::FieldName)
}

/// Says what is wrong with the end of a line and the control characters in it, if anything.
pub(crate) fn diagnose_ends(line: &[u8]) -> Option<HeadFault> {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let control = content.iter().find_map(|byte| match byte {
        b'\t' => None,
        b'\r' => Some(HeadFault::BareCr),
        0 => Some(HeadFault::Nul),
        1..=0x1f | 0x7f => Some(HeadFault::Control),
        _ => None,
    });
    control.or_else(|| (!line.ends_with(b"\r\n")).then_some(HeadFault::BareLf))
}

fn diagnose_field(line: &[u8]) -> Option<HeadFault> {
    if matches!(line.first()?, b' ' | b'\t') {
        return Some(HeadFault::Fold);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(HeadFault::FieldName);
    };
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        Some(HeadFault::FieldName)
    } else {
        (name.len() < colon).then_some(HeadFault::SpaceBeforeColon)
    }
}
