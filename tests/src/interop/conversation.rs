//! A conversation: a handshake, packets there and back, a goodbye.
//!
//! It knows the order of events. It must not know any program's arguments.

use super::process::{Process, Stream};
use super::relay::{Fault, Relay};
use super::side::Side;
use super::stack::{Client, Echo, PATIENCE, Server, Stack};
use serde_json::Value;

/// A server, a client, and how much they say to each other.
#[derive(Debug, Clone, Copy)]
pub struct Conversation<'a> {
    /// The program that serves, and its settings.
    pub server: (Stack, Side<'a>),
    /// The program that connects, and its settings.
    pub client: (Stack, Side<'a>),
    /// How many packets go each way.
    pub packets: usize,
    /// Length of the longest packet, in bytes; the shortest has 8.
    pub longest: usize,
}

/// What drystone said about a conversation.
#[derive(Debug)]
pub struct Report {
    /// Its `connected` event; `None` if drystone took no part.
    pub connected: Option<Value>,
}

impl Conversation<'_> {
    /// Holds the conversation: every packet must come back, both sides must end well, and if an MTU is set, no
    /// datagram may be larger.
    ///
    /// # Errors
    /// What went wrong first, with what the programs said.
    pub fn run(&self) -> Result<Report, String> {
        let mut server = self.server.0.serve(&self.server.1)?;
        let result = self.run_with(&mut server);
        result.map_err(|error| format!("{error}\n  the server:\n{}", server.process.transcript()))
    }

    /// Holds the conversation through a relay that does one datagram of the handshake harm. Returns how many datagrams the
    /// handshake had in each direction.
    ///
    /// # Errors
    /// What went wrong first, with what the programs said.
    pub fn run_through(&self, fault: Option<Fault>) -> Result<[usize; 2], String> {
        let mut server = self.server.0.serve(&self.server.1)?;
        let relay = Relay::start_with(server.port, fault)?;
        let result = self.run_at(relay.port, &mut server);
        result.map_err(|error| format!("{error}\n  the server:\n{}", server.process.transcript()))?;
        Ok(relay.handshake_datagrams())
    }

    fn run_with(&self, server: &mut Server) -> Result<Report, String> {
        let Some(limit) = self.client.1.mtu.max(self.server.1.mtu) else {
            return self.run_at(server.port, server);
        };
        let relay = Relay::start(server.port)?;
        let report = self.run_at(relay.port, server)?;
        let largest = relay.largest();
        if largest.from_client.max(largest.from_server) > usize::from(limit) {
            return Err(format!("datagrams above {limit} bytes: {largest:?}"));
        }
        Ok(report)
    }

    fn run_at(&self, port: u16, server: &mut Server) -> Result<Report, String> {
        let mut client = self.client.0.connect(&self.client.1, port)?;
        let connected = self.client.0.expect_connected(&mut client)?;
        let payloads: Vec<String> = (0..self.packets).map(|index| self.payload(index)).collect();
        for window in payloads.chunks(self.client.0.lines_at_once()) {
            exchange(server, &mut client, window)?;
        }
        self.say_goodbye(server, &mut client)?;
        let line = match (self.client.0, self.server.0) {
            (Stack::Drystone, _) => Some(connected),
            (_, Stack::Drystone) => event_line(&server.process),
            _ => None,
        };
        let connected =
            line.map(|line| serde_json::from_str(&line).map_err(|error| format!("{line}: {error}")));
        Ok(Report { connected: connected.transpose()? })
    }

    /// The client closes; nobody may take that for a failure.
    fn say_goodbye(&self, server: &mut Server, client: &mut Client) -> Result<(), String> {
        client.process.close_stdin();
        let exit = client.process.wait(PATIENCE)?;
        if exit.code != Some(0) {
            return Err(format!("the client ended with {:?}\n{}", exit.code, client.process.transcript()));
        }
        match self.server.0 {
            Stack::Drystone => match server.process.wait(PATIENCE)?.code {
                Some(0) => Ok(()),
                code => Err(format!("the server ended with {code:?}")),
            },
            // It prints this on a close_notify.
            Stack::OpenSsl => server.process.expect(Stream::Out, "DONE", PATIENCE).map(drop),
            // It says nothing about it, and goes on serving.
            Stack::GnuTls => Ok(()),
        }
    }

    /// Text that is different for each index, begins with a digit (the OpenSSL programs take some letters at the
    /// beginning of a line as commands) and gets longer from packet to packet.
    fn payload(&self, index: usize) -> String {
        const SHORTEST: usize = 8;
        let length = SHORTEST + self.longest.saturating_sub(SHORTEST) * index / self.packets.max(1);
        let digits = (index..).map(|position| char::from(b"0123456789abcdef"[position * position % 16]));
        format!("{index:05} ").chars().chain(digits).take(length).collect()
    }
}

/// Packets there and back, in order.
fn exchange(server: &mut Server, client: &mut Client, payloads: &[String]) -> Result<(), String> {
    for payload in payloads {
        client.process.write_line(payload)?;
    }
    for payload in payloads {
        if server.echo == Echo::ByHand {
            server.process.expect(Stream::Out, payload, PATIENCE)?;
            server.process.write_line(payload)?;
        }
        client.process.expect(Stream::Out, payload, PATIENCE)?;
    }
    Ok(())
}

fn event_line(process: &Process) -> Option<String> {
    let text = process.text(Stream::Out);
    text.lines().find(|line| line.contains(super::drystone::CONNECTED)).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_differ_and_grow() {
        let nobody = (Stack::Drystone, Side::default());
        let conversation = Conversation { server: nobody, client: nobody, packets: 200, longest: 1000 };
        let payloads: Vec<String> = (0..200).map(|index| conversation.payload(index)).collect();
        assert_eq!(payloads[0].len(), 8);
        assert!(payloads[199].len() > 990 && payloads[199].len() <= 1000);
        for (index, payload) in payloads.iter().enumerate() {
            assert!(payload.starts_with(&format!("{index:05} ")));
        }
    }
}
