//! The `drystone` command from outside: what it prints, and how it exits.

mod details;
mod echo_test;
mod pipes;
mod process;
#[cfg(unix)]
mod signals;
mod usage;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use process::{Finished, client, drystone, scratch, server};

/// The group that two of us agree on by default.
const GROUP: &str = if cfg!(feature = "pq") { "X25519MLKEM768" } else { "x25519" };

fn port_of(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

#[test]
fn the_demo_shows_a_whole_life() {
    let demo = drystone(&["demo"], "");
    assert_eq!(demo.code, 0, "{demo:?}");
    for part in
        ["handshaking", "DTLS 1.3, TLS_AES_128_GCM_SHA256, ", GROUP, "round-trip time", "close_notify"]
    {
        assert!(demo.out.contains(part), "{part} is missing: {demo:?}");
    }
    assert_eq!(demo.err, "");
}

#[test]
fn two_hundred_packets_come_back_unchanged() {
    let keys = scratch("echo").join("keys.log");
    let (server, address, certificate) = server("echo", &["--peers", "1"]);
    let key_log = ["--keylog", keys.to_str().unwrap()];
    let client =
        client(&address, &certificate, &[&["--echo-test", "200", "--json"], key_log.as_slice()].concat(), "");
    assert_eq!(client.code, 0, "{client:?}");

    let events = client.events();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["status", "status", "connected", "echo_test", "closed", "status"]);
    let connected = &events[2];
    assert_eq!(connected["version"], "DTLS 1.3");
    assert_eq!(connected["cipher_suite"], "TLS_AES_128_GCM_SHA256");
    assert_eq!(connected["group"], GROUP);
    assert_eq!(connected["signature_scheme"], "ecdsa_secp256r1_sha256");
    assert_eq!(connected["server_name"], "localhost");
    assert_eq!(connected["peer_subject"], "CN=localhost");
    assert!(connected["alpn"].is_null());
    assert_eq!((&events[3]["packets"], &events[3]["smallest"]), (&200.into(), &1.into()));

    let server = server.finish();
    assert_eq!(server.code, 0, "{server:?}");
    let sizes: Vec<_> = server.events().iter().filter_map(|event| event["size"].as_u64()).collect();
    assert_eq!((sizes.len(), sizes[0], sizes[199]), (200, 1, events[3]["largest"].as_u64().unwrap()));
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(server.events().last().unwrap()["event"], "closed");

    let log = std::fs::read_to_string(keys).unwrap();
    let mut labels = Vec::new();
    for line in log.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!((fields.len(), fields[1].len(), fields[2].len()), (3, 64, 64), "{log}");
        labels.push(fields[0]);
    }
    labels.sort_unstable();
    let expected = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
    ];
    assert_eq!(labels, expected, "{log}");
}

#[test]
fn lines_are_packets_and_messages_are_shown() {
    let (_server, address, certificate) = server("lines", &[]);
    let asked = ["--msg", "--max", "1.2"];
    let client = client(&address, &certificate, &asked, "one\n\ntwo words\nno line end");
    assert_eq!(client.code, 0, "{client:?}");
    let lines: Vec<_> = client.out.lines().collect();
    let connected = lines.iter().position(|line| line.starts_with("connected: DTLS 1.2")).unwrap();
    assert_eq!(lines[connected + 1..connected + 5], ["one", "", "two words", "no line end"]);
    assert_eq!(lines.last(), Some(&"disconnected"));
    for message in [
        "sent ClientHello, ",
        "received HelloVerifyRequest, ",
        "received ServerHelloDone, 12 bytes, message_seq 4",
        "sent ChangeCipherSpec, 1 byte",
        "received Finished, 24 bytes",
        "sent Alert close_notify, 2 bytes",
    ] {
        assert!(client.out.contains(message), "{message} is missing: {client:?}");
    }
}

#[test]
fn the_messages_of_dtls_13_are_shown() {
    let (_server, address, certificate) = server("messages-13", &[]);
    let client = client(&address, &certificate, &["--msg"], "hi\n");
    assert_eq!(client.code, 0, "{client:?}");
    for message in [
        "received HelloRetryRequest, ",
        "received ServerHello, ",
        "received EncryptedExtensions, ",
        "received Finished, 44 bytes, message_seq 5",
        "received ACK, ",
        "sent Alert close_notify, 2 bytes, level 1, epoch 3",
    ] {
        assert!(client.out.contains(message), "{message} is missing: {client:?}");
    }
}

