//! One cell of a table: the same meeting many times, over a bad network. Owns what every meeting must show.

use core::time::Duration;

use drystone_handshake::ProtocolVersion;

use super::{Facts, Fault, FirstAnswer, Maker, Meeting, Plan, Stack};
use crate::link::{Direction, Link, LinkSettings};

/// Lost in each direction, besides what is late or comes twice.
const LOSS: f64 = 0.1;

/// Simulated time for one meeting: long enough for every number of retransmissions that chance may ask for.
const LIMIT: Duration = Duration::from_secs(600);

/// After so long the last flight of a handshake has been acknowledged, whatever got lost of it.
const SETTLED: Duration = Duration::from_secs(60);

/// Fits the smallest datagram with its record's overhead.
const PAYLOAD: usize = 150;

/// A label for exporters that no protocol uses.
const LABEL: &str = "EXPERIMENTAL drystone interop";

/// A client and a server, what they settle, and what they do once connected.
#[derive(Clone)]
pub(super) struct Encounter<'a> {
    pub(super) client: (&'a dyn Stack, Plan),
    pub(super) server: (&'a dyn Stack, Plan),
    pub(super) version: ProtocolVersion,
    /// What both must agree on, besides the version.
    pub(super) expected: Facts,
    /// The server wants a key share of another group.
    pub(super) other_group: bool,
    pub(super) act: Act,
}

/// What happens once both are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// They talk.
    Talk,
    /// The side from which this direction leads changes its keys twice while they talk.
    Rekey { sender: Direction, request_peer: bool },
}

