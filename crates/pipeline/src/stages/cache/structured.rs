//! Dictionaries of structured fields (RFC 9651), as far as directives need them. Knows no directive.

/// The value of a member, without its type's marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// A boolean.
    Is(bool),
    /// Anything else as text.
    Text(Vec<u8>),
}

/// The members of a dictionary; of equal names the last. None: it is none, or has more than `most` members.
pub(super) fn dictionary(text: &[u8], most: usize) -> Option<Vec<(String, Bare)>> {
    let mut rest = Rest(text.trim_ascii());
    let mut members: Vec<(String, Bare)> = Vec::new();
    while !rest.0.is_empty() {
        let name = rest.key()?;
        let value = if rest.take(b'=') {
            rest.value()?
        } else {
            Bare::Is(true)
        };
        rest.parameters()?;
        members.retain(|(known, _)| *known != name);
        members.push((name, value));
        if members.len() > most {
            return None;
        }
        rest.skip_space();
        if rest.0.is_empty() {
            break;
        }
        if !rest.take(b',') {
            return None;
        }
        rest.skip_space();
        if rest.0.is_empty() {
            return None; // a comma is followed by a member
        }
    }
    Some(members)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn while_(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is_part(*byte));
        let (part, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        part
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        let key = self.while_(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        });
        str::from_utf8(key).ok().map(str::to_owned)
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip_space();
            self.key()?;
            if self.take(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn value(&mut self) -> Option<Bare> {
        if !self.take(b'(') {
            return self.item();
        }
        loop {
            self.skip_space();
            if self.take(b')') {
                return Some(Bare::Text(Vec::new()));
            }
            self.item()?;
            self.parameters()?;
        }
    }

    fn item(&mut self) -> Option<Bare> {
        match *self.0.first()? {
            b'"' => self.string(),
            b'?' => {
                self.0 = &self.0[1..];
                match self.while_(|byte| byte.is_ascii_digit()) {
                    b"0" => Some(Bare::Is(false)),
                    b"1" => Some(Bare::Is(true)),
                    _ => None,
                }
            }
            b':' => {
                self.0 = &self.0[1..];
                let text = self.while_(|byte| byte != b':').to_vec();
                self.take(b':').then_some(Bare::Text(text))
            }
            b'-' | b'@' | b'0'..=b'9' => {
                let is_part = |byte: u8| byte.is_ascii_digit() || b"-@.".contains(&byte);
                Some(Bare::Text(self.while_(is_part).to_vec()))
            }
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                let is_part =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
                Some(Bare::Text(self.while_(is_part).to_vec()))
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Bare> {
        let mut text = Vec::new();
        let mut bytes = self.0.iter().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(Bare::Text(text));
                }
                b'\\' => match bytes.next()?.1 {
                    escaped @ (b'"' | b'\\') => text.push(*escaped),
                    _ => return None,
                },
                0x20..=0x7e => text.push(*byte),
                _ => return None,
            }
        }
        None
    }
}
