//! The corpus that `http_desync_guardian` ships with its source, sent through the whole data plane.

use mainstay_testkit::{DesyncCase, desync_corpus};

use crate::harness::{End, Gateway, OK, Origin};

#[test]
fn severe_requests_are_refused_and_closed_and_reach_no_origin() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut wrong = Vec::new();
    let severe: Vec<DesyncCase> = desync_corpus()
        .into_iter()
        .filter(|case| case.tier == "Severe")
        .collect();
    assert_eq!(severe.len(), 58, "another corpus");
    for case in &severe {
        let mut client = gateway.connect();
        // what follows would be the body, or the smuggled request
        client
            .send(case.bytes())
            .send("0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n")
            .half_close();
        let (text, end) = client.read_to_end();
        let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let answers = text.matches("HTTP/1.1 ").count();
        let is_refused = status.starts_with('4') || status == "501";
        if !is_refused || answers != 1 || end == End::Open {
            wrong.push(format!(
                "{:?}: {end:?}, {answers} answers, {text}",
                case.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let seen = origin.requests();
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(origin.connections(), 0);
}
