//! What is shown of a connection: certificates, keying material, the SRTP profile, addresses and times.

use super::process::{Running, client, client_arguments, drystone, server};
use serde_json::Value;

fn find<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().find(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name}: {events:?}"))
}

#[test]
fn both_sides_export_the_same_and_agree_on_srtp() {
    for version in ["1.2", "1.3"] {
        let exports = ["--export", "EXPERIMENTAL-a:b:40", "--export", "EXTRACTOR-dtls_srtp:60"];
        let of_server = ["--srtp", "aead_aes_256_gcm", "--srtp", "SRTP_AES128_CM_SHA1_80", "--peers", "1"];
        let (server_process, address, certificate) =
            server(&format!("export-{version}"), &[exports.as_slice(), &of_server].concat());
        let of_client =
            ["--srtp", "SRTP_AES128_CM_HMAC_SHA1_80", "--max", version, "--json", "--echo-test", "0"];
        let client = client(&address, &certificate, &[exports.as_slice(), &of_client].concat(), "");
        assert_eq!(client.code, 0, "{client:?}");
        let served = server_process.finish();
        let [of_client, of_server] = [client.events(), served.events()];
        for events in [&of_client, &of_server] {
            assert_eq!(
                find(events, "connected")["srtp_profile"],
                "SRTP_AES128_CM_HMAC_SHA1_80",
                "{events:?}"
            );
        }
        let exported = |events: &[Value]| -> Vec<(String, String)> {
            let of = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
            let exported = events.iter().filter(|event| event["event"] == "exported");
            exported.map(|event| (of(event, "label"), of(event, "hex"))).collect()
        };
        let material = exported(&of_client);
        assert_eq!(material, exported(&of_server));
        let shape: Vec<_> = material.iter().map(|(label, hex)| (label.as_str(), hex.len())).collect();
        assert_eq!(shape, [("EXPERIMENTAL-a:b", 80), ("EXTRACTOR-dtls_srtp", 120)]);
    }
}

#[test]
fn an_export_that_cannot_be_made_is_a_fault() {
    let (_server, address, certificate) = server("export-reserved", &[]);
    let client = client(&address, &certificate, &["--export", "master secret:8"], "");
    assert_eq!(client.code, 1, "{client:?}");
    assert!(client.err.contains("label"), "{client:?}");
}

#[test]
fn certificates_are_shown_as_pem() {
    let (_server, address, certificate) = server("show-certs", &[]);
    let pem = std::fs::read_to_string(&certificate).unwrap();
    let shown = client(&address, &certificate, &["--show-certs", "--echo-test", "0"], "");
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(
        shown.out.contains("certificate 0: CN=localhost, SHA-256 ") && shown.out.contains(&pem),
        "{shown:?}"
    );
    let shown = client(&address, &certificate, &["--show-certs", "--echo-test", "0", "--json"], "");
    let events = shown.events();
    let event = find(&events, "certificate");
    assert_eq!((&event["index"], event["pem"].as_str()), (&0.into(), Some(pem.as_str())), "{events:?}");
    assert_eq!(event["fingerprint"], find(&events, "connected")["peer_fingerprint"]);
}

#[test]
fn every_event_has_its_time_and_those_of_a_connection_its_address() {
    let (server_process, address, certificate) = server("stamps", &["--peers", "1"]);
    let client = client(&address, &certificate, &["--json"], "hi\n");
    assert_eq!(client.code, 0, "{client:?}");
    for event in client.events() {
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        assert_eq!(event["addr"], address.as_str(), "{event}");
    }
    let events = server_process.finish().events();
    let of_client = find(&events, "connected")["addr"].clone();
    assert!(of_client.as_str().unwrap().starts_with("127.0.0.1:"), "{events:?}");
    for event in events {
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        assert_eq!(event["addr"], of_client, "{event}");
    }
}

/// A client that refuses the server's certificate is told of with its address, and a server that waits for one peer only
/// does not wait for another.
#[test]
fn a_server_whose_only_peer_failed_exits_2() {
    for version in ["1.2", "1.3"] {
        let (server_process, address, _) = server(&format!("only-failed-{version}"), &["--peers", "1"]);
        let (_other, _, foreign) = server(&format!("only-failed-{version}-other"), &[]);
        let refusing = client(&address, &foreign, &["--max", version], "");
        assert_eq!(refusing.code, 2, "{refusing:?}");
        let served = server_process.finish();
        assert_eq!(served.code, 2, "{served:?}");
        assert!(served.err.contains("the only peer failed"), "{served:?}");
        let events = served.events();
        let failed = find(&events, "error");
        assert!(failed["addr"].as_str().unwrap().starts_with("127.0.0.1:"), "{events:?}");
        assert!(failed["reason"].as_str().unwrap().contains("unknown_ca"), "{events:?}");
    }
}

#[test]
fn the_family_of_addresses_is_chosen() {
    let (_server, address, _) = server("family", &[]);
    let port = address.rsplit_once(':').unwrap().1;
    let host = format!("localhost:{port}");
    let found = drystone(&["client", &host, "--insecure", "-4", "--json", "--echo-test", "0"], "");
    assert_eq!(found.code, 0, "{found:?}");
    assert_eq!(found.events()[0]["addr"], address.as_str());
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere 127.0.0.1 is the only address of the loopback interface.
fn a_client_calls_from_the_address_that_it_is_given() {
    let (mut server_process, address, certificate) = server("bind", &[]);
    let free = std::net::UdpSocket::bind("127.0.0.3:0").unwrap().local_addr().unwrap().to_string();
    for (bind, seen) in [("127.0.0.2", "\"addr\":\"127.0.0.2:"), (&free, &format!("\"addr\":\"{free}\""))] {
        let run = client(&address, &certificate, &["--bind", bind, "--echo-test", "0"], "");
        assert_eq!(run.code, 0, "{run:?}");
        let connected = server_process.line_with("\"event\":\"connected\"");
        assert!(connected.contains(seen), "{connected}");
    }
    for (arguments, reason) in [
        (["--bind", "192.0.2.1"].as_slice(), "cannot reach 127.0.0.1"),
        (&["--bind", "::1"], "'127.0.0.1' has no IPv6 address"),
        (&["--bind", "::1", "-4"], "--bind is of the other family"),
    ] {
        let refused = client(&address, &certificate, arguments, "");
        assert!(refused.code == 1 && refused.err.contains(reason), "{refused:?}");
    }
}

/// A client that is silent is gone for the server after the idle time-out, and is told by close_notify. One that waits for a
/// server that has vanished ends with 4.
#[test]
fn a_silent_peer_is_given_up_after_the_idle_timeout() {
    let (mut server_process, address, certificate) =
        server("idle-server", &["--idle-timeout", "0.2", "--peers", "1"]);
    let silent = Running::start(&client_arguments(&address, &certificate, &["--json"]));
    server_process.line_with("\"event\":\"connected\"");
    assert!(server_process.line_with("\"event\":\"error\"").contains("nothing"), "the reason is told");
    assert_eq!(server_process.finish().code, 2);
    assert_eq!(silent.finish().code, 0);

    let (server_process, address, certificate) = server("idle-client", &[]);
    let mut waiting =
        Running::start(&client_arguments(&address, &certificate, &["--idle-timeout", "0.2", "--json"]));
    waiting.line_with("\"event\":\"connected\"");
    drop(server_process);
    let ended = waiting.finish();
    assert_eq!(ended.code, 4, "{ended:?}");
}