#[test]
fn many_lines_come_back_in_json() {
    let (_server, address, certificate) = server("json", &[]);
    let input: String = (0..300).map(|number| format!("line {number}\n")).collect();
    let client = client(&address, &certificate, &["--json", "--newline"], &input);
    assert_eq!(client.code, 0, "{client:?}");
    let texts: Vec<_> =
        client.events().iter().filter_map(|event| event["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(texts.concat(), input);
}

#[test]
fn a_line_that_fits_no_packet_is_named() {
    let (_server, address, certificate) = server("long", &[]);
    let input = format!("short\n{}\n", "x".repeat(20_000));
    let client = client(&address, &certificate, &[], &input);
    assert_eq!(client.code, 1, "{client:?}");
    assert!(client.err.contains("line 2 has 20000 bytes") && client.err.contains("16384"), "{client:?}");
}

#[test]
fn a_wrong_name_exits_3_and_says_both() {
    let (_server, address, certificate) = server("name", &[]);
    let file = certificate.to_str().unwrap();
    let client = drystone(
        &["client", &address, "--name", "other.example", "--ca", file, "--json", "--timeout", "30"],
        "",
    );
    assert_eq!(client.code, 3, "{client:?}");
    assert!(client.err.contains("other.example") && client.err.contains("localhost"), "{client:?}");
    let events = client.events();
    assert!(events.iter().any(|event| event["status"] == "error_hostname_mismatch"), "{events:?}");
    assert!(events.last().unwrap()["reason"].as_str().unwrap().contains("other.example"), "{events:?}");
}

#[test]
fn a_stranger_is_refused_unless_anybody_is_welcome() {
    let (_server, address, _) = server("stranger", &[]);
    let (_other, _, other_certificate) = server("stranger-other", &[]);
    let refused = client(&address, &other_certificate, &[], "");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--ca"), "{refused:?}");
    let accepted = drystone(&["client", &address, "--insecure", "--name", "other.example"], "hi\n");
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert!(accepted.out.contains("SHA-256 "), "{accepted:?}");
}

#[test]
fn the_host_is_the_name_unless_told_otherwise() {
    let (_server, address, certificate) = server("host", &[]);
    let host = format!("localhost:{}", port_of(&address));
    let found =
        drystone(&["client", &host, "--ca", certificate.to_str().unwrap(), "--timeout", "30"], "hi\n");
    assert_eq!(found.code, 0, "{found:?}");
    let by_address =
        drystone(&["client", &address, "--ca", certificate.to_str().unwrap(), "--timeout", "30"], "");
    assert_eq!(by_address.code, 3, "{by_address:?}");
}

#[test]
fn nothing_listening_is_told() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let client = drystone(&["client", &free, "--name", "localhost", "--insecure"], "");
    assert_eq!(client.code, 2, "{client:?}");
    assert!(client.err.contains("nothing listens at") && client.err.contains(&free), "{client:?}");
}

#[test]
fn silence_times_out_with_4() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let begin = Instant::now();
    let client = drystone(
        &["client", &address, "--name", "localhost", "--insecure", "--timeout", "0.7", "--json"],
        "",
    );
    assert_eq!(client.code, 4, "{client:?}");
    assert!(client.events().last().unwrap()["reason"].as_str().unwrap().contains("--timeout"), "{client:?}");
    assert!(begin.elapsed() >= Duration::from_millis(700));
}

#[test]
fn a_server_ends_with_its_time() {
    let waiting = ["server", "--listen", "127.0.0.1:0", "--self-signed", "localhost", "--timeout", "0.3"];
    let unbounded = drystone(&waiting, "");
    assert_eq!(unbounded.code, 0, "{unbounded:?}");
    assert!(unbounded.out.starts_with("listening on 127.0.0.1:"), "{unbounded:?}");
    let disappointed = drystone(&[&waiting, ["--peers", "2"].as_slice()].concat(), "");
    assert_eq!(disappointed.code, 4, "{disappointed:?}");
    assert!(disappointed.err.contains("0 of 2 peers"), "{disappointed:?}");
}

