//! `drystone server`: sends every packet of every peer back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use drystone::{CloseReason, Event, PeerId, SendError, Server, ServerEvent, ServerOptions};

use crate::args::ServerArgs;
use crate::fault::Fault;
use crate::pace::Pace;
use crate::report::{ConnectedReport, Content, Report, Reporter};
use crate::settings;

/// How long to wait where nothing bounds the run.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn run(arguments: &ServerArgs, reporter: Reporter) -> Result<(), Fault> {
    let config = Arc::new(settings::server(arguments, reporter)?);
    let mut options = ServerOptions::default();
    options.cookies = !arguments.no_cookie;
    let mut server = Server::bind_with(arguments.listen, config, options).map_err(Fault::local)?;
    reporter.report(&Report::Listening { addr: server.local_addr().map_err(Fault::local)? });
    let pace = Pace::new(arguments.common.key_update_after);
    let mut guests = Guests { reporter, pace, present: HashMap::new(), gone: 0 };
    let clock = drystone::Clock::new();
    let deadline = arguments.common.timeout.map(|timeout| clock.now() + timeout);
    let mut copy = Vec::new();
    while arguments.peers.is_none_or(|peers| guests.gone < peers) {
        let now = clock.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return guests.out_of_time(arguments.peers);
        }
        let wait = deadline.map_or(LONG, |deadline| deadline - now);
        match server.poll(wait).map_err(Fault::local)? {
            Some(ServerEvent::Packet(peer, packet)) => {
                copy.clear();
                copy.extend_from_slice(packet.payload);
                guests.packet(peer, &copy);
                if let Err(error) = guests.echo(&mut server, peer, &copy) {
                    guests.error(peer, &error.to_string());
                }
            }
            Some(ServerEvent::Connection(peer, event)) => guests.event(&server, peer, &event),
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Who is there, who has gone, and what is said about it.
struct Guests {
    reporter: Reporter,
    /// When a new guest's keys are renewed.
    pace: Pace,
    present: HashMap<PeerId, Pace>,
    /// How many were connected and are no more. Failed handshakes do not count: strangers could end the run.
    gone: u64,
}

impl Guests {
    fn packet(&self, peer: PeerId, payload: &[u8]) {
        let content = Content::of(payload);
        self.reporter.report(&Report::Packet { peer: Some(peer.number()), size: payload.len(), content });
    }

    /// Sends a packet back, and renews the keys as often as was asked for.
    fn echo(&mut self, server: &mut Server, peer: PeerId, payload: &[u8]) -> Result<(), SendError> {
        server.send(peer, payload)?;
        if self.present.get_mut(&peer).is_some_and(Pace::sent_one) {
            server.update_keys(peer, true)?;
            self.reporter.json_only(&Report::Status { peer: Some(peer.number()), status: "renewing_keys" });
        }
        Ok(())
    }

    fn error(&self, peer: PeerId, reason: &str) {
        self.reporter.report(&Report::Error { peer: Some(peer.number()), reason });
    }

    fn event(&mut self, server: &Server, peer: PeerId, event: &Event) {
        let number = Some(peer.number());
        match event {
            Event::Connected(connected) => {
                self.present.insert(peer, self.pace);
                let report = ConnectedReport::new(connected, Some((peer, server.address(peer))));
                return self.reporter.report(&Report::Connected(&report));
            }
            Event::Closed(CloseReason::Peer) => self.reporter.report(&Report::Closed { peer: number }),
            Event::Closed(reason) => self.error(peer, &reason.to_string()),
            Event::Failed(error) => self.error(peer, &error.to_string()),
            Event::AssociationReplaced => {
                self.reporter.report(&Report::Status { peer: number, status: "replaced" });
            }
            Event::KeysNearLimit => {
                return self.reporter.report(&Report::Status { peer: number, status: "keys_near_limit" });
            }
            // The command's call-outs all answer at once.
            _ => return,
        }
        self.gone += u64::from(self.present.remove(&peer).is_some());
    }

    fn out_of_time(&self, wanted: Option<u64>) -> Result<(), Fault> {
        match wanted {
            None => Ok(()),
            Some(wanted) => Err(Fault::TimedOut(format!(
                "the time that --timeout gives is over: {} of {wanted} peers have come and gone",
                self.gone
            ))),
        }
    }
}
