//! The feature `tracing`: what a handshake tells a subscriber, and that packets tell it nothing.
#![cfg(feature = "tracing")]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use drystone::x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors};
use drystone::{
    Client, ClientConfig, ClientEvent, Credential, Credentials, Event, Server, ServerConfig, ServerEvent,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes down every event and every span of the libraries.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl Witness {
    fn write(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{} {}", metadata.target(), metadata.level()));
        record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn saw(&self, parts: &[&str]) -> bool {
        self.0.lock().unwrap().iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Witness {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        self.write(event.metadata(), |line| event.record(line));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn configs() -> (ClientConfig, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut anchors = TrustAnchors::new();
    anchors.add(made.cert.der().clone()).unwrap();
    let credential = Credential::new(vec![made.cert.der().clone()], &key).unwrap();
    (
        ClientConfig::new(drystone::settings(), Policy::new(anchors)).unwrap(),
        ServerConfig::new(drystone::settings(), Credentials::single(credential)).unwrap(),
    )
}

/// Echoes until its only peer has gone.
fn serve(mut server: Server) {
    loop {
        let echo = match server.poll(PATIENCE).unwrap().expect("the client is silent") {
            ServerEvent::Packet(peer, packet) => (peer, packet.payload.to_vec()),
            ServerEvent::Connection(_, Event::Closed(_)) => return,
            _ => continue,
        };
        server.send(echo.0, &echo.1).unwrap();
    }
}

fn round_trip(client: &mut Client) {
    client.send(b"ping").unwrap();
    match client.poll(PATIENCE).unwrap() {
        Some(ClientEvent::Packet(packet)) => assert_eq!(packet.payload, b"ping"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn handshakes_are_told_and_packets_are_not() {
    let witness = Witness::default();
    tracing::subscriber::set_global_default(witness.clone()).unwrap();
    let (client_config, server_config) = configs();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Arc::new(server_config)).unwrap();
    let address = server.local_addr().unwrap();
    let serving = thread::spawn(move || serve(server));
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = Client::new(address, name, Arc::new(client_config)).unwrap();
    client.connected(PATIENCE).unwrap();
    round_trip(&mut client);
    let before = witness.count();
    for _ in 0..100 {
        round_trip(&mut client);
    }
    // On a busy machine a late retransmission or ACK of the handshake may still come.
    let told = witness.count() - before;
    assert!(told < 20, "200 packets told {told} times: {:?}", &witness.0.lock().unwrap()[before..]);
    client.close();
    serving.join().unwrap();

    let address = format!("address={address}");
    for parts in [
        ["drystone DEBUG", "calling", address.as_str()].as_slice(),
        &["drystone_handshake DEBUG", "sent ClientHello", "message_seq=0"],
        &["drystone_handshake TRACE", "answered a ClientHello without a good cookie"],
        &["drystone_handshake DEBUG", "received HelloRetryRequest"],
        &["drystone_handshake TRACE", "accepted a ClientHello with a good cookie"],
        &["drystone DEBUG", "id=1", "address=127.0.0.1:"],
        &["drystone_handshake DEBUG", "sent Finished"],
        &["drystone_handshake DEBUG", "connected", "side=\"client\"", "version=DTLS 1.3"],
        &["drystone_handshake DEBUG", "connected", "side=\"server\""],
        &["drystone DEBUG", "peer connected", "id=1"],
        &["drystone_handshake DEBUG", "received alert close_notify"],
        &["drystone DEBUG", "peer closed", "id=1"],
    ] {
        assert!(witness.saw(parts), "{parts:?} is missing: {:#?}", witness.0.lock().unwrap());
    }
}
