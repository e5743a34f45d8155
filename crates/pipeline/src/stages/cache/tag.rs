//! Tags for answers that came without one, made of their bodies. Compares none.
//!
//! They are weak: a body is sent in several codings, all of which mean the same. That of equal bodies is equal on every machine and
//! after every start, so that a client may ask any of them. `no-transform` is no reason against one: it is about the content, which
//! stays as it is (RFC 9110, 7.7), and a gateway stands for the origin (3.7), whose matter tags are.

use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::options::{CacheOptions, Validators};
use super::stored::Head;

/// A tag in the making.
#[derive(Debug)]
pub(super) struct Tagging(Sha256);

impl Tagging {
    /// For an answer that is kept, if it wants one: only of a 200 are conditions judged here.
    pub(super) fn begin(
        options: &CacheOptions,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let is_wanted = options.validators == Validators::Weak
            && status == StatusCode::OK
            && !headers.contains_key(ETAG);
        is_wanted.then(|| Self(Sha256::new()))
    }

    /// With this piece of the body behind what was before.
    pub(super) fn of(mut self, piece: &[u8]) -> Self {
        self.0.update(piece);
        self
    }

    /// That of the whole body.
    pub(super) fn tag(&self) -> HeaderValue {
        let digest = self.0.clone().finalize();
        let mut number = [0; 16];
        number.copy_from_slice(&digest[..16]);
        let text = format!("W/\"{:032x}\"", u128::from_be_bytes(number));
        // of hexadecimal digits and quotes
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
    }

    /// The head with the tag; as it was, if it is full.
    pub(super) fn put_on(&self, head: Head) -> Head {
        head.tagged(self.tag().as_bytes()).unwrap_or(head)
    }
}
