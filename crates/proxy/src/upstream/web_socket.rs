//! Where one frame of a WebSocket ends and the next begins (RFC 6455, 5.2), in one direction. Looks at the heads of
//! frames only, keeps no payload, and judges nothing.

/// A server's close frame with 1012, "service restart": final, opcode 8, two bytes without a mask.
pub(super) const RESTART: &[u8] = &[0x88, 0x02, 0x03, 0xF4];
const CLOSE: u8 = 0x8;

/// How far the bytes that passed have come.
#[derive(Debug, Default)]
pub(super) struct FrameBounds {
    /// Of a head that has not come whole: at most 2 + 8 + 4 bytes.
    head: [u8; 14],
    have: usize,
    /// Bytes of payload still to come.
    payload: u64,
    /// A close frame has passed: nothing may follow it.
    pub(super) has_closed: bool,
}

impl FrameBounds {
    /// Whether the next byte begins a frame.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    /// These bytes pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// How many of these bytes pass until the first end of a frame; those do. None if no frame ends in them,
    /// and then all of them do.
    pub(super) fn pass_one(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut passed = 0;
        while passed < bytes.len() {
            passed += self.step(&bytes[passed..]);
            if self.is_between() {
                return Some(passed);
            }
        }
        None
    }

    /// Takes bytes of one head or of one payload; how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.payload > 0 {
            let here = usize::try_from(self.payload)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.payload -= here as u64;
            return here;
        }
        self.head[self.have] = bytes[0];
        self.have += 1;
        if self.have >= 2 && self.have == self.head_length() {
            self.payload = self.length();
            self.has_closed |= self.head[0] & 0x0F == CLOSE;
            self.have = 0;
        }
        1
    }

    fn head_length(&self) -> usize {
        let length = match self.head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn length(&self) -> u64 {
        match self.head[1] & 0x7F {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&self.head[2..10]);
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of every kind of head: short, empty, 16 and 64 bits of length, masked.
    fn frames() -> Vec<Vec<u8>> {
        let long = vec![b'x'; 300];
        let longer = vec![b'y'; 70_000];
        vec![
            [&[0x81, 0x02], &b"hi"[..]].concat(),
            vec![0x89, 0x00],
            [&[0x02, 126, 0x01, 0x2C], &long[..]].concat(),
            [&[0x80, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70], &longer[..]].concat(),
            [&[0x82, 0x81, 1, 2, 3, 4], &b"z"[..]].concat(),
        ]
    }

    #[test]
    fn every_boundary_is_found_however_the_bytes_are_cut() {
        let bytes = frames().concat();
        let mut ends = Vec::new();
        let mut end = 0;
        for frame in frames() {
            end += frame.len();
            ends.push(end);
        }
        for cut in [1, 2, 3, 7, 64, 4096, bytes.len()] {
            let (mut bounds, mut found, mut at) = (FrameBounds::default(), Vec::new(), 0);
            for piece in bytes.chunks(cut) {
                let mut rest = piece;
                while let Some(passed) = bounds.pass_one(rest) {
                    at += passed;
                    rest = &rest[passed..];
                    found.push(at);
                }
                at += rest.len();
            }
            assert_eq!(found, ends, "in pieces of {cut}");
            assert!(!bounds.has_closed);
        }
    }

    #[test]
    fn whole_pieces_pass_as_single_bytes_do() {
        let bytes = frames().concat();
        let mut bounds = FrameBounds::default();
        bounds.pass(&bytes[..bytes.len() - 1]);
        assert!(!bounds.is_between());
        bounds.pass(&bytes[bytes.len() - 1..]);
        assert!(bounds.is_between());
    }

    #[test]
    fn a_close_frame_is_noticed() {
        let mut bounds = FrameBounds::default();
        bounds.pass(RESTART);
        assert!(bounds.has_closed && bounds.is_between());
    }
}
