//! A UDP relay between one client and one server that measures the datagrams it carries, and adds forged ones.
//!
//! It knows sizes and directions, nothing of what is inside. The server sees the relay as one client, whichever client
//! is behind it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a quiet relay looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// Carries datagrams until it is dropped.
#[derive(Debug)]
pub struct Relay {
    /// Where the client connects.
    pub port: u16,
    shared: Arc<Shared>,
}

/// The largest datagram in each direction, in bytes of UDP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Largest {
    pub(super) from_client: usize,
    pub(super) from_server: usize,
}

#[derive(Debug)]
struct Shared {
    /// Faces the client.
    front: UdpSocket,
    /// Faces the server, and is connected to it.
    back: UdpSocket,
    client: Mutex<Option<SocketAddr>>,
    from_client: AtomicUsize,
    from_server: AtomicUsize,
    stop: AtomicBool,
}

impl Relay {
    /// Begins to relay to the server at this port of 127.0.0.1.
    ///
    /// # Errors
    /// If the operating system gives no sockets.
    pub fn start(server: u16) -> Result<Self, String> {
        let error = |error: io::Error| format!("relay: {error}");
        let socket = || {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
                socket.set_read_timeout(Some(TICK))?;
                Ok(socket)
            })
        };
        let (front, back) = (socket().map_err(error)?, socket().map_err(error)?);
        back.connect((Ipv4Addr::LOCALHOST, server)).map_err(error)?;
        let port = front.local_addr().map_err(error)?.port();
        let shared = Arc::new(Shared {
            front,
            back,
            client: Mutex::new(None),
            from_client: AtomicUsize::new(0),
            from_server: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || up.carry_up());
        thread::spawn(move || down.carry_down());
        Ok(Self { port, shared })
    }

    /// Sends a datagram to the server as if it came from the client.
    ///
    /// # Errors
    /// If the operating system does not take it.
    pub fn forge_to_server(&self, datagram: &[u8]) -> Result<(), String> {
        self.shared.back.send(datagram).map(drop).map_err(|error| format!("relay: {error}"))
    }

    /// Sends a datagram to the client that was heard last as if it came from the server.
    ///
    /// # Errors
    /// If there was no client yet or the operating system does not take it.
    pub fn forge_to_client(&self, datagram: &[u8]) -> Result<(), String> {
        let client = self.shared.client().ok_or("relay: no client yet")?;
        self.shared.front.send_to(datagram, client).map(drop).map_err(|error| format!("relay: {error}"))
    }

    /// What was seen until now.
    pub(super) fn largest(&self) -> Largest {
        Largest {
            from_client: self.shared.from_client.load(Ordering::Relaxed),
            from_server: self.shared.from_server.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn client(&self) -> Option<SocketAddr> {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Errors other than a quiet socket are a refused datagram of a side that has ended: the relay behaves like a
    // network and says nothing.

    fn carry_up(&self) {
        let mut datagram = [0; 65_536];
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok((length, client)) = self.front.recv_from(&mut datagram) {
                *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
                self.from_client.fetch_max(length, Ordering::Relaxed);
                let _ = self.back.send(&datagram[..length]);
            }
        }
    }

    fn carry_down(&self) {
        let mut datagram = [0; 65_536];
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok(length) = self.back.recv(&mut datagram) {
                self.from_server.fetch_max(length, Ordering::Relaxed);
                if let Some(client) = self.client() {
                    let _ = self.front.send_to(&datagram[..length], client);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_and_measures_both_ways() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let relay = Relay::start(server.local_addr().expect("an address").port()).expect("a relay");
        let mut bytes = [0; 100];
        for length in [3, 7, 5] {
            client.send_to(&[1; 100][..length], (Ipv4Addr::LOCALHOST, relay.port)).expect("sent");
            let (arrived, from) = server.recv_from(&mut bytes).expect("arrived");
            assert_eq!(arrived, length);
            server.send_to(&[2; 100][..length + 1], from).expect("sent");
            assert_eq!(client.recv(&mut bytes).expect("came back"), length + 1);
        }
        assert_eq!(relay.largest(), Largest { from_client: 7, from_server: 8 });
        relay.forge_to_server(b"forged").expect("sent");
        assert_eq!(server.recv(&mut bytes).expect("arrived"), 6);
        relay.forge_to_client(b"forged too").expect("sent");
        assert_eq!(client.recv(&mut bytes).expect("arrived"), 10);
    }
}
