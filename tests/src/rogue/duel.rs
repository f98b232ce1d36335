//! A rogue and its victim, face to face: nothing is lost and no time passes unless the test says so.

use core::time::Duration;

use drystone_handshake::crypto::Side;

use super::{CLIENT_STEPS, Heard, Rogue, SERVER_STEPS, Step, Victim};
use crate::identity::{Identity, client_config, server_config, settings};

/// A rogue and its victim, face to face: nothing is lost and no time passes unless the test says so.
#[derive(Debug)]
pub struct Duel {
    /// The rogue.
    pub rogue: Rogue,
    /// The victim.
    pub victim: Victim,
    /// Datagrams that the victim has sent.
    pub datagrams: Vec<Vec<u8>>,
}

impl Duel {
    /// Against our client in the usual settings.
    pub fn usual_client() -> Self {
        let identity = Identity::p256();
        Self::with_client(Victim::client(client_config(settings(), identity)), identity)
    }

    /// Against our server in the usual settings, which has let the rogue in.
    pub fn usual_server() -> Self {
        let identity = Identity::p256();
        let mut duel = Self::with_server(Victim::server(server_config(settings(), identity)), identity);
        duel.greet();
        duel
    }

    /// Against a client and against a server in the usual settings, both connected.
    ///
    /// # Panics
    /// If they do not connect.
    pub fn usual_connected() -> [Self; 2] {
        let mut client = Self::usual_client();
        client.play(&SERVER_STEPS);
        let mut server = Self::usual_server();
        server.play(&CLIENT_STEPS);
        assert!(client.victim.is_connected() && server.victim.is_connected());
        [client, server]
    }

    /// The rogue is the server; the client's hello has arrived.
    pub fn with_client(victim: Victim, identity: &Identity) -> Self {
        let mut duel = Self { rogue: Rogue::new(Side::Server, identity), victim, datagrams: Vec::new() };
        duel.listen();
        duel
    }

    /// The rogue is the client, and has said nothing yet.
    pub fn with_server(victim: Victim, identity: &Identity) -> Self {
        Self { rogue: Rogue::new(Side::Client, identity), victim, datagrams: Vec::new() }
    }

    /// The rogue hears what the victim has to send now.
    pub fn listen(&mut self) {
        let output = self.victim.take_output();
        self.note(output);
    }

    fn note(&mut self, output: Vec<Vec<u8>>) {
        self.rogue.hear(&output);
        self.datagrams.extend(output);
    }

    /// Gives the victim a datagram; the rogue hears the answer. Returns how many datagrams came back.
    pub fn give(&mut self, datagram: &[u8]) -> usize {
        let output = self.victim.give(datagram);
        let count = output.len();
        self.note(output);
        count
    }

    /// Performs steps, each in a datagram of its own.
    pub fn play(&mut self, steps: &[Step]) {
        for step in steps {
            let datagram = self.rogue.perform(*step);
            self.give(&datagram);
        }
    }

    /// Lets time pass at the victim; the rogue hears what it sends. Returns how many datagrams.
    pub fn pass(&mut self, time: Duration) -> usize {
        let output = self.victim.pass(time);
        let count = output.len();
        self.note(output);
        count
    }

    /// The rogue client says hello, with the server's cookie if it is asked for one.
    pub fn greet(&mut self) {
        self.play(&[Step::ClientHello]);
        if self.victim.connection.is_none() {
            self.play(&[Step::ClientHello]);
        }
    }

    /// The victim gets application data under the keys, and the rogue gets its own.
    pub fn talk(&mut self) {
        let datagram = self.rogue.data(b"from the rogue");
        self.give(&datagram);
        assert_eq!(self.victim.received.pop().as_deref(), Some(&b"from the rogue"[..]));
        let datagram = self.victim.send(b"from the victim");
        self.note(vec![datagram]);
        assert_eq!(self.rogue.heard.pop(), Some(Heard::Data(b"from the victim".to_vec())));
    }
}
