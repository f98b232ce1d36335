//! Sends a few packets to an echo server and prints what comes back.
//!
//! ```sh
//! cargo run --example echo_client -- 127.0.0.1 4433 certificate.pem
//! ```

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use drystone::{PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, X509Certificate};

const USAGE: &str = "usage: echo_client HOST PORT CERTIFICATE.pem";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or(USAGE)?;
    let port = arguments.next().ok_or(USAGE)?.parse()?;
    let mut certificate = X509Certificate::new();
    certificate.load(arguments.next().ok_or(USAGE)?)?;

    let mut udp = PacketPeerUdp::new();
    udp.connect_to_host(&host, port)?;
    let mut peer = PacketPeerDtls::new();
    peer.connect_to_peer(udp, true, "localhost", Some(&certificate))?;

    let mut sent = 0;
    let mut received = 0;
    while received < 10 {
        peer.poll();
        while let Ok(packet) = peer.get_packet() {
            println!("{}", String::from_utf8_lossy(packet));
            received += 1;
        }
        match peer.get_status() {
            Status::Handshaking => {}
            // One packet per frame; a lost one is sent once more.
            Status::Connected => {
                peer.put_packet(format!("packet {}", sent % 10).as_bytes())?;
                sent += 1;
            }
            _ => return Err(peer.error().map_or("closed".to_owned(), ToString::to_string).into()),
        }
        sleep(Duration::from_millis(16));
    }
    peer.disconnect_from_peer();
    Ok(())
}