#[test]
fn mistakes_exit_1_with_one_line() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let server = ["server", "--listen", "127.0.0.1:0", "--self-signed", "localhost"];
    let with = |arguments: &[&'static str]| [server.as_slice(), arguments].concat();
    let cases: [(Vec<&str>, &str); 16] = [
        (vec!["clinet"], "did you mean 'client'?"),
        (vec!["client", "localhost:1"], "--insecure"),
        (vec!["client", "localhost", "--insecure"], "HOST:PORT"),
        (vec!["client", "localhost:1", "--insecure", "--colour"], "--colour"),
        (
            vec!["client", "localhost:1", "--insecure", "--cipher", "RC4"],
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ),
        (vec!["client", "localhost:1", "--insecure", "--group", "P-257"], "secp256r1"),
        (vec!["client", "localhost:1", "--insecure", "--max", "1.1"], "1.2, 1.3"),
        (vec!["client", "localhost:1", "--insecure", "--min", "1.3", "--max", "1.2"], "version"),
        (vec!["client", "localhost:1", "--insecure", "--group", "x25519", "--pq-share"], "X25519MLKEM768"),
        (vec!["client", "localhost:1", "--ca", "/nonexistent.pem"], "/nonexistent.pem"),
        (vec!["client", "localhost:1", "--insecure", "--mtu", "100"], "228"),
        (vec!["client", "no such host:1", "--insecure"], "--name"),
        (vec!["server", "--listen", &address, "--self-signed", "localhost"], "cannot listen on"),
        (with(&["--client-auth", "require"]), "--insecure-clients"),
        (with(&["--insecure-clients"]), "--client-auth"),
        (with(&["--write-cert", "/nonexistent/cert.pem"]), "/nonexistent/cert.pem"),
    ];
    for (arguments, hint) in cases {
        let mistaken = drystone(&arguments, "");
        assert_eq!(mistaken.code, 1, "{arguments:?}: {mistaken:?}");
        assert!(mistaken.err.contains(hint), "{arguments:?}: {mistaken:?}");
        assert_eq!(mistaken.err.lines().count(), 1, "{arguments:?}: {mistaken:?}");
    }
}

#[test]
fn help_and_version_exit_0() {
    for arguments in [["--help"].as_slice(), &["client", "--help"], &["server", "--help"], &["--version"]] {
        let shown = drystone(arguments, "");
        assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
        assert!(shown.out.contains("drystone"), "{shown:?}");
    }
}

#[test]
fn suites_and_groups_are_chosen_by_name() {
    let (_server, address, certificate) = server("chosen", &[]);
    let (_other, other_address, other_certificate) =
        server("chosen-384", &["--group", "secp384r1", "--group", "secp256r1"]);
    // In DTLS 1.2 the groups also limit the certificate, whose key is on secp256r1 (RFC 8422 section 5.1).
    let cases = [
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "secp256r1", &address, &certificate),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", &address, &certificate),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "secp384r1", &other_address, &other_certificate),
    ];
    for (suite, group, address, certificate) in cases {
        let asked = ["--json", "--cipher", &suite.to_lowercase(), "--group", group, "--group", "SECP256R1"];
        let chosen = client(address, certificate, &asked, "");
        assert_eq!(chosen.code, 0, "{chosen:?}");
        let events = chosen.events();
        assert_eq!(
            (&events[2]["cipher_suite"], &events[2]["group"]),
            (&suite.into(), &group.into()),
            "{chosen:?}"
        );
    }
    let nothing_in_common = ["--cipher", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
    let refused = client(&address, &certificate, &nothing_in_common, "");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("handshake_failure"), "{refused:?}");
}

#[test]
fn application_protocols_are_negotiated() {
    let (_server, address, certificate) = server("alpn", &["--alpn", "game/2", "--alpn", "game/1"]);
    let agreed = client(&address, &certificate, &["--json", "--alpn", "game/1", "--alpn", "chat"], "");
    assert_eq!(agreed.events()[2]["alpn"], "game/1", "{agreed:?}");
    let refused = client(&address, &certificate, &["--alpn", "chat"], "");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("no_application_protocol"), "{refused:?}");
}

