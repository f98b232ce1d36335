//! An echo server in an event loop of one's own, here that of mio: `Endpoint` takes datagrams and time, and gives datagrams, a
//! deadline and events.

use std::io::ErrorKind::WouldBlock;
use std::{error::Error, sync::Arc};

use drystone::x509::{certificates_from_pem, private_key_from_pem};
use drystone::{Clock, Credential, Credentials, Endpoint, FourTuple, Incoming, ServerConfig, ServerOptions};
use mio::{Events, Interest, Poll, Token, net::UdpSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let chain = certificates_from_pem(&std::fs::read("certificate.pem")?)?;
    let key = private_key_from_pem(&std::fs::read("key.pem")?)?;
    let credentials = Credentials::single(Credential::new(chain, &key)?);
    let config = Arc::new(ServerConfig::new(drystone::settings(), credentials)?);
    let mut endpoint = Endpoint::server(config, ServerOptions::default())?;

    let address = std::env::args().nth(1).unwrap_or("0.0.0.0:4433".to_owned());
    let mut socket = UdpSocket::bind(address.parse()?)?;
    println!("listening on {}", socket.local_addr()?.port());
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;

    let clock = Clock::new();
    let (mut buffer, mut out) = ([0; 65_536], [0; 65_536]);
    loop {
        poll.poll(&mut events, endpoint.poll_timeout().map(|at| at - clock.now()))?;
        // Everything that is there, else mio does not tell of it again.
        loop {
            let (length, remote) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let mut incoming = Incoming::new(FourTuple::from(remote), &mut buffer[..length]);
            while let Some((peer, data)) = endpoint.receive(clock.start(), &mut incoming) {
                let transmit = endpoint.send(peer, data.payload, &mut out)?;
                let _ = socket.send_to(&out[..transmit.len], remote); // lost, as any datagram may be
            }
        }
        endpoint.handle_drained(clock.now());
        endpoint.handle_timeout(clock.now());
        while let Some(transmit) = endpoint.poll_transmit(clock.now(), &mut out) {
            let _ = socket.send_to(&out[..transmit.len], transmit.ends.remote);
        }
        while let Some(event) = endpoint.poll_event() {
            println!("{event:?}");
        }
    }
}
