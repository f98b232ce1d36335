//! `coap-client` of libcoap with GnuTLS against a server of ours: an event loop that reads one record for each expiry of its
//! timer. Each datagram of the handshake is lost once, and each pair of neighbours swapped.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drystone::x509::{certificates_from_pem, private_key_from_pem};
use drystone::{Credential, Credentials, Server, ServerConfig, ServerEvent};
use drystone_tests::interop::{
    Cell, Fault, KeyKind, Pki, Process, Relay, Stream, Table, faults, program_is_here,
};
use drystone_tests::link::Direction;

const CLIENT: &str = "coap-client-gnutls";

/// How long the client may take. Far more than a handshake needs, so that only one that hangs runs into it.
const PATIENCE: Duration = Duration::from_secs(120);

const ANSWER: &[u8] = b"answered";

/// The answer to a confirmable request: an acknowledgement with 2.05 Content and a payload (RFC 7252 sections 3 and 5.2.1).
fn answer(request: &[u8]) -> Option<Vec<u8>> {
    const CONFIRMABLE: u8 = 0;
    const ACKNOWLEDGEMENT: u8 = 0x20;
    const CONTENT: u8 = 2 << 5 | 5;
    const PAYLOAD_MARKER: u8 = 0xff;
    let [first, _, id_high, id_low, rest @ ..] = request else { return None };
    if first >> 4 & 3 != CONFIRMABLE {
        return None;
    }
    let token = rest.get(..usize::from(first & 15))?;
    let head = [0x40 | ACKNOWLEDGEMENT | first & 15, CONTENT, *id_high, *id_low];
    Some([&head, token, &[PAYLOAD_MARKER], ANSWER].concat())
}

/// Answers until it is told to stop.
fn serve(mut server: Server, stop: &AtomicBool) -> Result<(), String> {
    while !stop.load(Ordering::Relaxed) {
        let event = server.poll(Duration::from_millis(50)).map_err(|error| error.to_string())?;
        let reply = match event {
            Some(ServerEvent::Packet(peer, packet)) => answer(packet.payload).map(|reply| (peer, reply)),
            _ => None,
        };
        if let Some((peer, reply)) = reply {
            server.send(peer, &reply).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// One request and its answer. Returns how many datagrams the handshake had in each direction.
fn meet(config: Arc<ServerConfig>, root: &Path, fault: Option<Fault>) -> Result<[usize; 2], String> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(address, config).map_err(|error| error.to_string())?;
    let port = server.local_addr().map_err(|error| error.to_string())?.port();
    let relay = Relay::start_with(port, fault)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(server, &stop));
        let mut command = Command::new(CLIENT);
        command.args(["-m", "get", "-B", "60", "-R"]).arg(root).arg("-C").arg(root);
        command.arg(format!("coaps://127.0.0.1:{}/", relay.port));
        let outcome = Process::start(&mut command).and_then(|mut client| {
            let text = String::from_utf8_lossy(ANSWER);
            client.expect(Stream::Out, &text, PATIENCE).map(drop)
        });
        stop.store(true, Ordering::Relaxed);
        let served = serving.join().map_err(|_| "the server panicked".to_owned())?;
        outcome.and(served)
    })?;
    Ok(relay.handshake_datagrams())
}

fn config(pki: &Pki) -> Arc<ServerConfig> {
    let identity = pki.server(KeyKind::P256);
    let read = |path: &Path| std::fs::read(path).expect("a file of the test's own");
    let chain = certificates_from_pem(&read(&identity.chain)).expect("certificates");
    let key = private_key_from_pem(&read(&identity.key)).expect("a key");
    let credential = Credential::new(chain, &key).expect("they fit");
    Arc::new(
        ServerConfig::new(drystone::settings(), Credentials::single(credential)).expect("settings that work"),
    )
}

#[test]
fn a_client_that_reads_one_record_per_timer_survives_every_single_fault() {
    if !program_is_here(CLIENT) || !program_is_here("openssl") {
        return;
    }
    let pki =
        Pki::make(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("coap")).expect("certificates can be made");
    let config = config(&pki);
    let datagrams = meet(Arc::clone(&config), &pki.root, None).expect("a request is answered");
    assert!(
        datagrams[Direction::ToServer as usize] >= 5,
        "GnuTLS sends each message by itself: {datagrams:?}"
    );
    let cells = faults(datagrams).into_iter().map(|fault| {
        let (config, root) = (Arc::clone(&config), &pki.root);
        Cell::new(format!("{fault:?}"), "coap-client", move || meet(config, root, Some(fault)).map(drop))
    });
    Table::fill_at_once("coap-client with GnuTLS, drystone server", cells.collect()).finish();
}
