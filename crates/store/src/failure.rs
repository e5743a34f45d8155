//! What went wrong with a Redis, in words for whoever runs it. Tells nothing that a server said: it may repeat what was
//! sent, a password too.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};
use rustls::CertificateError;

const NOT_LET_IN: &str = "it refuses the password, or the user";
const NO_RIGHTS: &str = "this user may not do what is needed there: `PING`, `EVALSHA`, `SCRIPT LOAD`, `TIME`, `GET`, `SET`, `HMGET`, `HSET` and `PEXPIRE`, on keys that begin with `mainstay:`; where a cache is shared also `HELLO`, `HGET`, `HGETALL`, `HLEN`, `HKEYS`, `HDEL`, `EXISTS`, `DEL`, `PUBLISH` and `SUBSCRIBE`, on channels that begin so";

/// What an error is, without what it holds.
pub(crate) fn in_words(error: &RedisError) -> String {
    if let Some(error) = of_tls(error) {
        return tls_in_words(error);
    }
    if error.kind() == ErrorKind::AuthenticationFailed {
        return NOT_LET_IN.to_owned();
    }
    match error.code() {
        Some("NOAUTH" | "WRONGPASS") => NOT_LET_IN.to_owned(),
        Some("READONLY") => "it is a replica, which takes no writes".to_owned(),
        Some("LOADING") => "it is still loading its data".to_owned(),
        Some("OOM") => "it has no memory left".to_owned(),
        Some("NOPERM") => NO_RIGHTS.to_owned(),
        Some("ERR") if is_of_a_script_without_rights(error) => NO_RIGHTS.to_owned(),
        Some("MASTERDOWN" | "CLUSTERDOWN") => "it has lost its master".to_owned(),
        Some(code) => format!("it answers {code}"),
        None if error.is_timeout() => "it did not answer in time".to_owned(),
        None if error.is_connection_refusal() => "nobody listens there".to_owned(),
        None if error.is_connection_dropped() => "the connection broke".to_owned(),
        None => format!("the connection failed ({})", error.category()),
    }
}

/// What scripts may not call has no code of its own: up to 7.0 it is said in one way, later in another.
fn is_of_a_script_without_rights(error: &RedisError) -> bool {
    let said = ["The user executing the script can't run", "ACL failure"];
    let detail = error.detail().unwrap_or_default();
    said.iter().any(|said| detail.contains(said))
}

/// What was wrong about TLS, if that was it.
fn of_tls(error: &RedisError) -> Option<&rustls::Error> {
    let shared: &Arc<dyn Error + Send + Sync> = error.source()?.downcast_ref()?;
    let error: &io::Error = shared.downcast_ref()?;
    error.get_ref()?.downcast_ref()
}

fn tls_in_words(error: &rustls::Error) -> String {
    match error {
        // an authority of the same name with another key, too
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "its certificate comes from an authority that is not believed here; `store_ca_file` names another".to_owned()
        }
        // these name the certificate's own times and names
        rustls::Error::InvalidCertificate(fault) => format!("its certificate does not hold: {fault}"),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        other => format!("TLS fails: {other}"),
    }
}
