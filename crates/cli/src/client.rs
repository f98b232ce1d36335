//! `drystone client`: one connection, from the first hello to close_notify. What is sent over it, `pipe` and `echo`
//! decide.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use drystone::{
    Client, ClientError, ClientEvent, ClientOptions, Clock, CloseReason, Connected, Event, Instant,
};

use crate::args::ClientArgs;
use crate::details::Details;
use crate::fault::{Fault, Trust};
use crate::pace::Pace;
use crate::report::{ConnectedReport, Report, Who};
use crate::reporter::Reporter;
use crate::signals::{self, Signals};
use crate::{echo, pipe, settings};

pub(crate) fn run(arguments: &ClientArgs, reporter: Reporter) -> Result<(), Fault> {
    let mut session = Session::begin(arguments, reporter)?;
    let outcome = session.handshake().and_then(|()| match arguments.echo_test {
        Some(packets) => echo::run(&mut session, packets, &arguments.common),
        None => pipe::run(&mut session, arguments),
    });
    session.close();
    let status = match &outcome {
        Ok(()) => "disconnected",
        Err(Fault::Ended(signal)) => signal.status(),
        Err(Fault::NameMismatch(_)) => "error_hostname_mismatch",
        Err(_) => "error",
    };
    let report = Report::Status { who: session.who(), status };
    // People are told of a fault on standard error.
    if matches!(outcome, Ok(()) | Err(Fault::Ended(_))) {
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
    signals: Signals,
    deadline: Option<Instant>,
    trust: Trust,
    /// When the keys are renewed.
    pace: Pace,
    details: Details,
}

/// What one step brought.
pub(crate) enum Step<'a> {
    Connected(Box<Connected>),
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
            None => server.name().map_err(|reason| {
                Fault::Local(format!("'{}': {reason}; give one with --name", server.host))
            })?,
        };
        let trust = Trust::of(arguments);
        let mut options = ClientOptions::default();
        options.local_address = arguments.bind;
        let mut client = Client::with_options(addresses(arguments)?.as_slice(), name, config, options)
            .map_err(|error| Fault::of_client(error, trust))?;
        client.set_idle_timeout(arguments.common.idle_timeout());
        let signals = Signals::install().map_err(Fault::local)?;
        let who = Who { peer: None, addr: Some(client.server_addr()) };
        reporter.report(&Report::Status { who, status: "handshaking" });
        Ok(Self {
            client,
            reporter,
            clock,
            signals,
            deadline,
            trust,
            pace: Pace::new(arguments.common.key_update_after),
            details: Details::of(&arguments.common),
        })
    }

    /// Waits until the handshake is done.
    fn handshake(&mut self) -> Result<(), Fault> {
        loop {
            match self.step(signals::GLANCE)? {
                Step::Connected(connected) => return self.announce(&connected),
                Step::Closed => {
                    return Err(Fault::Handshake("the server closed during the handshake".to_owned()));
                }
                Step::Packet(_) | Step::Nothing => {}
            }
        }
    }

    /// Waits at most for `wait`, and no longer than a signal may wait, for the next thing to happen.
    pub(crate) fn step(&mut self, wait: Duration) -> Result<Step<'_>, Fault> {
        if let Some(signal) = self.signals.received() {
            return Err(Fault::Ended(signal));
        }
        let now = self.clock.now();
        let wait = wait.min(signals::GLANCE);
        let wait = match self.deadline {
            Some(deadline) if deadline <= now => {
                return Err(Fault::TimedOut("the time that --timeout gives is over".to_owned()));
            }
            Some(deadline) => wait.min(deadline - now),
            None => wait,
        };
        let trust = self.trust;
        match self.client.poll(wait).map_err(|error| Fault::of_client(error, trust))? {
            Some(ClientEvent::Packet(packet)) => Ok(Step::Packet(packet.payload)),
            Some(ClientEvent::Connection(Event::Connected(connected))) => Ok(Step::Connected(connected)),
            Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer))) => Ok(Step::Closed),
            Some(ClientEvent::Connection(Event::Closed(reason))) => Err(Fault::TimedOut(reason.to_string())),
            Some(ClientEvent::Connection(Event::Failed(error))) => Err(Fault::of(&error, trust)),
            Some(ClientEvent::Connection(Event::MtuReduced { mtu, max_payload })) => {
                self.reporter.warn(&format!(
                    "the path carries datagrams of {mtu} bytes only: packets of more than {max_payload} bytes are refused"
                ));
                Ok(Step::Nothing)
            }
            Some(_) | None => Ok(Step::Nothing),
        }
    }

    fn announce(&self, connected: &Connected) -> Result<(), Fault> {
        let who = self.who();
        self.reporter.json_only(&Report::Status { who, status: "connected" });
        self.reporter.report(&Report::Connected(&ConnectedReport::new(connected, who)));
        self.details.show(self.reporter, who, connected, self.client.connection()).map_err(Fault::local)
    }

    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<(), Fault> {
        self.client.send(payload).map_err(Fault::local)?;
        if self.pace.sent_one() {
            self.client.update_keys(true).map_err(Fault::local)?;
            self.reporter.json_only(&Report::Status { who: self.who(), status: "renewing_keys" });
        }
        Ok(())
    }

    /// The server, as events name it.
    pub(crate) fn who(&self) -> Who {
        Who { peer: None, addr: Some(self.client.server_addr()) }
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
        let connected = self.client.connection().is_connected();
        self.client.close();
        if connected {
            self.reporter.json_only(&Report::Closed { who: self.who() });
        }
    }
}

/// The server's addresses, of the family that was asked for or that the client's own address has.
fn addresses(arguments: &ClientArgs) -> Result<Vec<SocketAddr>, Fault> {
    let host = (arguments.server.host.as_str(), arguments.server.port);
    let found = host.to_socket_addrs().map_err(ClientError::Lookup).map_err(Fault::local)?;
    let (ipv4, ipv6) = match arguments.bind {
        Some(own) => (own.is_ipv4(), own.is_ipv6()),
        None => (true, true),
    };
    let (ipv4, ipv6) = (ipv4 && !arguments.ipv6, ipv6 && !arguments.ipv4);
    let addresses: Vec<_> = found.filter(|address| if address.is_ipv4() { ipv4 } else { ipv6 }).collect();
    match (ipv4, ipv6) {
        (false, false) => Err(Fault::local("the address of --bind is of the other family")),
        (true, true) => Ok(addresses),
        _ if !addresses.is_empty() => Ok(addresses),
        _ => {
            let family = if ipv4 { "IPv4" } else { "IPv6" };
            Err(Fault::Local(format!("'{}' has no {family} address", arguments.server.host)))
        }
    }
}
