//! The decent ways to move a body: echo, upload, stream, events, tunnel. Constant memory whatever the size.

use std::io::{self, Read as _, Write as _};

use crate::answer::{Then, chunk, json, whole};
use crate::request::Request;
use crate::routes::{Call, pause};
use crate::socket::Stream;

fn agree_to_body(call: &Call<'_, '_, '_>) -> io::Result<()> {
    let mut stream = call.stream;
    if call.request.expects_continue() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    Ok(())
}

pub(crate) fn echo(call: &mut Call<'_, '_, '_>) -> io::Result<Then> {
    agree_to_body(call)?;
    let kind = call
        .request
        .field("content-type")
        .unwrap_or("application/octet-stream");
    let chunked = call.request.is_chunked();
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {}", call.request.length())
    };
    let mut stream = call.stream;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n"
    )?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = call.body.read(&mut buffer)?;
        match (read, chunked) {
            (0, true) => stream.write_all(b"0\r\n\r\n")?,
            (_, true) => chunk(stream, &buffer[..read])?,
            (_, false) => stream.write_all(&buffer[..read])?,
        }
        if read == 0 {
            return Ok(Then::Keep);
        }
    }
}

pub(crate) fn upload(call: &mut Call<'_, '_, '_>) -> io::Result<Then> {
    agree_to_body(call)?;
    let bytes = io::copy(&mut call.body, &mut io::sink())?;
    json(
        call.stream,
        call.request,
        &format!("{{\"bytes\":{bytes}}}\n"),
    )
}

pub(crate) fn stream(mut stream: &Stream, request: &Request) -> io::Result<Then> {
    let size = request.number("bytes").unwrap_or(1 << 20);
    let chunked = request.parameter("chunked").is_some();
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {size}")
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n{framing}\r\n\r\n"
    )?;
    if request.method == "HEAD" {
        return Ok(Then::Keep);
    }
    let block = vec![b'.'; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let part = &block[..usize::try_from(left).unwrap_or(usize::MAX).min(block.len())];
        if chunked {
            chunk(stream, part)?;
        } else {
            stream.write_all(part)?;
        }
        left -= part.len() as u64;
        pause(request, 0);
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(Then::Keep)
}

pub(crate) fn events(mut stream: &Stream, request: &Request) -> io::Result<Then> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    )?;
    for number in 0..request.number("count").unwrap_or(3) {
        chunk(stream, format!("data: {number}\n\n").as_bytes())?;
        pause(request, 100);
    }
    stream.write_all(b"0\r\n\r\n")?;
    Ok(Then::Keep)
}

pub(crate) fn tunnel(call: &mut Call<'_, '_, '_>) -> io::Result<Then> {
    let Some(protocol) = call.request.field("upgrade") else {
        let status = "426 Upgrade Required";
        return whole(
            call.stream,
            call.request,
            status,
            "text/plain",
            b"upgrade\n",
        );
    };
    let mut stream = call.stream;
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    )?;
    io::copy(call.body.rest(), &mut stream)?;
    Ok(Then::Close)
}
