//! The bounds on what a peer may send before it is refused. No bound on bodies: that is policy.

/// Bounds on the head of a message and on the framing of its body.
///
/// The defaults fit between nginx's (4 × 8 KiB) and Node's (16 KiB in total) and let every
/// browser through; whoever sends longer cookies raises `field` and `head` together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole head, from its first line to the blank line. Default 32 KiB.
    pub head: usize,
    /// Bytes of one field, name and value together. Default 8 KiB.
    pub field: usize,
    /// Fields of a head, and fields of a trailer section. Default 100, at most 256.
    pub fields: usize,
    /// Bytes of a request target. Default 8 KiB.
    pub target: usize,
    /// Bytes of a whole trailer section. Default 16 KiB.
    pub trailers: usize,
    /// Bytes of all chunk extensions of one message together. Default 16 KiB.
    pub chunk_extensions: usize,
}

impl Limits {
    /// Empty lines skipped in front of a request (RFC 9112, 2.2): some clients end a body with
    /// a line break that they do not count. More than these few is no client of ours.
    pub const LEADING_LINES: usize = 4;

    /// The most fields a head may have, whatever `fields` says: the parser's table has a fixed
    /// place on the stack.
    pub const MOST_FIELDS: usize = 256;

    /// The longest method name. The longest registered one has 17 bytes (`UPDATEREDIRECTREF`).
    pub const METHOD: usize = 32;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 32 * 1024,
            field: 8 * 1024,
            fields: 100,
            target: 8 * 1024,
            trailers: 16 * 1024,
            chunk_extensions: 16 * 1024,
        }
    }
}
