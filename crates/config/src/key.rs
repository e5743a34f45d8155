//! What is known of a key, as data: the reference is made from it, and unknown keys are told by it.

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What may be written, for people: `duration`, `address or list of addresses`.
    pub kind: &'static str,
    /// What holds without it: in the file's own form, or in brackets when it depends on something.
    pub default: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

impl Key {
    /// Every section has it, without listing it.
    pub const ENABLED: Self = Self {
        name: "enabled",
        kind: "`true` or `false`",
        default: "true",
        doc: "Whether the section counts: `false` leaves the layer of this name out, or is as if the section were not there; it is checked all the same.",
    };

    /// Every section of a layer that refuses has it among its keys. It is read into an
    /// [`Enforcement`](mainstay_pipeline::Enforcement), by `section.set("dry_run", …)`.
    pub const DRY_RUN: Self = Self {
        name: "dry_run",
        kind: "`true` or `false`",
        default: "false",
        doc: "Lets pass what would be refused, and notes it as `dry_run` in the access line.",
    };
}

/// The kind of a key below which stands a section that may also stand at the top of the file, with the same keys.
pub(crate) const SAME_AT_THE_TOP: &str = "section as at the top";

/// One section of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// How it is headed: `[listen]`, `[app.NAME]`; empty for the top of the file.
    pub heading: &'static str,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
    /// Names that people bring along from elsewhere, each with what to write here, or with a sentence where that is not
    /// enough.
    pub aliases: &'static [(&'static str, &'static str)],
    /// An example for the reference.
    pub example: &'static str,
}
