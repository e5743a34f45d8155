//! One GET of something small that a service publishes, over http or https: bounded in time and size, no connection kept.
//! Not on a request's way. What was fetched means nothing here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::{Method, StatusCode, Uri};
use mainstay_codec::{BodyDecoder, Decoded, HeadScan, Limits, ResponseHead, parse_response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// All of it takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is fetched is not longer.
const LONGEST: usize = 1 << 20;
/// Interim answers that are passed over.
const MOST_INTERIM: usize = 4;
/// Read at once.
const READ: usize = 16 * 1024;

/// Why nothing could be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// It is no `http` or `https` address with a host.
    #[error("`{0}` is no address")]
    Address(Uri),
    /// Nobody could be connected to, or the connection broke.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// The server's certificate is not believed.
    #[error("{0}")]
    Certificate(String),
    /// The server does not speak TLS as we do.
    #[error("TLS fails: {0}")]
    Tls(rustls::Error),
    /// The authorities cannot be read.
    #[error("the authorities cannot be read: {0}")]
    Authorities(String),
    /// It took longer than 10 seconds.
    #[error("no answer within 10 seconds")]
    Silence,
    /// The answer is another one than 200.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// The answer leads elsewhere.
    #[error("the answer is {0}: redirections are not followed, so write the address it leads to")]
    Redirection(StatusCode),
    /// The answer cannot be read, in a word.
    #[error("the answer is no HTTP: {0}")]
    Malformed(&'static str),
    /// The answer is longer than 1 MiB.
    #[error("the answer is longer than 1 MiB")]
    TooLong,
}

/// Fetches what stands at an address. Over https the certificate must come from one of these authorities, in PEM;
/// without any, from one of the machine's.
///
/// # Errors
/// See [`FetchError`]. Redirections are none of its business: each is an error.
pub async fn fetch(uri: &Uri, authorities: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let fetched = tokio::time::timeout(PATIENCE, fetch_within(uri, authorities));
    fetched.await.unwrap_or(Err(FetchError::Silence))
}

async fn fetch_within(uri: &Uri, authorities: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let address = || FetchError::Address(uri.clone());
    let authority = uri.authority().ok_or_else(address)?;
    let host = authority.host().trim_matches(['[', ']']);
    let (is_tls, port) = match uri.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(address()),
    };
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(port))).await?;
    if !is_tls {
        return exchange(stream, uri).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| address())?;
    let connector = TlsConnector::from(Arc::new(config(authorities)?));
    let stream = connector.connect(name, stream).await;
    exchange(stream.map_err(of_handshake)?, uri).await
}

/// What went wrong before a word of HTTP was said.
fn of_handshake(error: io::Error) -> FetchError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    match cause {
        // an authority of the same name with another key, too
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => FetchError::Certificate(
            "its certificate comes from an authority that is not believed here; `ca_file` names another"
                .to_owned(),
        ),
        // these name the certificate's own times and names
        Some(rustls::Error::InvalidCertificate(fault)) => {
            FetchError::Certificate(format!("its certificate does not hold: {fault}"))
        }
        Some(other) => FetchError::Tls(other.clone()),
        None => FetchError::Connection(error),
    }
}

/// Sends the request and reads the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    uri: &Uri,
) -> Result<Vec<u8>, FetchError> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nUser-Agent: mainstay\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let limits = Limits::default();
    let mut input = BytesMut::new();
    let mut head = read_head(&mut stream, &mut input, &limits).await?;
    for _ in 0..MOST_INTERIM {
        if !head.status.is_informational() {
            break;
        }
        head = read_head(&mut stream, &mut input, &limits).await?;
    }
    if head.status.is_redirection() {
        return Err(FetchError::Redirection(head.status));
    }
    if head.status != StatusCode::OK {
        return Err(FetchError::Status(head.status));
    }
    let mut decoder = BodyDecoder::new(head.framing, &limits);
    let mut body = Vec::new();
    loop {
        match decoder.decode(&mut input) {
            Ok(Decoded::Data(piece)) if body.len() + piece.len() > LONGEST => {
                return Err(FetchError::TooLong);
            }
            Ok(Decoded::Data(piece)) => body.extend_from_slice(&piece),
            Ok(Decoded::Trailers(_)) => {}
            Ok(Decoded::End) => return Ok(body),
            Ok(Decoded::NeedMore) => {
                if read(&mut stream, &mut input).await? == 0 {
                    return match decoder.finish() {
                        Ok(()) => Ok(body),
                        Err(_) => Err(FetchError::Malformed("cut_off")),
                    };
                }
            }
            Err(_) => return Err(FetchError::Malformed("body")),
        }
    }
}

