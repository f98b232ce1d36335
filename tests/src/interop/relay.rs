//! A UDP relay between one client and one server that measures the datagrams it carries, adds forged ones, and does one of
//! them harm if it is told to.
//!
//! It knows sizes and directions, and of what is inside whether it begins with a record of a handshake in DTLS 1.2. The
//! server sees the relay as one client, whichever client is behind it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::link::Direction;

/// How often a quiet relay looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// How long a datagram waits for one that overtakes it.
const HOLD: Duration = Duration::from_millis(250);

/// What happens, once, to one of the handshake's datagrams; the first of a direction has the index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is lost.
    Lose(Direction, usize),
    /// The next one of its direction overtakes it; without one it is late.
    Swap(Direction, usize),
}

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
    /// Datagrams of the handshake in each direction.
    handshake: [AtomicUsize; 2],
    fault: Option<Fault>,
    stop: AtomicBool,
}

impl Relay {
    /// Begins to relay to the server at this port of 127.0.0.1.
    ///
    /// # Errors
    /// If the operating system gives no sockets.
    pub fn start(server: u16) -> Result<Self, String> {
        Self::start_with(server, None)
    }

    /// The same, and one datagram meets with a fault.
    ///
    /// # Errors
    /// If the operating system gives no sockets.
    pub fn start_with(server: u16, fault: Option<Fault>) -> Result<Self, String> {
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
            handshake: [AtomicUsize::new(0), AtomicUsize::new(0)],
            fault,
            stop: AtomicBool::new(false),
        });
        let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || up.carry(Direction::ToServer));
        thread::spawn(move || down.carry(Direction::ToClient));
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

    /// How many datagrams of the handshake have come in each direction until now.
    pub fn handshake_datagrams(&self) -> [usize; 2] {
        self.shared.handshake.each_ref().map(|count| count.load(Ordering::Relaxed))
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

    fn carry(&self, direction: Direction) {
        let mut datagram = [0; 65_536];
        let mut held: Option<(Vec<u8>, Instant)> = None;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(bytes) = self.receive(direction, &mut datagram) {
                match self.fate(direction, bytes) {
                    Some(Fault::Lose(..)) => {}
                    Some(Fault::Swap(..)) => held = Some((bytes.to_vec(), Instant::now())),
                    None => {
                        self.send(direction, bytes);
                        if let Some((overtaken, _)) = held.take() {
                            self.send(direction, &overtaken);
                        }
                    }
                }
            }
            if let Some((late, _)) = held.take_if(|(_, since)| since.elapsed() > HOLD) {
                self.send(direction, &late);
            }
        }
    }

    fn receive<'b>(&self, direction: Direction, datagram: &'b mut [u8]) -> Option<&'b [u8]> {
        let (length, largest) = match direction {
            Direction::ToServer => {
                let (length, client) = self.front.recv_from(datagram).ok()?;
                *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
                (length, &self.from_client)
            }
            Direction::ToClient => (self.back.recv(datagram).ok()?, &self.from_server),
        };
        largest.fetch_max(length, Ordering::Relaxed);
        Some(&datagram[..length])
    }

    fn send(&self, direction: Direction, datagram: &[u8]) {
        let _ = match (direction, self.client()) {
            (Direction::ToServer, _) => self.back.send(datagram),
            (Direction::ToClient, Some(client)) => self.front.send_to(datagram, client),
            (Direction::ToClient, None) => Ok(0),
        };
    }

    /// Counts a datagram of the handshake. What happens to it, if anything does.
    fn fate(&self, direction: Direction, datagram: &[u8]) -> Option<Fault> {
        // ChangeCipherSpec and handshake messages (RFC 5246 section 6.2.1).
        if !matches!(datagram.first(), Some(20 | 22)) {
            return None;
        }
        let index = self.handshake[direction as usize].fetch_add(1, Ordering::Relaxed);
        self.fault.filter(|fault| match *fault {
            Fault::Lose(way, place) | Fault::Swap(way, place) => (way, place) == (direction, index),
        })
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

    #[test]
    fn one_datagram_of_the_handshake_meets_with_a_fault() {
        let lose = Fault::Lose(Direction::ToServer, 1);
        let swap = Fault::Swap(Direction::ToServer, 1);
        for (fault, expected) in [(lose, [1, 3, 4]), (swap, [1, 3, 2])] {
            let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
            let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
            let port = server.local_addr().expect("an address").port();
            let relay = Relay::start_with(port, Some(fault)).expect("a relay");
            for mark in 1..=4 {
                client.send_to(&[22, mark], (Ipv4Addr::LOCALHOST, relay.port)).expect("sent");
            }
            let mut bytes = [0; 100];
            let arrived = expected.map(|_| {
                server.recv(&mut bytes).expect("arrived");
                bytes[1]
            });
            assert_eq!(arrived, expected, "{fault:?}");
            // What is no handshake is carried as it is.
            client.send_to(&[23, 9], (Ipv4Addr::LOCALHOST, relay.port)).expect("sent");
            while server.recv(&mut bytes).expect("arrived") != 2 || bytes[0] != 23 {}
            assert_eq!(relay.handshake_datagrams(), [4, 0]);
        }
    }
}
