//! A game's client: see the README.

use drystone::{PacketError, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, X509Certificate};
use std::{thread::sleep, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or("4433".to_owned());
    let mut trusted = X509Certificate::new();
    trusted.load("certificate.pem")?;
    let mut udp = PacketPeerUdp::new();
    udp.connect_to_host("127.0.0.1", port.parse()?)?;
    let mut peer = PacketPeerDtls::new();
    peer.connect_to_peer(udp, true, "localhost", Some(&trusted))?;
    while peer.get_status().is_active() {
        peer.poll();
        while let Ok(packet) = peer.get_packet() {
            println!("{} bytes", packet.len());
        }
        if peer.get_status() == Status::Connected {
            match peer.put_packet(b"here I am") {
                Ok(()) | Err(PacketError::Busy) => {} // the socket's queue is full: the next frame tries again
                Err(error) => return Err(error.into()),
            }
        }
        sleep(Duration::from_millis(16));
    }
    println!("{:?}, {:?}", peer.get_status(), peer.error());
    Ok(())
}
