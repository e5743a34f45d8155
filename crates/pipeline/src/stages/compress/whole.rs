//! A body that is all there into one coding, at once: faster and smaller than piece by piece.

use std::cell::RefCell;
use std::io;

use libdeflater::{CompressionLvl, Compressor};

use super::Coding;
use super::encoder::Encoder;

thread_local! {
    /// The last one used: levels hardly ever differ.
    static DEFLATE: RefCell<Option<(u8, Compressor)>> = const { RefCell::new(None) };
}

/// Our encoder of whole bodies is as thorough on these levels as zlib is on its own from 0 to 9, which are the ones that people
/// know: at 6, JSON of 64 KiB becomes as small, for a third of the work.
const AS_THOROUGH: [i32; 10] = [0, 1, 2, 2, 3, 3, 4, 5, 6, 8];

/// The body in that coding; none if it did not become smaller.
pub(super) fn encode(coding: Coding, level: u8, body: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => gzip(level, body, &mut out)?,
        Coding::Br | Coding::Zstd => {
            let mut encoder = Encoder::new(coding, level)?;
            out.reserve(body.len() / 4);
            encoder.write(body, &mut out)?;
            encoder.finish(&mut out)?;
        }
    }
    Ok((out.len() < body.len()).then_some(out))
}

fn gzip(level: u8, body: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    DEFLATE.with_borrow_mut(|kept| {
        let deflate = match kept {
            Some((at, deflate)) if *at == level => deflate,
            _ => {
                let as_thorough = AS_THOROUGH.get(usize::from(level)).unwrap_or(&4);
                let known = CompressionLvl::new(*as_thorough).unwrap_or_default();
                &mut kept.insert((level, Compressor::new(known))).1
            }
        };
        // what does not become smaller is not wanted
        out.resize(body.len(), 0);
        match deflate.gzip_compress(body, out) {
            Ok(length) => out.truncate(length),
            Err(libdeflater::CompressionError::InsufficientSpace) => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn text_becomes_smaller_and_noise_does_not() {
        let text = b"the same words again and again. ".repeat(200);
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = (0..4_000).map(|_| random.u8(..)).collect();
        for coding in Coding::ALL {
            for level in [1, 6, 1] {
                let small = encode(coding, level, &text).expect("encoded");
                assert!(small.is_some_and(|small| small.len() < 400), "{coding:?}");
                assert_eq!(encode(coding, level, &noise).expect("encoded"), None);
            }
        }
        let small = encode(Coding::Gzip, 6, &text).expect("encoded");
        let mut back = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(small.as_deref().expect("smaller"));
        reader.read_to_end(&mut back).expect("it decodes");
        assert_eq!(back, text);
    }

    #[test]
    fn at_its_usual_level_gzip_makes_a_body_about_as_small_as_zlib_does() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut rows = Vec::new();
        for id in 0..900 {
            let (name, score) = (random.u16(..), random.f64());
            rows.extend_from_slice(
                format!(
                    "{{\"id\": {id}, \"name\": \"ada{name}\", \"score\": {score}, \"ok\": {}}}, ",
                    random.bool()
                )
                .as_bytes(),
            );
        }
        let ours = encode(Coding::Gzip, 6, &rows)
            .expect("encoded")
            .expect("smaller")
            .len();
        let mut zlib = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        io::Write::write_all(&mut zlib, &rows).expect("encoded");
        let zlib = zlib.finish().expect("encoded").len();
        assert!(ours * 100 < zlib * 105, "{ours} bytes, zlib {zlib}");
    }
}
