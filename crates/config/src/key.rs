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

/// One section of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// How it is headed: `[listen]`, `[app.NAME]`; empty for the top of the file.
    pub heading: &'static str,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
    /// Names that people bring along from elsewhere, each with what to write here.
    pub aliases: &'static [(&'static str, &'static str)],
    /// An example for the reference.
    pub example: &'static str,
}
