//! Who holds a client connection. Shared by all exchanges on it; knows nothing of them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use http::HeaderValue;

use crate::{Interim, Scheme};

/// The other end of a client connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address; loopback for a Unix socket.
    pub address: IpAddr,
    /// How it speaks to us.
    pub scheme: Scheme,
    /// The port it connected to, if any.
    pub local_port: Option<u16>,
    /// Where interim answers for it go.
    pub interim: Interim,
    /// The address as a field value, made once.
    value: OnceLock<HeaderValue>,
}

impl Peer {
    /// A peer over plain HTTP.
    pub fn plain(address: IpAddr, local_port: Option<u16>) -> Self {
        Self {
            address: mainstay_values::canonical(address),
            scheme: Scheme::Http,
            local_port,
            interim: Interim::default(),
            value: OnceLock::new(),
        }
    }
}

impl Peer {
    pub(crate) fn address_value(&self) -> &HeaderValue {
        self.value.get_or_init(|| address_value(self.address))
    }
}

/// An address as it stands in `X-Forwarded-For`.
pub(crate) fn address_value(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

impl Default for Peer {
    fn default() -> Self {
        Self::plain(IpAddr::V4(Ipv4Addr::LOCALHOST), None)
    }
}