#[test]
fn without_cookies_no_hello_verify_request_is_sent() {
    let (_server, address, certificate) = server("no-cookie", &["--no-cookie"]);
    let client = client(&address, &certificate, &["--msg", "--echo-test", "20"], "");
    assert_eq!(client.code, 0, "{client:?}");
    assert!(!client.out.contains("HelloVerifyRequest"), "{client:?}");
}

/// A server shows whom it sent away and why, although they never became its peers.
#[test]
fn a_refused_hello_is_seen() {
    let (mut server, address, certificate) = server("refused", &["--msg", "--min", "1.3"]);
    let client = client(&address, &certificate, &["--max", "1.2"], "");
    assert_eq!(client.code, 2, "{client:?}");
    assert!(client.err.contains("protocol_version"), "{client:?}");
    for text in ["\"message\":\"ClientHello\"", "\"message\":\"Alert protocol_version\"", "no common version"]
    {
        let line = server.line_with(text);
        assert!(!line.contains("\"peer\""), "{line}");
    }
}

#[test]
fn small_datagrams_do() {
    let (_server, address, certificate) = server("mtu", &["--mtu", "256"]);
    let client = client(&address, &certificate, &["--mtu", "256", "--echo-test", "50", "--json"], "");
    assert_eq!(client.code, 0, "{client:?}");
    let largest = client.events()[3]["largest"].as_u64().unwrap();
    assert!((200..256).contains(&largest), "{largest}");
}

