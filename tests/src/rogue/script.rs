//! The honest course of a handshake in each version, and the victims that have come so far in it: for threats that are the
//! same in both versions.

use drystone_handshake::ProtocolVersion;

use super::{CLIENT_STEPS, CLIENT_STEPS_13, Duel, SERVER_STEPS, SERVER_STEPS_13, Step};

/// A victim, and what an honest peer has still to do until it is connected.
pub type Scene = (Duel, &'static [Step]);

/// The honest course of a handshake in one version.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The version.
    pub version: ProtocolVersion,
    client: fn() -> Duel,
    server: fn() -> Duel,
    connected: fn() -> [Duel; 2],
    server_steps: &'static [Step],
    client_steps: &'static [Step],
}

impl Script {
    /// That of DTLS 1.2.
    pub const V12: Self = Self {
        version: ProtocolVersion::DTLS_1_2,
        client: Duel::usual_client,
        server: Duel::usual_server,
        connected: Duel::usual_connected,
        server_steps: &SERVER_STEPS,
        client_steps: &CLIENT_STEPS,
    };

    /// That of DTLS 1.3.
    pub const V13: Self = Self {
        version: ProtocolVersion::DTLS_1_3,
        client: Duel::usual_client_13,
        server: Duel::usual_server_13,
        connected: Duel::usual_connected_13,
        server_steps: &SERVER_STEPS_13,
        client_steps: &CLIENT_STEPS_13,
    };

    /// Both.
    pub const BOTH: [Self; 2] = [Self::V12, Self::V13];

    /// A client that has said hello, and a server that has let the rogue in.
    pub fn beginnings(&self) -> [Scene; 2] {
        [((self.client)(), self.server_steps), ((self.server)(), self.client_steps)]
    }

    /// A client and a server for which nothing but Finished is missing.
    ///
    /// # Panics
    /// If another step comes last.
    pub fn before_finished(&self) -> [Duel; 2] {
        self.beginnings().map(|(mut duel, steps)| {
            let [before @ .., Step::Finished] = steps else { panic!("Finished comes last") };
            duel.play(before);
            duel
        })
    }

    /// Victims in every state of the handshake, of both roles.
    pub fn states(&self) -> Vec<Scene> {
        let roles = [(self.client, self.server_steps), (self.server, self.client_steps)];
        let state = |begin: fn() -> Duel, steps: &'static [Step], place| {
            let mut duel = begin();
            duel.play(&steps[..place]);
            (duel, &steps[place..])
        };
        roles
            .into_iter()
            .flat_map(|(begin, steps)| (0..=steps.len()).map(move |place| state(begin, steps, place)))
            .collect()
    }

    /// A client and a server, both connected.
    pub fn connected(&self) -> [Duel; 2] {
        (self.connected)()
    }
}