async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limits: &Limits,
) -> Result<ResponseHead, FetchError> {
    let mut scan = HeadScan::default();
    loop {
        let found = scan.find_response_end(input, limits);
        match found.map_err(|fault| FetchError::Malformed(fault.reason()))? {
            Some(found) => {
                let head = input.split_to(found.end).freeze().slice(found.start..);
                let head = parse_response(head, &Method::GET, limits);
                return head.map_err(|fault| FetchError::Malformed(fault.reason()));
            }
            None if read(stream, input).await? == 0 => {
                return Err(FetchError::Malformed("cut_off"));
            }
            None => {}
        }
    }
}

/// An end without TLS's goodbye is an end: the message's own framing says whether it was whole.
async fn read(stream: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> io::Result<usize> {
    input.reserve(READ);
    match stream.read_buf(input).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        outcome => outcome,
    }
}

fn config(authorities: Option<&str>) -> Result<ClientConfig, FetchError> {
    let wrong = |error: &dyn std::fmt::Display| FetchError::Authorities(error.to_string());
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            // one that cannot be read hides no other
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(wrong(&"there are none"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use mainstay_testkit::Origin;

    use super::*;

    async fn fetched(answer: &str) -> Result<String, String> {
        let origin = Origin::answers(answer).then_closes().start();
        let uri = format!("http://{}/keys?a=b", origin.address());
        let body = fetch(&uri.parse().expect("an address"), None).await;
        let body = body.map_err(|error| error.to_string())?;
        let head = origin.received()[0].head.clone();
        assert!(
            head.starts_with("GET /keys?a=b HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{head}"
        );
        Ok(String::from_utf8(body).expect("text"))
    }

    #[tokio::test]
    async fn whole_answers_are_fetched_and_others_told() {
        let ok = |text: &str| Ok(text.to_owned());
        let fault = |text: &str| Err(text.to_owned());
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LONGEST + 1));
        for (answer, outcome) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", ok("{}")),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                ok("{}"),
            ),
            (
                "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                ok("{}"),
            ),
            ("HTTP/1.1 200 OK\r\n\r\n{}", ok("{}")),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
                fault("the answer is no HTTP: cut_off"),
            ),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                fault("the answer is 404 Not Found"),
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
                fault(
                    "the answer is 302 Found: redirections are not followed, so write the address it leads to",
                ),
            ),
            ("", fault("the answer is no HTTP: cut_off")),
            (&long, fault("the answer is longer than 1 MiB")),
        ] {
            assert_eq!(fetched(answer).await, outcome, "{answer:.60}");
        }
        assert!(fetched("SMTP\r\n\r\n").await.is_err());
    }

    #[tokio::test]
    async fn whoever_does_not_speak_tls_is_told_so() {
        let authority = mainstay_testkit::Authority::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody");
            let _ = io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
            // whoever connects reads it, and closes
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        let here: Uri = format!("https://{address}/").parse().expect("an address");
        let outcome = fetch(&here, Some(authority.pem())).await;
        assert!(matches!(outcome, Err(FetchError::Tls(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn authorities_must_be_some() {
        let uri = "https://127.0.0.1:1/".parse().expect("an address");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let here: Uri = format!("https://{address}/").parse().expect("an address");
        assert!(matches!(
            fetch(&uri, None).await,
            Err(FetchError::Connection(_))
        ));
        assert!(matches!(
            fetch(&here, Some("no PEM")).await,
            Err(FetchError::Authorities(_))
        ));
        let odd = "ftp://127.0.0.1/".parse().expect("an address");
        assert!(matches!(
            fetch(&odd, None).await,
            Err(FetchError::Address(_))
        ));
    }
}
