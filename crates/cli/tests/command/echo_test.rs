//! The echo test over a path that loses datagrams, and on a terminal.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drystone::{Credential, Credentials, Event, Server, ServerConfig, ServerEvent};

use super::process::{client, client_arguments, scratch, server};

/// The first byte of a unified header with the epoch of application data, but for its flags (RFC 9147 section 4).
fn is_application_data(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0xe3 == 0x23)
}

/// Between a client and a server. Of the application data of each direction it loses those datagrams whose turn is named,
/// counted from 0; all but those of more than 300 bytes are let through uncounted, be they alerts or ACKs.
struct Relay {
    address: String,
    end: Arc<AtomicBool>,
    running: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(server: &str, lost_to_server: &'static [usize], lost_to_client: &'static [usize]) -> Self {
        let [near, far] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        far.connect(server).unwrap();
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        }
        let address = near.local_addr().unwrap().to_string();
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let running = thread::spawn(move || {
            let (mut buffer, mut client) = ([0; 2048], None::<SocketAddr>);
            let mut to_server = Loss { lost: lost_to_server, seen: 0 };
            let mut to_client = Loss { lost: lost_to_client, seen: 0 };
            while !ended.load(Ordering::Relaxed) {
                if let Ok((length, from)) = near.recv_from(&mut buffer) {
                    client = Some(from);
                    if !to_server.takes(&buffer[..length]) {
                        let _ = far.send(&buffer[..length]);
                    }
                }
                if let (Ok(length), Some(client)) = (far.recv(&mut buffer), client)
                    && !to_client.takes(&buffer[..length])
                {
                    let _ = near.send_to(&buffer[..length], client);
                }
            }
        });
        Self { address, end, running: Some(running) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        self.running.take().map(JoinHandle::join);
    }
}

struct Loss {
    lost: &'static [usize],
    seen: usize,
}

impl Loss {
    fn takes(&mut self, datagram: &[u8]) -> bool {
        if !is_application_data(datagram) || datagram.len() <= 300 {
            return false;
        }
        self.seen += 1;
        self.lost.contains(&(self.seen - 1))
    }
}

#[test]
fn what_is_lost_is_sent_again_and_counted() {
    let (_server, address, certificate) = server("lossy", &[]);
    let relay = Relay::start(&address, &[0, 9, 10], &[3, 17]);
    let run = client(&relay.address, &certificate, &["--echo-test", "80", "--json"], "");
    assert_eq!(run.code, 0, "{run:?}");
    let events = run.events();
    let report = events.iter().find(|event| event["event"] == "echo_test").unwrap();
    assert_eq!(report["packets"], 80);
    // On a busy machine an echo may be late, and count as lost until it comes.
    assert!((5..20).contains(&report["lost"].as_u64().unwrap()), "{report}");
}

/// The last packet has nobody behind it: only time can tell that it is lost.
#[test]
fn the_loss_of_the_last_packet_is_noticed_too() {
    let (_server, address, certificate) = server("lossy-last", &[]);
    let relay = Relay::start(&address, &[0], &[]);
    let run = client(&relay.address, &certificate, &["--echo-test", "1"], "");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out.contains("came back unchanged in ") && run.out.contains(" 1 lost and sent again"),
        "{run:?}"
    );
}

#[test]
fn no_packets_are_a_test_of_the_handshake() {
    let (server_process, address, certificate) = server("echo-none", &["--peers", "1"]);
    let run = client(&address, &certificate, &["--echo-test", "0"], "");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("echo test: no packets\n"), "{run:?}");
    let served = server_process.finish();
    assert!(served.code == 0 && served.events().iter().all(|event| event["event"] != "packet"), "{served:?}");
}

/// A server that sends nothing back, and goes after so many packets.
fn mute_server(certificate: &std::path::Path, packets: usize) -> (String, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, made.cert.pem()).unwrap();
    let key = drystone::x509::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let credential = Credential::new(vec![made.cert.der().clone()], &key).unwrap();
    let config = ServerConfig::new(drystone::settings(), Credentials::single(credential)).unwrap();
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), config.into()).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let listening = thread::spawn(move || {
        let mut seen = 0;
        while let Some(event) = server.poll(Duration::from_secs(60)).unwrap() {
            match event {
                ServerEvent::Packet(..) => seen += 1,
                ServerEvent::Connection(_, Event::Closed(_)) => return,
                _ => {}
            }
            if seen == packets {
                return;
            }
        }
        panic!("the client did not send close_notify");
    });
    (address, listening)
}

#[test]
fn a_server_that_does_not_echo_fails_the_echo_test() {
    let certificate = scratch("mute").join("server.pem");
    let (address, listening) = mute_server(&certificate, 16);
    let run = client(&address, &certificate, &["--echo-test", "20"], "");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("the server closed: 0 of 20 packets came back"), "{run:?}");
    listening.join().unwrap();

    let (address, listening) = mute_server(&certificate, usize::MAX);
    let run = client(&address, &certificate, &["--echo-test", "20", "--timeout", "2"], "");
    assert_eq!(run.code, 4, "{run:?}");
    listening.join().unwrap();
}

/// `script` gives the command a terminal; elsewhere the bar is not drawn, as all other tests see.
#[test]
#[cfg(target_os = "linux")]
fn progress_is_shown_on_a_terminal() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: script is not installed");
        return;
    }
    let (_server, address, certificate) = server("progress", &[]);
    let arguments = client_arguments(&address, &certificate, &["--echo-test", "3000"]);
    let line = [&[env!("CARGO_BIN_EXE_drystone")], arguments.as_slice()].concat().join(" ");
    let output =
        Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains(" of 3000 packets"), "{shown}");
    assert!(shown.contains("came back unchanged"), "{shown}");
}
