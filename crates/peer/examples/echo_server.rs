//! Sends back every packet of every client.
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
//!     -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost" -keyout key.pem -out certificate.pem
//! cargo run --example echo_server -- key.pem certificate.pem 4433
//! ```

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use drystone::{CryptoKey, DtlsServer, PacketPeer, PacketPeerDtls, UdpServer, X509Certificate};

const USAGE: &str = "usage: echo_server KEY.pem CERTIFICATE.pem [PORT]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let key_file = arguments.next().ok_or(USAGE)?;
    let certificate_file = arguments.next().ok_or(USAGE)?;
    let port = arguments.next().map_or(Ok(4433), |port| port.parse())?;

    let mut key = CryptoKey::new();
    key.load(&key_file, false)?;
    let mut certificate = X509Certificate::new();
    certificate.load(&certificate_file)?;

    let mut udp = UdpServer::new();
    udp.listen(port, "127.0.0.1")?;
    let mut dtls = DtlsServer::new();
    dtls.setup(&key, &certificate, None)?;
    println!("listening on {}", udp.get_local_port());

    let mut peers: Vec<PacketPeerDtls> = Vec::new();
    loop {
        while let Some(peer) = dtls.accept(&mut udp) {
            peers.push(peer);
        }
        for peer in &mut peers {
            peer.poll();
            echo(peer);
        }
        peers.retain(|peer| {
            if let Some(reason) = peer.error() {
                println!("a client is gone: {reason}");
            }
            peer.get_status().is_active()
        });
        sleep(Duration::from_millis(5));
    }
}

fn echo(peer: &mut PacketPeerDtls) {
    while let Ok(packet) = peer.get_packet() {
        let packet = packet.to_vec();
        if let Err(error) = peer.put_packet(&packet) {
            println!("a packet is lost: {error}");
        }
    }
}
