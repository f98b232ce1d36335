//! `drystone demo`: a server and a client in one process, over real UDP.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use drystone::x509::Policy;
use drystone::{
    Client, ClientConfig, ClientEvent, Clock, Credentials, Event, Server, ServerConfig, ServerEvent,
};

use crate::args::parse_name;
use crate::fault::Fault;
use crate::files;
use crate::report::{ConnectedReport, Report, Who};
use crate::reporter::Reporter;

const NAME: &str = "localhost";

/// What the server says to everybody who connects.
const WELCOME: &[u8] = b"welcome";

/// How long each side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// Round trips that are measured.
const ROUND_TRIPS: usize = 50;

pub(crate) fn run(reporter: Reporter) -> Result<(), Fault> {
    let made = files::self_signed(NAME)?;
    let anchors = made.certificate.trust_anchors().map_err(Fault::local)?;
    let server_config = ServerConfig::new(drystone::settings(), Credentials::single(made.credential));
    let client_config =
        ClientConfig::new(drystone::settings(), Policy::new(anchors)).map_err(Fault::local)?;

    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut server =
        Server::bind(loopback, Arc::new(server_config.map_err(Fault::local)?)).map_err(Fault::local)?;
    let address = server.local_addr().map_err(Fault::local)?;
    say("server", format_args!("listening on {address} with a fresh P-256 certificate for {NAME}"));

    let serving = thread::spawn(move || serve(&mut server));
    let visit = visit(address, client_config, reporter);
    let served = serving.join().map_err(|_| Fault::local("the server's thread panicked"))?;
    visit.and(served)
}

/// The client's side, from the first hello to close_notify.
fn visit(address: SocketAddr, config: ClientConfig, reporter: Reporter) -> Result<(), Fault> {
    let clock = Clock::new();
    let begin = clock.now();
    let mut client = Client::new(address, parse_name(NAME).map_err(Fault::Local)?, Arc::new(config))?;
    say("client", "handshaking");
    let connected = client.connected(PATIENCE)?;
    say("client", format_args!("connected after {} us", (clock.now() - begin).as_micros()));
    reporter.report(&Report::Connected(&ConnectedReport::new(&connected, Who::default())));

    say(
        "client",
        format_args!("the server says \"{}\"", String::from_utf8_lossy(&next_packet(&mut client)?)),
    );
    for size in [1, 100, client.connection().max_unfragmented_payload()] {
        round_trip(&mut client, &vec![b'x'; size])?;
        say("client", format_args!("a packet of {size} bytes came back unchanged"));
    }
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begin = clock.now();
        round_trip(&mut client, b"ping")?;
        times.push(clock.now() - begin);
    }
    times.sort_unstable();
    if let (Some(least), Some(median)) = (times.first(), times.get(ROUND_TRIPS / 2)) {
        let (least, median) = (least.as_micros(), median.as_micros());
        say(
            "client",
            format_args!("round-trip time: median {median} us, least {least} us, of {ROUND_TRIPS}"),
        );
    }
    client.close();
    say("client", "sent close_notify, disconnected");
    Ok(())
}

/// The server's side, until its first peer has gone.
fn serve(server: &mut Server) -> Result<(), Fault> {
    let mut copy = Vec::new();
    loop {
        let event = server.poll(PATIENCE).map_err(Fault::local)?;
        match event.ok_or_else(|| Fault::TimedOut("the server waited in vain".to_owned()))? {
            ServerEvent::Packet(peer, packet) => {
                copy.clear();
                copy.extend_from_slice(packet.payload);
                server.send(peer, &copy).map_err(Fault::local)?;
            }
            ServerEvent::Connection(peer, Event::Connected(_)) => {
                say("server", format_args!("peer {peer} connected"));
                server.send(peer, WELCOME).map_err(Fault::local)?;
            }
            ServerEvent::Connection(peer, Event::Closed(_)) => {
                say("server", format_args!("peer {peer} closed"));
                return Ok(());
            }
            ServerEvent::Connection(_, Event::Failed(error)) => return Err((&error).into()),
            _ => {}
        }
    }
}

/// Sends a packet and waits for exactly the same one.
fn round_trip(client: &mut Client, payload: &[u8]) -> Result<(), Fault> {
    client.send(payload).map_err(Fault::local)?;
    if next_packet(client)? == payload {
        Ok(())
    } else {
        Err(Fault::local("the echo differs from what was sent"))
    }
}

fn next_packet(client: &mut Client) -> Result<Vec<u8>, Fault> {
    match client.poll(PATIENCE)? {
        Some(ClientEvent::Packet(packet)) => Ok(packet.payload.to_vec()),
        Some(ClientEvent::Connection(Event::Failed(error))) => Err((&error).into()),
        Some(_) => Err(Fault::Handshake("the server closed too early".to_owned())),
        None => Err(Fault::TimedOut("no packet came from the server".to_owned())),
    }
}

fn say(who: &str, what: impl Display) {
    // A reader that went away does not make the demo fail.
    let _ = writeln!(io::stdout().lock(), "{who}: {what}");
}
