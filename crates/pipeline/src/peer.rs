//! Who holds a client connection. Shared by all exchanges on it; knows nothing of them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

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
    /// It is one connection too many: its request is refused.
    pub(crate) is_excess: bool,
    /// The address as text, made once.
    text: OnceLock<String>,
}

impl Peer {
    /// A peer over plain HTTP.
    pub fn plain(address: IpAddr, local_port: Option<u16>) -> Self {
        Self {
            address: mainstay_values::canonical(address),
            scheme: Scheme::Http,
            local_port,
            interim: Interim::default(),
            is_excess: false,
            text: OnceLock::new(),
        }
    }
}

impl Peer {
    /// The address as it stands in `X-Forwarded-For`.
    pub(crate) fn address_text(&self) -> &str {
        self.text.get_or_init(|| self.address.to_string())
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self::plain(IpAddr::V4(Ipv4Addr::LOCALHOST), None)
    }
}
