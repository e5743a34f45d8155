//! Whether tests run in their short or their long form.
//!
//! What may not be here: a form that proves something else than the other.

/// How long a test that could go on for hours shall go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Seconds: every run of the tests.
    Short,
    /// Minutes and more: `cargo xtask soak`.
    Long,
}

impl Form {
    /// What `MAINSTAY_TEST_FORM` asks for (`long`; anything else is short).
    #[must_use]
    pub fn asked() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the task that runs the tests chooses the form"
        )]
        let long = std::env::var_os("MAINSTAY_TEST_FORM").is_some_and(|form| form == "long");
        if long { Self::Long } else { Self::Short }
    }

    /// The value for this form.
    #[must_use]
    pub fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}
