//! Compression: smaller answers for clients that can read them.
//!
//! - **Does**: encodes what grows smaller, by gzip, brotli or zstd as the client likes; what comes in pieces is encoded in
//!   pieces, and can be read as far as it came whenever the origin pauses. Says `Vary`, weakens strong tags.
//! - **Leaves alone**: what is encoded already, `no-transform`, ranges, answers without a body, answers with a digest of
//!   their bytes, short ones, and everything where the client sends `X-No-Compression`.
//! - **Refuses**: nothing.
//! - **Deployment caveat**: origins are asked for plain content, so that none compresses too (`pass` changes that). A page
//!   that repeats what a stranger sent beside a secret tells its length (BREACH): `breach` is the guard.
//! - **Follows**: RFC 9110 8.4, 12.5.3; the decisions of npm's `compression`, but for what its users wish were better.

mod coding;
mod encoder;
mod hands;
mod media;
mod stream;
mod whole;

pub use coding::Coding;
pub(crate) use stream::Encoded;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::stages::cache::{Kept, KnownCoding};
use crate::varies::Varies;
use crate::{Body, Exchange, Frame, Frames, Refusal, Response, Step};
use encoder::Encoder;

/// A body of known length up to this is encoded at once, when all of it has come.
const WHOLE: u64 = 256 * 1024;

/// Options of this stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressOptions {
    /// What is offered, the first before the others where clients like them alike. Empty: nothing is done.
    pub codings: Vec<Coding>,
    /// Shorter bodies stay as they are, in bytes; bodies of unknown length do not count as short.
    pub minimum: u64,
    /// gzip's level, 1 to 9.
    pub gzip_level: u8,
    /// Brotli's level, 0 to 11.
    pub br_level: u8,
    /// Zstandard's level, 1 to 19.
    pub zstd_level: u8,
    /// Whether origins see what clients accept, and may encode themselves.
    pub origins: OriginCoding,
    /// What is done where another site may have caused the request.
    pub breach: BreachGuard,
}

/// What origins are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginCoding {
    /// Plain content: encoding is done here.
    #[default]
    Plain,
    /// What the client asks for.
    Pass,
}

/// Whether answers to requests that another site caused are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreachGuard {
    /// They are, like all others.
    #[default]
    Off,
    /// They are not: their length says nothing of what they hold.
    On,
}

impl CompressOptions {
    /// Nothing is done.
    pub fn off() -> Self {
        Self {
            codings: Vec::new(),
            ..Self::default()
        }
    }

    const fn level(&self, coding: Coding) -> u8 {
        match coding {
            Coding::Gzip => self.gzip_level,
            Coding::Br => self.br_level,
            Coding::Zstd => self.zstd_level,
        }
    }
}

impl Default for CompressOptions {
    fn default() -> Self {
        Self {
            codings: Coding::ALL.to_vec(),
            minimum: 1_024,
            gzip_level: 6,
            br_level: 4,
            zstd_level: 3,
            origins: OriginCoding::Plain,
            breach: BreachGuard::Off,
        }
    }
}

/// What an exchange's answer may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: it is not looked at.
    #[default]
    Nothing,
    /// This, if it is worth it; without a coding the answer only says that it varies.
    Coding(Option<Coding>),
}

/// By any value of this field a client asks for nothing to be encoded, as the guides have it.
const NO_COMPRESSION: HeaderName = HeaderName::from_static("x-no-compression");
/// What an origin says to proxies in front: `no` means that what it sends is to go on at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Who caused a request, as browsers tell (Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Fields that say something of the very bytes of the content.
const DIGESTS: [HeaderName; 3] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
];

#[derive(Debug)]
pub(crate) struct Compress {
    options: CompressOptions,
}

impl Compress {
    pub(crate) fn new(options: &CompressOptions) -> Self {
        Self {
            options: options.clone(),
        }
    }