impl Encounter<'_> {
    /// One meeting over a perfect network, and `count` over a bad one.
    ///
    /// # Errors
    /// The first meeting that did not go as it should; if one side has a known fault, only if too many did not.
    pub(super) fn run(&self, count: u64) -> Result<(), String> {
        let client = self.client.0.client(&self.client.1)?;
        let server = self.server.0.server(&self.server.1)?;
        self.meet(&client, &server, None).map_err(|error| format!("without loss: {error}"))?;
        let mut failures_left =
            self.fault().map_or(0, |(_, fault)| (count as f64 * fault.share).ceil() as u64);
        for seed in 0..count {
            if let Err(error) = self.meet(&client, &server, Some(seed)) {
                failures_left = failures_left
                    .checked_sub(1)
                    .ok_or_else(|| format!("{:.0} % loss, seed {seed}: {error}", LOSS * 100.0))?;
            }
        }
        Ok(())
    }

    /// Who has a known fault in such meetings over a bad network.
    pub(super) fn fault(&self) -> Option<(&'static str, Fault)> {
        let sides = [(&self.client, false), (&self.server, true)];
        sides.into_iter().find_map(|((stack, plan), serves)| {
            Some((stack.name(), stack.fault_under_loss(self.version, serves, plan)?))
        })
    }

    fn meet(&self, client: &Maker, server: &Maker, seed: Option<u64>) -> Result<(), String> {
        let settings = seed.map_or_else(LinkSettings::perfect, |_| LinkSettings::lossy(LOSS));
        // Who sends too much shall be a failed cell and not a panic.
        let link = Link::new(seed.unwrap_or(0), LinkSettings { mtu: usize::MAX, ..settings });
        let mut meeting = Meeting::new(client, server, link, LIMIT);
        meeting.connect()?;
        self.check(&meeting)?;
        talk(&mut meeting, 0)?;
        if let Act::Rekey { sender, request_peer } = self.act {
            self.rekey(&mut meeting, sender, request_peer)?;
        }
        if seed.is_none() {
            goodbye(&mut meeting)?;
        }
        self.check_sizes(&meeting)
    }

    /// What both say about the handshake, and what the network saw of it.
    fn check(&self, meeting: &Meeting) -> Result<(), String> {
        let version = Some(self.version);
        let sides = [
            ("client", meeting.client.facts(), &self.server.1),
            ("server", meeting.server.facts(), &self.client.1),
        ];
        for (side, facts, peer) in sides {
            let facts = facts.ok_or_else(|| format!("the {side} does not say what was settled"))?;
            let certificate = peer.identity.map_or_else(Vec::new, |identity| identity.chain[0].to_vec());
            let expected = Facts { version, peer_certificate: Some(certificate), ..self.expected.clone() };
            facts.agree_with(&expected).map_err(|error| format!("at the {side}: {error}"))?;
        }
        if let [Some(one), Some(other)] = [meeting.client.export(LABEL), meeting.server.export(LABEL)]
            && one != other
        {
            return Err("the exporters differ".to_owned());
        }
        self.check_retries(meeting)
    }

    fn check_retries(&self, meeting: &Meeting) -> Result<(), String> {
        let cookie = self.server.0.first_answer(self.version) == FirstAnswer::Cookie;
        if !cookie && self.server.1.groups.is_empty() {
            // The server's choice: it may like another group of the client's better than the one of its share.
            return Ok(());
        }
        let old = self.version.is_at_most(ProtocolVersion::DTLS_1_2);
        let expected = (old && cookie, !old && (cookie || self.other_group));
        let seen = (meeting.wire.verify_requests > 0, meeting.wire.retry_requests > 0);
        if seen == expected {
            return Ok(());
        }
        Err(format!("(HelloVerifyRequest, HelloRetryRequest) were {seen:?}, not {expected:?}"))
    }

    /// Two changes of keys, with application data before, between and after in both directions.
    fn rekey(&self, meeting: &mut Meeting, sender: Direction, request_peer: bool) -> Result<(), String> {
        // BoringSSL forgets what a KeyUpdate asks for while its Finished is not acknowledged: an enum with the value 2 in a
        // signed bit field of two (ssl/internal.h, `queued_key_update`).
        meeting.run_for(SETTLED)?;
        for change in 1..=2 {
            let epoch = meeting.wire.epoch(sender) + 1;
            let now = meeting.clock.now();
            meeting.sender(sender).update_keys(now, request_peer)?;
            // The keys change when the KeyUpdate is acknowledged (RFC 9147 section 8), which the next packet shows.
            talk_until(meeting, sender, epoch)?;
            if request_peer {
                talk_until(meeting, sender.opposite(), 3 + change)?;
            }
        }
        talk(meeting, 3)
    }

    fn check_sizes(&self, meeting: &Meeting) -> Result<(), String> {
        for (direction, plan) in
            [(Direction::ToServer, &self.client.1), (Direction::ToClient, &self.server.1)]
        {
            let largest = meeting.wire.largest(direction);
            if largest > plan.mtu {
                return Err(format!("a datagram of {largest} bytes {direction:?}, MTU {}", plan.mtu));
            }
        }
        Ok(())
    }
}

/// Packets both ways until this sender has reached this epoch.
fn talk_until(meeting: &mut Meeting, sender: Direction, epoch: u64) -> Result<(), String> {
    while meeting.wire.epoch(sender) < epoch {
        if meeting.clock.now() > LIMIT {
            return Err(format!("{sender:?} stays in epoch {} and not {epoch}", meeting.wire.epoch(sender)));
        }
        talk(meeting, epoch as u8)?;
    }
    Ok(())
}

/// A packet each way.
fn talk(meeting: &mut Meeting, mark: u8) -> Result<(), String> {
    for direction in Direction::BOTH {
        let payload: Vec<u8> =
            (0..PAYLOAD).map(|index| index as u8 ^ mark.rotate_left(4) ^ direction as u8).collect();
        meeting.deliver(direction, &payload)?;
    }
    Ok(())
}

/// The client closes; the server must understand that.
fn goodbye(meeting: &mut Meeting) -> Result<(), String> {
    let now = meeting.clock.now();
    meeting.client.close(now)?;
    meeting.run_for(Duration::from_secs(1))?;
    if meeting.server.peer_has_closed() { Ok(()) } else { Err("the server missed close_notify".to_owned()) }
}
