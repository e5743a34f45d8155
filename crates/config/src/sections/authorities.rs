//! Files with the certificates of authorities, for whoever is spoken to over TLS. Verifies nothing, knows no machine's own.

use mainstay_values::Problem;
use serde::{Deserialize, Serialize};

use crate::value::Item;

/// A file with certificates is not longer: the authorities of a whole machine are a quarter of that.
const LONGEST: usize = 1 << 20;
/// How a certificate begins (RFC 7468, 5).
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Authorities that are believed in the place of the machine's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorities {
    /// The file, as it was written.
    pub file: String,
    /// Their certificates in PEM.
    pub pem: String,
}

impl Authorities {
    pub(crate) fn read(item: &Item<'_>) -> Option<Self> {
        let (file, pem) = item.text_of_file(LONGEST)?;
        if !pem.contains(BEGIN) {
            let problem = Problem::new(format!("`{file}` holds no certificate"));
            item.push(problem.expected(format!("`{BEGIN}`, of the authority that signs")));
            return None;
        }
        Some(Self { file, pem })
    }
}