    /// On the way in: notes what the client would like, and asks the origin for plain content.
    pub(crate) fn ask(&self, exchange: &mut Exchange, headers: &mut HeaderMap) {
        if self.options.codings.is_empty() {
            return;
        }
        if headers.contains_key(NO_COMPRESSION) {
            return;
        }
        exchange.wish = Wish::Coding(None);
        if !headers.contains_key(ACCEPT_ENCODING) {
            return;
        }
        if self.options.breach == BreachGuard::Off || !is_from_elsewhere(headers) {
            let accepted = headers.get_all(ACCEPT_ENCODING);
            exchange.wish = Wish::Coding(coding::choose(accepted, &self.options.codings));
        }
        if self.options.origins == OriginCoding::Plain && !headers.contains_key(UPGRADE) {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    }

    /// On the way out: what the answer is to be encoded in. None: it goes as it is.
    pub(crate) fn choose(&self, exchange: &mut Exchange, response: &Response) -> Option<Coding> {
        exchange.pass(Step::Compress);
        let Wish::Coding(coding) = exchange.wish else {
            return None;
        };
        if !may_change(response.headers()) {
            return None;
        }
        exchange.varies.add(Varies::ACCEPT_ENCODING);
        coding.filter(|_| self.is_worth_it(exchange, response))
    }

    fn is_worth_it(&self, exchange: &Exchange, response: &Response) -> bool {
        let has_content = exchange.method != Method::HEAD
            && !response.status().is_informational()
            && ![
                StatusCode::NO_CONTENT,
                StatusCode::RESET_CONTENT,
                StatusCode::PARTIAL_CONTENT,
                StatusCode::NOT_MODIFIED,
            ]
            .contains(&response.status());
        let length = response.body().length();
        has_content
            && length.is_none_or(|length| length > 0 && length >= self.options.minimum)
            && is_plain(response.headers())
    }

    /// The same answer, encoded; as it was if that fails or is not smaller.
    ///
    /// # Errors
    /// [`Refusal::OriginGone`] when the origin broke off a body that was waited for.
    pub(crate) async fn encode(
        &self,
        exchange: &Exchange,
        coding: Coding,
        response: Response,
    ) -> Result<Response, Refusal> {
        let (kept, level) = (exchange.kept.as_ref(), self.options.level(coding));
        let (mut parts, body) = response.into_parts();
        let body = match body {
            Body::Empty => Err(Body::Empty),
            Body::Full(plain) => match kept.filter(|kept| kept.is_of(&plain)) {
                Some(kept) => encode_kept(coding, level, kept, plain).await,
                None => encode_whole(coding, level, plain).await,
            },
            Body::Stream(frames) => match encode_along(coding, level, frames) {
                Ok(encoded) => Ok(Body::Stream(encoded)),
                Err(frames)
                    if frames.length().is_some_and(|length| length <= WHOLE)
                        && !is_unbuffered(&parts.headers) =>
                {
                    encode_whole(coding, level, gather(frames).await?).await
                }
                Err(frames) => encode_coming(coding, level, frames)
                    .map(Body::Stream)
                    .map_err(Body::Stream),
            },
        };
        let body = match body {
            Ok(encoded) => {
                tell(&mut parts.headers, coding);
                encoded
            }
            Err(plain) => plain,
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// A body that comes in pieces, encoded on its way; as it was if that cannot be.
fn encode_coming(coding: Coding, level: u8, frames: Frames) -> Result<Frames, Frames> {
    match Encoder::new(coding, level) {
        Ok(encoder) => Ok(Frames::encoded(Encoded::new(frames, encoder))),
        Err(_) => Err(frames),
    }
}

/// A body that several read while it comes, encoded once for all who want it so: a thousand who wait for one page are not a
/// thousand encoders.
fn encode_along(coding: Coding, level: u8, frames: Frames) -> Result<Frames, Frames> {
    let encode = |plain| encode_coming(coding, level, plain);
    frames.into_shared()?.in_coding(coding, level, encode)
}

/// All of a body whose length is known.
async fn gather(mut frames: Frames) -> Result<Bytes, Refusal> {
    let length = frames.length().unwrap_or(0) as usize;
    let mut all = BytesMut::new();
    while let Some(frame) = frames.frame().await {
        match frame {
            // one piece is handed on as it is
            Ok(Frame::Data(piece)) if all.is_empty() && piece.len() == length => return Ok(piece),
            Ok(Frame::Data(piece)) => {
                if all.is_empty() {
                    all.reserve(length);
                }
                all.extend_from_slice(&piece);
            }
            Ok(Frame::Trailers(_)) => {}
            Err(_) => return Err(Refusal::OriginGone),
        }
    }
    Ok(all.freeze())
}

/// The body of a kept answer, encoded by whoever first wanted it so.
async fn encode_kept(coding: Coding, level: u8, kept: &Kept, plain: Bytes) -> Result<Body, Body> {
    match kept.coding(coding) {
        KnownCoding::Known(encoded) => return Ok(Body::Full(encoded)),
        KnownCoding::Useless => return Err(Body::Full(plain)),
        KnownCoding::Unknown => {}
    }
    let encoded = encode_whole(coding, level, plain).await;
    kept.add_coding(
        coding,
        match &encoded {
            Ok(Body::Full(encoded)) => Some(encoded),
            _ => None,
        },
    );
    encoded
}

/// The body encoded, else as it was.
async fn encode_whole(coding: Coding, level: u8, plain: Bytes) -> Result<Body, Body> {
    let encoded = if plain.len() < stream::HEAVY {
        whole::encode(coding, level, &plain)
    } else {
        let body = plain.clone();
        let result = hands::submit(move || whole::encode(coding, level, &body)).await;
        result.unwrap_or(Ok(None))
    };
    match encoded {
        Ok(Some(encoded)) => Ok(Body::Full(encoded.into())),
        Ok(None) | Err(_) => Err(Body::Full(plain)),
    }
}

/// Whether the answer's kind grows smaller, and nobody forbids it.
fn may_change(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(media::shrinks) && !has_directive(headers, b"no-transform")
}

fn has_directive(headers: &HeaderMap, wanted: &[u8]) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let mut directives = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(wanted))
}

/// Whether the origin wants nothing to be waited for.
fn is_unbuffered(headers: &HeaderMap) -> bool {
    headers
        .get(BUFFERING)
        .is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"no"))
}

/// Nothing was done to the content yet, and nothing says what its bytes are.
fn is_plain(headers: &HeaderMap) -> bool {
    let is_encoded = headers.get_all(CONTENT_ENCODING).iter().any(|coding| {
        !coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"identity")
    });
    !is_encoded
        && !headers.contains_key(CONTENT_RANGE)
        && !DIGESTS.iter().any(|name| headers.contains_key(name))
}

/// Another site may have caused the request. Who tells nothing is not taken for a browser.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get(FETCH_SITE)
        .is_some_and(|site| site == "cross-site")
}

/// What the fields say of encoded content.
fn tell(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(CONTENT_ENCODING, coding.value());
    headers.remove(CONTENT_LENGTH);
    // ranges are of the plain content
    headers.remove(ACCEPT_RANGES);
    let weak = headers.get(ETAG).and_then(|tag| {
        let strong = tag.as_bytes().strip_prefix(b"\"")?;
        HeaderValue::from_bytes(&[b"W/\"", strong].concat()).ok()
    });
    if let Some(weak) = weak {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests;
