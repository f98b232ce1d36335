//! `drystone client`: one connection, from the first hello to the goodbye. What is sent over it, `lines` and `echo`
//! decide.

use std::sync::Arc;
use std::time::Duration;

use drystone::{Client, ClientEvent, Clock, CloseReason, Event, Instant};

use crate::args::{ClientArgs, parse_name};
use crate::fault::Fault;
use crate::pace::Pace;
use crate::report::{ConnectedReport, Report, Reporter};
use crate::{echo, lines, settings};

/// Longer than any handshake's deadline.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn run(arguments: &ClientArgs, reporter: Reporter) -> Result<(), Fault> {
    let mut session = Session::begin(arguments, reporter)?;
    let outcome = session.handshake().and_then(|()| match arguments.echo_test {
        Some(packets) => echo::run(&mut session, packets),
        None => lines::run(&mut session),
    });
    session.close();
    let status = match &outcome {
        Ok(()) => "disconnected",
        Err(Fault::NameMismatch(_)) => "error_hostname_mismatch",
        Err(_) => "error",
    };
    let report = Report::Status { peer: None, status };
    // People are told of a fault on standard error.
    if outcome.is_ok() {
        reporter.report(&report);
    } else {
        reporter.json_only(&report);
    }
    outcome
}

/// A client, its reports, and the time at which it must have ended.
pub(crate) struct Session {
    client: Client,
    pub(crate) reporter: Reporter,
    pub(crate) clock: Clock,
    deadline: Option<Instant>,
    /// When the keys are renewed.
    pace: Pace,
}

/// What one step brought.
pub(crate) enum Step<'a> {
    Connected,
    Packet(&'a [u8]),
    /// The server has closed.
    Closed,
    Nothing,
}

impl Session {
    /// Sends the first hello.
    fn begin(arguments: &ClientArgs, reporter: Reporter) -> Result<Self, Fault> {
        let clock = Clock::new();
        let deadline = arguments.common.timeout.map(|timeout| clock.now() + timeout);
        let config = Arc::new(settings::client(arguments, reporter)?);
        let server = &arguments.server;
        let name = match &arguments.name {
            Some(name) => name.clone(),
            None => parse_name(server.name()).map_err(|reason| {
                Fault::Local(format!("'{}': {reason}; give one with --name", server.host))
            })?,
        };
        reporter.report(&Report::Status { peer: None, status: "handshaking" });
        let client = Client::new((server.host.as_str(), server.port), name, config)?;
        let pace = Pace::new(arguments.common.key_update_after);
        Ok(Self { client, reporter, clock, deadline, pace })
    }

    /// Waits until the handshake is done.
    fn handshake(&mut self) -> Result<(), Fault> {
        loop {
            match self.step(LONG)? {
                Step::Connected => return Ok(()),
                Step::Closed => {
                    return Err(Fault::Handshake("the server closed during the handshake".to_owned()));
                }
                Step::Packet(_) | Step::Nothing => {}
            }
        }
    }

    /// Waits at most for `wait` for the next thing to happen.
    pub(crate) fn step(&mut self, wait: Duration) -> Result<Step<'_>, Fault> {
        let (now, reporter) = (self.clock.now(), self.reporter);
        let wait = match self.deadline {
            Some(deadline) if deadline <= now => {
                return Err(Fault::TimedOut("the time that --timeout gives is over".to_owned()));
            }
            Some(deadline) => wait.min(deadline - now),
            None => wait,
        };
        match self.client.poll(wait)? {
            Some(ClientEvent::Packet(packet)) => Ok(Step::Packet(packet.payload)),
            Some(ClientEvent::Connection(Event::Connected(connected))) => {
                reporter.json_only(&Report::Status { peer: None, status: "connected" });
                reporter.report(&Report::Connected(&ConnectedReport::new(&connected, None)));
                Ok(Step::Connected)
            }
            Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer))) => Ok(Step::Closed),
            Some(ClientEvent::Connection(Event::Closed(reason))) => Err(Fault::TimedOut(reason.to_string())),
            Some(ClientEvent::Connection(Event::Failed(error))) => Err((&error).into()),
            Some(_) | None => Ok(Step::Nothing),
        }
    }

    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<(), Fault> {
        self.client.send(payload).map_err(Fault::local)?;
        if self.pace.sent_one() {
            self.client.update_keys(true).map_err(Fault::local)?;
            self.reporter.json_only(&Report::Status { peer: None, status: "renewing_keys" });
        }
        Ok(())
    }

    /// The most bytes that one packet may have.
    pub(crate) fn max_payload(&self) -> usize {
        self.client.connection().max_payload()
    }

    /// The most bytes that one packet may have so that its datagram stays within the MTU.
    pub(crate) fn max_unfragmented_payload(&self) -> usize {
        self.client.connection().max_unfragmented_payload()
    }

    fn close(&mut self) {
        if self.client.connection().is_connected() {
            self.client.close();
            self.reporter.json_only(&Report::Closed { peer: None });
        }
    }
}
