//! Which requests go where, through the whole program.

use mainstay_testkit::{Mainstay, Origin};

#[test]
fn hosts_and_paths_lead_to_their_upstreams() {
    let (shop, api, rest) = (
        Origin::says("shop").start(),
        Origin::says("api").start(),
        Origin::says("rest").start(),
    );
    let config = format!(
        "[upstream.shop]\nserver = \"{}\"\n[upstream.api]\nserver = \"{}\"\n[upstream.rest]\nserver = \"{}\"\n\
         [route.shop]\nhost = \"*.shop.example\"\nto = \"shop\"\n\
         [route.api]\npath = \"/api\"\nto = \"api\"\n\
         [route.rest]\nto = \"rest\"\n",
        shop.address(),
        api.address(),
        rest.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    for (host, path, answer) in [
        ("www.shop.example", "/api", "shop"),
        ("other.example", "/api/users", "api"),
        ("other.example", "/%61pi", "api"),
        ("other.example", "/apix", "rest"),
    ] {
        mainstay
            .get_with(path, [("Host", host)])
            .expect(200)
            .body_is(answer);
    }
    // the origin reads what the client wrote, not what it was compared as
    assert!(
        api.received()
            .iter()
            .any(|request| request.head.starts_with("GET /%61pi "))
    );
}

#[test]
fn a_host_nobody_serves_is_told_from_a_path_nobody_serves() {
    let origin = Origin::says("hello").start();
    let config = format!(
        "[upstream.a]\nserver = \"{}\"\n[route.a]\nhost = \"a.example\"\npath = \"/x\"\nto = \"a\"\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    mainstay.get_with("/x", [("Host", "a.example")]).expect(200);
    mainstay.get_with("/x", [("Host", "b.example")]).expect(421);
    mainstay.get_with("/y", [("Host", "a.example")]).expect(404);
}

#[test]
fn each_app_on_an_address_of_its_own() {
    let app = |answer: &str| {
        format!(
            "require('http').createServer((request, response) => response.end('{answer}')).listen(3000);"
        )
    };
    let port = mainstay_testkit::free_port();
    let config = format!(
        "[app.first]\ncommand = \"node first.js\"\n[app.second]\ncommand = \"node second.js\"\nlisten = \"127.0.0.1:{port}\"\n"
    );
    let mainstay = Mainstay::run("")
        .file("first.js", &app("first"))
        .file("second.js", &app("second"))
        .config(&config)
        .start();
    mainstay.get("/").expect(200).body_is("first");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut wire = mainstay.connect_to(address);
    wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .response()
        .expect(200)
        .body_is("second");
}

#[test]
fn each_route_bounds_bodies_and_waits_in_its_own_way() {
    let (origin, slow) = (Origin::says("taken").start(), Origin::hangs().start());
    let config = format!(
        "[body]\nlimit = \"1kb\"\n\
         [upstream.a]\nserver = \"{}\"\n[upstream.slow]\nserver = \"{}\"\n\
         [route.rest]\nto = \"a\"\n\
         [route.upload]\npath = \"/upload\"\nto = \"a\"\n[route.upload.body]\nlimit = \"2kb\"\n\
         [route.slow]\npath = \"/slow\"\nto = \"slow\"\nresponse_timeout = \"50ms\"\n",
        origin.address(),
        slow.address()
    );
    let mainstay = Mainstay::run("").config(&config).start();
    mainstay.output_contains_eventually("body limit 1kb");
    for (path, length, status) in [
        ("/", 1024, 200),
        ("/", 1025, 413),
        ("/upload", 2048, 200),
        ("/upload/x", 2049, 413),
    ] {
        let body = "x".repeat(length);
        let response = mainstay.post(path, [], body);
        assert_eq!(response.status(), status, "{path} {length}");
    }
    mainstay.output_contains_eventually("\"reason\":\"body_too_large\"");
    mainstay.get("/slow").expect(504);
}