#[test]
fn client_certificates_are_asked_for_and_judged() {
    let folder = scratch("client-auth");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for name in ["known", "unknown"] {
        let mut params = rcgen::CertificateParams::new([format!("{name}.example")]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(file(&format!("{name}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let (known, unknown) =
        ([file("known.pem"), file("known.key")], [file("unknown.pem"), file("unknown.key")]);
    let present = |credential: &[String; 2]| {
        ["--cert", &credential[0], "--key", &credential[1]].map(str::to_owned).to_vec()
    };
    let visit = |address: &str, certificate: &std::path::Path, arguments: &[String]| {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        client(address, certificate, &[&["--echo-test", "3"], arguments.as_slice()].concat(), "")
    };

    let strict = ["--client-auth", "require", "--client-ca", &known[0], "--peers", "3"];
    let (server_process, address, certificate) = server("client-auth-require", &strict);
    assert_eq!(visit(&address, &certificate, &[]).code, 2);
    assert_eq!(visit(&address, &certificate, &present(&unknown)).code, 2);
    assert_eq!(visit(&address, &certificate, &present(&known)).code, 0);
    let finished = server_process.finish();
    assert_eq!(finished.code, 0, "one was no failure: {finished:?}");
    let connected = finished.events().into_iter().find(|event| event["event"] == "connected").unwrap();
    assert_eq!(connected["peer_subject"], "CN=known");

    let open = ["--client-auth", "request", "--insecure-clients", "--peers", "2"];
    let (server_process, address, certificate) = server("client-auth-request", &open);
    assert_eq!(visit(&address, &certificate, &[]).code, 0);
    assert_eq!(visit(&address, &certificate, &present(&unknown)).code, 0);
    let finished = server_process.finish();
    let connected: Vec<_> =
        finished.events().into_iter().filter(|event| event["event"] == "connected").collect();
    assert!(connected[0]["peer_fingerprint"].is_null(), "{connected:?}");
    assert_eq!(connected[1]["peer_fingerprint"].as_str().unwrap().len(), 32 * 3 - 1, "{connected:?}");
}

/// The names of the handshake messages that a run with `--msg --json` shows, one direction's.
fn messages(run: &Finished, direction: &str) -> Vec<String> {
    let events = run.events();
    let passed = events.iter().filter(|event| event["event"] == "message" && event["direction"] == direction);
    passed.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|found| *found == name).count()
}

#[test]
#[cfg(feature = "pq")]
fn the_hybrid_group_is_preferred_and_its_share_asked_for_or_sent_at_once() {
    let (_server, address, certificate) = server("pq", &["--max", "1.3"]);
    let visit = |arguments: &[&str]| {
        let fixed = ["--msg", "--json", "--echo-test", "20"];
        let visit = client(&address, &certificate, &[&fixed, arguments].concat(), "");
        assert_eq!(visit.code, 0, "{visit:?}");
        let events = visit.events();
        let connected = events.iter().find(|event| event["event"] == "connected").unwrap();
        let agreed = (connected["version"].to_string(), connected["group"].to_string());
        let hello = events.iter().find(|event| event["message"] == "ClientHello").unwrap();
        (agreed, hello["size"].as_u64().unwrap(), count(&messages(&visit, "received"), "HelloRetryRequest"))
    };
    let hybrid = ("\"DTLS 1.3\"".to_owned(), "\"X25519MLKEM768\"".to_owned());
    // A small first hello, and one question for cookie and share together.
    let (agreed, size, retries) = visit(&["--max", "1.3"]);
    assert_eq!((&agreed, retries), (&hybrid, 1));
    assert!(size < 500, "{size}");
    let (agreed, size, retries) = visit(&["--max", "1.3", "--pq-share"]);
    assert_eq!((&agreed, retries), (&hybrid, 1));
    assert!(size > 1300, "{size}");
    let (agreed, _, _) = visit(&["--max", "1.3", "--group", "secp384r1", "--group", "x25519mlkem768"]);
    assert_eq!(agreed, hybrid, "the server's order counts");
    let (agreed, _, _) = visit(&["--max", "1.3", "--group", "secp256r1"]);
    assert_eq!(agreed.1, "\"secp256r1\"");
    // DTLS 1.2 knows no hybrid, and takes what is left.
    let (agreed, _, _) = visit(&["--max", "1.2"]);
    assert_eq!(agreed, ("\"DTLS 1.2\"".to_owned(), "\"x25519\"".to_owned()));
}

#[test]
#[cfg(feature = "pq")]
fn without_cookies_the_hybrid_share_spares_a_round_trip() {
    let (_server, address, certificate) = server("pq-no-cookie", &["--max", "1.3", "--no-cookie"]);
    for (arguments, retries) in [(&["--pq-share"][..], 0), (&[], 1)] {
        let fixed = ["--min", "1.3", "--max", "1.3", "--msg", "--json", "--echo-test", "5"];
        let visit = client(&address, &certificate, &[&fixed, arguments].concat(), "");
        assert_eq!(visit.code, 0, "{visit:?}");
        assert_eq!(count(&messages(&visit, "received"), "HelloRetryRequest"), retries, "{visit:?}");
    }
}

#[test]
fn keys_are_renewed_as_packets_pass() {
    let (server, address, certificate) =
        server("keys", &["--max", "1.3", "--key-update-after", "40", "--peers", "1"]);
    let asked = ["--max", "1.3", "--key-update-after", "25", "--echo-test", "200", "--msg", "--json"];
    let client = client(&address, &certificate, &asked, "");
    assert_eq!(client.code, 0, "{client:?}");
    let renewals =
        |run: &Finished| run.events().iter().filter(|event| event["status"] == "renewing_keys").count();
    assert_eq!(renewals(&client), 8);
    // A request that meets one under way is merged with it.
    for direction in ["sent", "received"] {
        let updates = count(&messages(&client, direction), "KeyUpdate");
        assert!((2..=13).contains(&updates), "{updates} {direction}: {client:?}");
    }
    assert!(count(&messages(&client, "received"), "ACK") >= 2, "{client:?}");
    let server = server.finish();
    assert_eq!((server.code, renewals(&server)), (0, 5), "{server:?}");
}

#[test]
fn dtls_12_cannot_renew_its_keys() {
    let (_server, address, certificate) = server("keys-12", &[]);
    let asked = ["--max", "1.2", "--key-update-after", "3", "--echo-test", "5"];
    let client = client(&address, &certificate, &asked, "");
    assert_eq!(client.code, 1, "{client:?}");
    assert!(client.err.contains("DTLS 1.2 cannot change its keys"), "{client:?}");
}

#[test]
fn versions_that_do_not_meet_end_with_protocol_version() {
    for (of_server, of_client) in [("1.3", "1.2"), ("1.2", "1.3")] {
        let only = |version: &'static str| ["--min", version, "--max", version];
        let (_server, address, certificate) = server(&format!("only-{of_server}"), &only(of_server));
        let client = client(&address, &certificate, &[&only(of_client), ["--msg"].as_slice()].concat(), "");
        assert_eq!(client.code, 2, "{client:?}");
        assert!(client.out.contains("Alert protocol_version"), "{client:?}");
        assert!(client.err.contains("version"), "{client:?}");
    }
}
