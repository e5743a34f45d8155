//! Just enough DER (X.690) to find the key in a `SubjectPublicKeyInfo` (RFC 5280, 4.1). Understands nothing else.

/// The elements that a public key is made of, by their tags.
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const INTEGER: u8 = 0x02;

/// One kind of public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// `rsaEncryption` (RFC 8017, A.1), `id-ecPublicKey` (RFC 5480, 2.1.1) with its curves, `id-Ed25519` (RFC 8410, 3).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The kind of a key, and its bytes as its kind writes them.
pub(super) fn public_key(der: &[u8]) -> Option<(Kind, &[u8])> {
    let (info, rest) = element(der, SEQUENCE)?;
    let (algorithm, key) = element(info, SEQUENCE)?;
    let (id, parameters) = element(algorithm, OBJECT_ID)?;
    let (bits, after) = element(key, BIT_STRING)?;
    let (0, bytes) = bits.split_first().map(|(unused, bytes)| (*unused, bytes))? else {
        return None;
    };
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    let kind = match id {
        RSA => Kind::Rsa,
        ED25519 => Kind::Ed25519,
        EC => match element(parameters, OBJECT_ID)? {
            (P256, []) => Kind::P256,
            (P384, []) => Kind::P384,
            _ => return None,
        },
        _ => return None,
    };
    Some((kind, bytes))
}

/// Modulus and exponent of an RSA key (RFC 8017, A.1.1), without the zero that keeps them positive.
pub(super) fn rsa_parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, []) = element(bytes, SEQUENCE)? else {
        return None;
    };
    let (n, rest) = element(key, INTEGER)?;
    let (e, []) = element(rest, INTEGER)? else {
        return None;
    };
    let plain = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((&n[plain(n)..], &e[plain(e)..]))
}

/// The content of the first element, if it is of this kind, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ ..=0x7f => (usize::from(short), rest),
        // keys are shorter than 64 KiB
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let long = rest.get(..2)?;
            (usize::from(long[0]) << 8 | usize::from(long[1]), &rest[2..])
        }
        _ => return None,
    };
    (*found == tag && rest.len() >= length).then(|| rest.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..80), nested in any::<bool>()) {
            let bytes = if nested { [&[SEQUENCE, bytes.len() as u8][..], &bytes].concat() } else { bytes };
            let _ = public_key(&bytes);
        }
    }
}
