//! Prints nanoseconds per operation of the codec's hot path: a browser's request, an app's
//! response, a chunked body. Run with `cargo run --release -p mainstay-codec --example parse`.
//! It compares nothing and decides nothing.

use std::hint::black_box;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::Method;
use mainstay_codec::{
    BodyDecoder, BodyEncoder, Decoded, Framing, HeadScan, Limits, end_head, parse_request,
    parse_response, write_fields, write_request_line, write_status_line,
};

/// Twelve fields, as a browser sends them for a page.
const REQUEST: &[u8] = b"GET /products/42?ref=home HTTP/1.1\r\n\
Host: shop.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Fetch-Mode: navigate\r\n\
Referer: https://shop.example.com/\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: session=5f2b8c1d9e7a4f60b3c2d1e0f9a8b7c6; theme=dark\r\n\r\n";

/// What an Express app answers.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
X-Powered-By: Express\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 27\r\n\
ETag: W/\"1b-3Q3yG9Vt7Qy9m0mJ1s7yK5m8q1E\"\r\n\
Date: Fri, 21 Nov 2025 09:00:00 GMT\r\n\
Connection: keep-alive\r\n\
Keep-Alive: timeout=5\r\n\r\n";

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let limits = Limits::default();
    let request = Bytes::from_static(REQUEST);
    let shared = Bytes::from(REQUEST.to_vec());
    let response = Bytes::from(RESPONSE.to_vec());
    let parsed = parse_request(shared.clone(), &limits).expect("the example is valid");
    let answer = parse_response(response.clone(), &Method::GET, &limits).expect("it is valid");

    measure("scan request", || {
        HeadScan::default().find_end(black_box(&request), &limits)
    });
    measure("parse request", || {
        parse_request(black_box(shared.clone()), &limits)
    });
    measure("scan response", || {
        HeadScan::default().find_response_end(black_box(&response), &limits)
    });
    measure("parse response", || {
        parse_response(black_box(response.clone()), &Method::GET, &limits)
    });

    let mut out = Vec::with_capacity(4096);
    measure("write request", || {
        out.clear();
        write_request_line(&mut out, &parsed.method, "/products/42?ref=home");
        write_fields(&mut out, &parsed.headers);
        end_head(&mut out);
        out.len()
    });
    measure("write response", || {
        out.clear();
        write_status_line(&mut out, answer.status);
        write_fields(&mut out, &answer.headers);
        end_head(&mut out);
        out.len()
    });

    let mut chunked = Vec::new();
    let mut encoder = BodyEncoder::Chunked;
    for _ in 0..16 {
        encoder
            .write(&[b'x'; 1024], &mut chunked)
            .expect("chunked has no length");
    }
    encoder
        .end(None, &mut chunked)
        .expect("chunked has no length");
    measure("decode 16 chunks of 1 KiB (and copy them in)", || {
        let mut input = BytesMut::from(&chunked[..]);
        let mut decoder = BodyDecoder::new(Framing::Chunked, &limits);
        let mut total = 0;
        while let Ok(Decoded::Data(piece)) = decoder.decode(&mut input) {
            total += piece.len();
        }
        assert!(decoder.is_done());
        total
    });
}

/// Prints the best of several rounds: the least disturbed one.
fn measure<T>(name: &str, mut operation: impl FnMut() -> T) {
    const ROUNDS: usize = 20;
    const TIMES: u32 = 20_000;
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..TIMES {
                black_box(operation());
            }
            start.elapsed() / TIMES
        })
        .min()
        .unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "printing is what the example is for")]
    {
        println!("{name:>46}: {:>6} ns", best.as_nanos());
    }
}
