//! Whatever stands in `X-Forwarded-For`: the client is never further away than the trusted proxies vouch, what strangers wrote changes
//! nothing, and what is read as an address is one.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use mainstay_values::{TrustedProxies, Walk, parse_forwarded_address, word_of_proxies};

fuzz_target!(|input: (u8, [u8; 4], String)| {
    let (hops, socket, field) = input;
    let socket = IpAddr::from(socket);
    let walk = |rule: &TrustedProxies, field: &str| rule.client(socket, &mut field.rsplit(','));
    for element in field.split(',') {
        if let Some(address) = parse_forwarded_address(element) {
            assert_eq!(parse_forwarded_address(&address.to_string()), Some(address));
            let _ = word_of_proxies(address);
        }
    }
    let stranger = walk(&TrustedProxies::none(), &field);
    assert_eq!((stranger.address, stranger.trusted_hops), (socket, 0));

    let hops = u32::from(hops % 8);
    let client = walk(&TrustedProxies::hops(hops), &field);
    assert!(client.trusted_hops <= hops as usize);

    let listed = TrustedProxies::listed(["loopback", "uniquelocal"]).expect("words");
    let client = walk(&listed, &field);
    let is_trusted = listed.trusts(client.address, client.trusted_hops);
    assert_eq!(is_trusted, client.ended != Walk::Untrusted);
    if client.ended == Walk::Untrusted {
        // what stands further left was written by whoever this is
        let forged = walk(&listed, &format!("203.0.113.9, 10.0.0.1,{field}"));
        assert_eq!(forged, client);
    }
});
