//! A body without its content codings (RFC 9110, 8.4), as much of it as is there, in bounded room. Judges no content.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

use brotli::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// A body that unpacks to more is not worth reading: an error page is not so long.
pub(super) const MOST: usize = 256 * 1024;
/// Codings on top of each other.
const MOST_CODINGS: usize = 2;
/// As base-2 logarithm: what RFC 8878 (3.1.1.1.2) tells every reader to be content with is 8 MiB.
const ZSTD_WINDOW: u32 = 23;
/// Room for reading brotli; its size changes no result.
const ROOM: usize = 4_096;

/// Nobody can say what is in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Whether the whole body is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Beginning,
}

/// The content.
pub(super) fn decode<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    extent: Extent,
) -> Result<Cow<'b, [u8]>, Unreadable> {
    let mut content = Cow::Borrowed(body);
    let codings = codings(headers)?;
    if body.is_empty() {
        return Ok(content);
    }
    for coding in codings.iter().rev() {
        content = Cow::Owned(unpack(*coding, &content, extent)?);
    }
    Ok(content)
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// In the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Unreadable> {
    let mut found = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        let line = line.to_str().map_err(|_| Unreadable)?;
        for word in line.split(',').map(str::trim) {
            let is = |name: &str| word.eq_ignore_ascii_case(name);
            found.push(match () {
                () if is("gzip") || is("x-gzip") => Coding::Gzip,
                () if is("deflate") => Coding::Deflate,
                () if is("br") => Coding::Brotli,
                () if is("zstd") => Coding::Zstd,
                () if is("identity") || word.is_empty() => continue,
                () => return Err(Unreadable),
            });
            if found.len() > MOST_CODINGS {
                return Err(Unreadable);
            }
        }
    }
    Ok(found)
}

fn unpack(coding: Coding, packed: &[u8], extent: Extent) -> Result<Vec<u8>, Unreadable> {
    match coding {
        Coding::Gzip => read(MultiGzDecoder::new(packed), extent),
        // some send it bare, without the frame that RFC 9110 (8.4.1.2) asks for
        Coding::Deflate if is_zlib(packed) => read(ZlibDecoder::new(packed), extent),
        Coding::Deflate => read(DeflateDecoder::new(packed), extent),
        // a window of up to 1 GiB (RFC 9841) is announced by these bits
        Coding::Brotli if packed.first().is_some_and(|bits| bits & 0x7f == 0x11) => Err(Unreadable),
        Coding::Brotli => read(Decompressor::new(packed, ROOM), extent),
        Coding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::new(packed).map_err(|_| Unreadable)?;
            reader.window_log_max(ZSTD_WINDOW).map_err(|_| Unreadable)?;
            read(reader, extent)
        }
    }
}

/// RFC 1950, 2.2: the method, and a check over the first two bytes.
fn is_zlib(packed: &[u8]) -> bool {
    match packed {
        [first, second, ..] => {
            first & 0x0f == 8 && (u16::from(*first) * 256 + u16::from(*second)).is_multiple_of(31)
        }
        _ => false,
    }
}

/// All that comes out. Where only the beginning is there, its end comes too early, which is no mistake then.
fn read(reader: impl Read, extent: Extent) -> Result<Vec<u8>, Unreadable> {
    let mut out = Vec::new();
    let outcome = reader.take(MOST as u64 + 1).read_to_end(&mut out);
    let is_cut = |error: &io::Error| {
        extent == Extent::Beginning
            && matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::Other
            )
    };
    match outcome {
        _ if out.len() > MOST => Err(Unreadable),
        Ok(_) => Ok(out),
        Err(error) if is_cut(&error) => Ok(out),
        Err(_) => Err(Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn decoded(coding: &'static str, body: &[u8], extent: Extent) -> Result<Vec<u8>, Unreadable> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        decode(&headers, body, extent).map(Cow::into_owned)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
        writer.write_all(text).expect("memory");
        writer.finish().expect("memory")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut writer = ZlibEncoder::new(Vec::new(), Compression::fast());
        writer.write_all(text).expect("memory");
        writer.finish().expect("memory")
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut writer = DeflateEncoder::new(Vec::new(), Compression::fast());
        writer.write_all(text).expect("memory");
        writer.finish().expect("memory")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).expect("memory")
    }

    /// `hello hello hello hello\n`, by Node's zlib.
    const BROTLI: &[u8] = &[
        0x1b, 0x17, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0xd6, 0x0a, 0x20, 0x6c,
        0x6f, 0x4a, 0x11, 0x79, 0xe2, 0x80, 0xae, 0x16,
    ];

    #[test]
    fn every_coding_is_undone() {
        const TEXT: &[u8] = b"hello hello hello hello\n";
        for (coding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", bare(TEXT)),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd(TEXT)),
            ("identity", TEXT.to_vec()),
            ("zstd, gzip", gzip(&zstd(TEXT))),
        ] {
            assert_eq!(
                decoded(coding, &body, Extent::Whole).as_deref(),
                Ok(TEXT),
                "{coding}"
            );
            if coding != "identity" {
                let cut = &body[..body.len() - 3];
                assert_eq!(
                    decoded(coding, cut, Extent::Whole),
                    Err(Unreadable),
                    "{coding} cut"
                );
                assert!(
                    decoded(coding, cut, Extent::Beginning).is_ok(),
                    "{coding} begun"
                );
            }
        }
    }

    #[test]
    fn what_nobody_can_read_is_said_to_be_so() {
        let plain = b"plain".as_slice();
        for coding in ["gzip", "zstd", "compress", "br;q=1", "gzip,gzip,gzip"] {
            assert_eq!(
                decoded(coding, plain, Extent::Whole),
                Err(Unreadable),
                "{coding}"
            );
        }
        assert_eq!(
            decoded("br", &[0x11, 0x1e, 0, 0], Extent::Whole),
            Err(Unreadable)
        );
    }

    #[test]
    fn a_bomb_takes_bounded_room() {
        let zeroes = vec![0; 4 << 20];
        for (coding, body) in [
            ("gzip", gzip(&zeroes)),
            ("zstd", zstd(&zeroes)),
            ("deflate", zlib(&zeroes)),
        ] {
            assert_eq!(
                decoded(coding, &body, Extent::Beginning),
                Err(Unreadable),
                "{coding}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            coding in proptest::sample::select(vec!["gzip", "deflate", "br", "zstd", "br, gzip"]),
        ) {
            if let Ok(content) = decoded(coding, &body, Extent::Beginning) {
                prop_assert!(content.len() <= MOST);
            }
        }
    }
}
