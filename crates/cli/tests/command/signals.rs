//! SIGINT and SIGTERM: close_notify is sent before the end.

use std::net::UdpSocket;

use super::process::{Running, client_arguments, server};

#[test]
fn a_client_that_is_told_to_end_sends_close_notify() {
    for (signal, code, status) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated")] {
        let (mut server_process, address, certificate) =
            server(&format!("signal-{signal}"), &["--peers", "1"]);
        let mut client = Running::start(&client_arguments(&address, &certificate, &["--json"]));
        client.line_with("\"event\":\"connected\"");
        client.signal(signal);
        let ended = client.finish();
        assert_eq!((ended.code, ended.err.as_str()), (code, ""), "{ended:?}");
        assert_eq!(ended.events().last().unwrap()["status"], status);
        // The server knows at once, and not by a time-out.
        server_process.line_with("\"event\":\"closed\"");
        assert_eq!(server_process.finish().code, 0);
    }
}

#[test]
fn a_server_that_is_told_to_end_sends_close_notify_to_all() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (mut server_process, address, certificate) = server(&format!("signal-server-{signal}"), &[]);
        let mut clients: Vec<_> =
            (0..3).map(|_| Running::start(&client_arguments(&address, &certificate, &["--json"]))).collect();
        for client in &mut clients {
            client.line_with("\"event\":\"connected\"");
            server_process.line_with("\"event\":\"connected\"");
        }
        server_process.signal(signal);
        let ended = server_process.finish();
        assert_eq!((ended.code, ended.err.as_str()), (code, ""), "{ended:?}");
        for mut client in clients {
            client.line_with("\"status\":\"disconnected\"");
            assert_eq!(client.finish().code, 0);
        }
    }
}

#[test]
fn a_handshake_is_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut client = Running::start(&["client", &address, "--insecure", "--json"]);
    client.line_with("handshaking");
    client.signal("INT");
    assert_eq!(client.finish().code, 130);
}
