//! A rogue and its victim, face to face: nothing is lost and no time passes unless the test says so.

use core::time::Duration;

use drystone_handshake::Settings;
use drystone_handshake::crypto::Side;

use super::{Asks, CLIENT_STEPS, CLIENT_STEPS_13, Heard, Rogue, SERVER_STEPS, SERVER_STEPS_13, Step, Victim};
use crate::identity::{Identity, client_config, server_config, settings, settings_of_both};
use crate::scenario::other_identity;

/// Makes the rogue of one version.
type NewRogue = fn(Side, &Identity) -> Rogue;

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
        Self::client_12(settings())
    }

    /// Against our server in the usual settings, which has let the rogue in.
    pub fn usual_server() -> Self {
        Self::server_12(settings())
    }

    /// Against a client and against a server in the usual settings, both connected.
    pub fn usual_connected() -> [Self; 2] {
        Self::connected_12(settings)
    }

    /// A rogue of DTLS 1.2 against our client with these settings.
    pub fn client_12(settings: Settings) -> Self {
        Self::client(Rogue::new, settings)
    }

    /// A rogue of DTLS 1.2 against our server with these settings, which has let the rogue in.
    pub fn server_12(settings: Settings) -> Self {
        Self::server(Rogue::new, settings)
    }

    /// Against a client and against a server with these settings, both connected with DTLS 1.2.
    ///
    /// # Panics
    /// If they do not connect.
    pub fn connected_12(settings: impl Fn() -> Settings) -> [Self; 2] {
        let mut client = Self::client_12(settings());
        client.play(&SERVER_STEPS);
        let mut server = Self::server_12(settings());
        server.play(&CLIENT_STEPS);
        for duel in [&client, &server] {
            assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
        }
        [client, server]
    }

    /// A rogue of DTLS 1.3 against our client, which speaks both versions.
    pub fn usual_client_13() -> Self {
        Self::client_13(settings_of_both())
    }

    /// A rogue of DTLS 1.3 against our server, which speaks both versions and has let the rogue in.
    pub fn usual_server_13() -> Self {
        Self::server_13(settings_of_both())
    }

    /// Against a client and against a server that speak both versions, both connected with DTLS 1.3.
    pub fn usual_connected_13() -> [Self; 2] {
        Self::connected_13(settings_of_both)
    }

    /// A rogue of DTLS 1.3 against our client with these settings.
    pub fn client_13(settings: Settings) -> Self {
        Self::client(Rogue::new_13, settings)
    }

    /// A rogue of DTLS 1.3 against our server with these settings, which has let the rogue in.
    pub fn server_13(settings: Settings) -> Self {
        Self::server(Rogue::new_13, settings)
    }

    /// Against a client and against a server with these settings, both connected with DTLS 1.3, and with everything
    /// acknowledged.
    ///
    /// # Panics
    /// If they do not connect.
    pub fn connected_13(settings: impl Fn() -> Settings) -> [Self; 2] {
        let mut client = Self::client_13(settings());
        client.play(&SERVER_STEPS_13);
        let mut server = Self::server_13(settings());
        server.play(&CLIENT_STEPS_13);
        let mut duels = [client, server];
        for duel in &mut duels {
            assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
            duel.acknowledge();
            assert_eq!(duel.rogue.peer_finished, Some(true));
        }
        duels
    }

    /// A rogue client of DTLS 1.2 with a certificate, which a server that asks for one has let in.
    pub fn asking_server_12(settings: Settings, asks: Asks) -> Self {
        Self::let_in(Rogue::new(Side::Client, other_identity()), Victim::asking_server(settings, asks))
    }

    /// A rogue client of DTLS 1.3 with a certificate, which a server that asks for one has let in.
    pub fn asking_server_13(settings: Settings, asks: Asks) -> Self {
        Self::let_in(Rogue::new_13(Side::Client, other_identity()), Victim::asking_server(settings, asks))
    }

    fn client(rogue: NewRogue, settings: Settings) -> Self {
        let identity = Identity::p256();
        Self::between(rogue(Side::Server, identity), Victim::client(client_config(settings, identity)))
    }

    fn server(rogue: NewRogue, settings: Settings) -> Self {
        let identity = Identity::p256();
        Self::let_in(rogue(Side::Client, identity), Victim::server(server_config(settings, identity)))
    }

    fn let_in(rogue: Rogue, victim: Victim) -> Self {
        let mut duel = Self::between(rogue, victim);
        duel.greet();
        duel
    }

    /// The rogue is the server; the client's hello has arrived.
    pub fn with_client(victim: Victim, identity: &Identity) -> Self {
        Self::between(Rogue::new(Side::Server, identity), victim)
    }

    /// The rogue is the client, and has said nothing yet.
    pub fn with_server(victim: Victim, identity: &Identity) -> Self {
        Self::between(Rogue::new(Side::Client, identity), victim)
    }

    /// Any rogue against any victim; what a client says first has arrived.
    pub fn between(rogue: Rogue, victim: Victim) -> Self {
        let mut duel = Self { rogue, victim, datagrams: Vec::new() };
        duel.listen();
        duel
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

    /// The rogue acknowledges every record of the handshake that it has heard in the epochs of DTLS 1.3. Returns how many
    /// datagrams came back.
    pub fn acknowledge(&mut self) -> usize {
        let mut numbers = self.rogue.handshakes_heard().to_vec();
        numbers.retain(|number| number.epoch >= 2);
        let datagram = self.rogue.ack(&numbers);
        self.give(&datagram)
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

    /// The rogue says that its keys change, and changes them.
    pub fn update_rogue(&mut self) {
        let update = self.rogue.key_update();
        self.give(&update);
        self.rogue.next_keys();
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
