//! When a key was seen, whose it is, and whether it is banned: one word. Counts no hits.

const SEEN_BITS: u32 = 28;
pub(super) const SEEN: u64 = (1 << SEEN_BITS) - 1;
const BAN: u64 = 1 << 27;
const COUNT: u64 = BAN - 1;

/// From the top: when the key was seen (seconds, 28 bits: eight years), the policy (8 bits), whether it is banned
/// (1 bit), and until when (seconds, 27 bits: four years) or how often it was refused.
#[derive(Clone, Copy)]
pub(super) struct Mark(pub(super) u64);

impl Mark {
    pub(super) const fn seen(self) -> u64 {
        self.0 >> (64 - SEEN_BITS)
    }

    pub(super) const fn policy(self) -> u8 {
        (self.0 >> SEEN_BITS) as u8
    }

    pub(super) const fn is_ban(self) -> bool {
        self.0 & BAN != 0
    }

    /// Seconds since the key was seen. Another thread's clock may be a moment ahead.
    pub(super) fn age(self, second: u64) -> u64 {
        let age = second.wrapping_sub(self.seen()) & SEEN;
        if age > SEEN / 2 { 0 } else { age }
    }

    /// Whether nothing that is remembered beside it counts any more, after so many seconds.
    pub(super) fn is_stale(self, second: u64, horizon: u64) -> bool {
        self.age(second) > horizon
    }

    /// Seconds until its ban is over.
    pub(super) fn banned(self, second: u64) -> Option<u32> {
        let left = (self.0 & COUNT).wrapping_sub(second) & COUNT;
        (self.is_ban() && left != 0 && left < COUNT / 2).then_some(left as u32)
    }

    /// How little it would be missed: the longer unseen the more, and a ban not at all.
    pub(super) fn idle(self, second: u64) -> u64 {
        match self.banned(second) {
            Some(_) => 0,
            None => self.age(second) + 1,
        }
    }

    pub(super) const fn refusals(self) -> u64 {
        if self.is_ban() { 0 } else { self.0 & COUNT }
    }

    pub(super) const fn with_sight(self, second: u64, policy: u8) -> Self {
        let below = self.0 & (BAN | COUNT);
        Self((second & SEEN) << (64 - SEEN_BITS) | (policy as u64) << SEEN_BITS | below)
    }

    pub(super) const fn with_refusals(self, refusals: u64) -> Self {
        let refusals = if refusals > COUNT { COUNT } else { refusals };
        Self(self.0 & !(BAN | COUNT) | refusals)
    }

    pub(super) const fn with_ban(self, until: u64) -> Self {
        Self(self.0 & !COUNT | BAN | until & COUNT)
    }
}
