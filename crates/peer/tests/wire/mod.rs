//! A client in slow motion: each datagram is sent and received by hand, and several associations can share a socket.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use drystone::x509::ServerName;
use drystone::{ClientConfig, Clock, Connection, Datagram, Path};

pub(crate) struct Wire {
    socket: Arc<UdpSocket>,
    connection: Connection,
    clock: Clock,
}

impl Wire {
    /// A client on a socket of its own. Nothing is sent yet.
    pub(crate) fn new(server: SocketAddr, config: Arc<ClientConfig>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server).unwrap();
        Self::on(Arc::new(socket), config)
    }

    /// Another client on the same socket, as if this one had lost its state.
    pub(crate) fn again(&self, config: Arc<ClientConfig>) -> Self {
        Self::on(Arc::clone(&self.socket), config)
    }

    fn on(socket: Arc<UdpSocket>, config: Arc<ClientConfig>) -> Self {
        let clock = Clock::new();
        let name = ServerName::try_from("localhost").unwrap();
        Self { socket, connection: Connection::client(config, name, clock.start()).unwrap(), clock }
    }

    /// The datagrams that the client wants to send.
    pub(crate) fn take_datagrams(&mut self) -> Vec<Vec<u8>> {
        let mut out = [0; 2048];
        let mut datagrams = Vec::new();
        while let Some(transmit) = self.connection.poll_transmit(self.clock.now(), &mut out) {
            datagrams.push(out[..transmit.len].to_vec());
        }
        datagrams
    }

    /// Sends what there is to send; how many bytes that was.
    pub(crate) fn flush(&mut self) -> usize {
        let datagrams = self.take_datagrams();
        datagrams.iter().for_each(|datagram| self.send_raw(datagram));
        datagrams.concat().len()
    }

    pub(crate) fn send_raw(&self, datagram: &[u8]) {
        self.socket.send(datagram).unwrap();
    }

    pub(crate) fn receive_raw(&self, wait: Duration) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    /// Takes in one datagram, which must come.
    pub(crate) fn receive_one(&mut self) {
        let datagram = self.receive_raw(Duration::from_secs(5)).expect("no datagram came");
        self.take_in(datagram);
    }

    /// Lets the other side act in turns with this one, until both are connected.
    pub(crate) fn run_until_connected<T>(&mut self, mut other_side: impl FnMut() -> T) {
        for _ in 0..1000 {
            self.connection.handle_timeout(self.clock.now());
            self.flush();
            other_side();
            while let Some(datagram) = self.receive_raw(Duration::from_millis(5)) {
                self.take_in(datagram);
            }
            if self.connection.is_connected() {
                // A client of DTLS 1.3 is connected before its server is: that one needs the client's last flight, and
                // answers with an ACK.
                self.flush();
                other_side();
                while let Some(datagram) = self.receive_raw(Duration::from_millis(5)) {
                    self.take_in(datagram);
                }
                return;
            }
        }
        panic!("not connected: {:?}", self.connection.error());
    }

    /// Sends one packet.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        let mut out = [0; 2048];
        let length = self.connection.send(payload, &mut out).unwrap();
        self.send_raw(&out[..length]);
    }

    fn take_in(&mut self, mut datagram: Vec<u8>) {
        let mut datagram = Datagram::new(Path::default(), &mut datagram);
        while self.connection.receive(self.clock.now(), &mut datagram).is_some() {}
    }
}
