//! A game's server: see the README.

use drystone::{CryptoKey, DtlsServer, PacketPeer, UdpServer, X509Certificate};
use std::{thread::sleep, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
    key.load("key.pem", false)?;
    certificate.load("certificate.pem")?;
    let port = std::env::args().nth(1).unwrap_or("4433".to_owned());
    let mut udp = UdpServer::new();
    udp.listen(port.parse()?, "*")?;
    println!("listening on {}", udp.get_local_port());
    let mut dtls = DtlsServer::new();
    dtls.setup(&key, &certificate, None)?;
    let mut peers = Vec::new();
    loop {
        peers.extend(std::iter::from_fn(|| dtls.accept(&mut udp)));
        for peer in &mut peers {
            peer.poll();
            while let Ok(packet) = peer.get_packet().map(<[u8]>::to_vec) {
                let _ = peer.put_packet(&packet); // lost, as any packet may be
            }
        }
        peers.retain(|peer| peer.get_status().is_active());
        sleep(Duration::from_millis(16));
    }
}
