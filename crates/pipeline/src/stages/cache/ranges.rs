//! Ranges of a kept body (RFC 9110, 14). One range is cut out; several are answered with the whole, as one may.

/// What a `Range` means for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing: the whole is sent.
    Whole,
    /// From the first of these bytes to the second, which is not part of it.
    Bytes(usize, usize),
    /// Nothing of it is there: 416.
    Unsatisfiable,
}

/// Reads the field for a body of this length.
pub(super) fn part(range: &[u8], length: usize) -> Part {
    let Some((unit, set)) = range
        .iter()
        .position(|byte| *byte == b'=')
        .map(|at| range.split_at(at))
    else {
        return Part::Whole;
    };
    if !unit.trim_ascii().eq_ignore_ascii_case(b"bytes") {
        return Part::Whole;
    }
    let set = set[1..].trim_ascii();
    let Some((first, last)) = set
        .iter()
        .position(|byte| *byte == b'-')
        .map(|at| set.split_at(at))
    else {
        return Part::Whole;
    };
    match (number(first), number(&last[1..])) {
        (Number::None, Number::Is(suffix)) => match suffix.min(length) {
            0 => Part::Unsatisfiable,
            suffix => Part::Bytes(length - suffix, length),
        },
        (Number::Is(first), Number::None) if first < length => Part::Bytes(first, length),
        (Number::Is(first), Number::Is(last)) if first <= last && first < length => {
            Part::Bytes(first, last.saturating_add(1).min(length))
        }
        (Number::Is(first), Number::Is(last)) if first > last => Part::Whole,
        (Number::Is(_), Number::None | Number::Is(_)) => Part::Unsatisfiable,
        _ => Part::Whole,
    }
}

enum Number {
    None,
    Is(usize),
    Bad,
}

fn number(text: &[u8]) -> Number {
    if text.is_empty() {
        return Number::None;
    }
    if !text.iter().all(u8::is_ascii_digit) {
        return Number::Bad;
    }
    let sum = text.iter().fold(0_usize, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    Number::Is(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_out() {
        for (range, expected) in [
            ("bytes=0-3", Part::Bytes(0, 4)),
            ("bytes=4-", Part::Bytes(4, 10)),
            ("bytes=-3", Part::Bytes(7, 10)),
            ("bytes=-99", Part::Bytes(0, 10)),
            ("bytes=9-99999999999999999999999", Part::Bytes(9, 10)),
            ("Bytes = 0-0", Part::Bytes(0, 1)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-11", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=3-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part(range.as_bytes(), 10), expected, "{range}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_part_is_inside(range in "bytes=[0-9]{0,25}-[0-9]{0,25}", length in 0_usize..2_000) {
            if let Part::Bytes(first, end) = part(range.as_bytes(), length) {
                proptest::prop_assert!(first < end && end <= length);
            }
        }
    }
}
