//! A text that travels from the settings to the gateway and is shown to nobody. Reads nothing.

use std::fmt;

use mainstay_values::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret among options: it is serialised, since options travel between our processes, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Secret);

impl Sealed {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The text itself. Named so that every use stands out in review.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
