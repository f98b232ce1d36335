//! Standard input to the server, packet by packet, and what comes back to standard output.

use std::io::ErrorKind;
use std::time::Duration;

use drystone::Instant;

use crate::args::ClientArgs;
use crate::client::{Session, Step};
use crate::fault::Fault;
use crate::input::{Cut, Input};
use crate::report::{Content, Report};
use crate::window::Window;

/// How long a packet of standard input may wait until it is noticed.
const GLANCE: Duration = Duration::from_millis(5);

/// Runs until the server closes, or standard input has ended and nothing more is to be expected.
pub(crate) fn run(session: &mut Session, arguments: &ClientArgs) -> Result<(), Fault> {
    let cut = Cut::new(arguments, session.max_unfragmented_payload());
    let mut pipe = Pipe {
        unit: cut.unit(),
        input: Input::begin(cut),
        window: Window::new(),
        sent: 0,
        received: 0,
        warned: false,
        last_sign: session.clock.now(),
    };
    loop {
        pipe.send(session)?;
        if let Some(Over) = pipe.receive(session)? {
            return Ok(());
        }
        let silence = session.clock.now() - pipe.last_sign;
        pipe.window.silent(silence);
        // The server need not echo: silence counts as the end of its answers.
        if pipe.input.has_ended() && (pipe.received >= pipe.sent || silence >= arguments.linger) {
            return Ok(());
        }
    }
}

/// The server has closed, or nobody reads what comes from it.
struct Over;

struct Pipe {
    unit: &'static str,
    input: Input,
    window: Window,
    sent: u64,
    received: u64,
    warned: bool,
    /// When a packet was last sent or received.
    last_sign: Instant,
}

impl Pipe {
    /// Sends what is there, as far as the window lets it.
    fn send(&mut self, session: &mut Session) -> Result<(), Fault> {
        while self.window.is_open()
            && let Some(packet) = self.input.next()?
        {
            self.sent += 1;
            let most = session.max_payload();
            if packet.len() > most {
                let (unit, number, length) = (self.unit, self.sent, packet.len());
                return Err(Fault::Local(format!(
                    "{unit} {number} has {length} bytes, but a packet holds at most {most}: use shorter {unit}s"
                )));
            }
            self.warn_of_fragments(session, packet.len());
            session.send(&packet)?;
            self.window.sent();
            self.last_sign = session.clock.now();
        }
        Ok(())
    }

    /// Says once that a packet exceeds the MTU: IP fragments do not pass everywhere.
    fn warn_of_fragments(&mut self, session: &Session, length: usize) {
        let most = session.max_unfragmented_payload();
        if length > most && !self.warned {
            self.warned = true;
            let (unit, number) = (self.unit, self.sent);
            session.reporter.warn(&format!(
                "{unit} {number} has {length} bytes, more than the {most} that fit a datagram (--mtu): it is sent in IP \
                 fragments"
            ));
        }
    }

    /// Takes all packets that are there, and waits a moment for the first.
    fn receive(&mut self, session: &mut Session) -> Result<Option<Over>, Fault> {
        let mut wait = match self.window.wait() {
            Some(patience) => patience,
            None => GLANCE,
        };
        loop {
            let (reporter, who) = (session.reporter, session.who());
            match session.step(wait)? {
                Step::Packet(payload) => {
                    let content = Content::of(payload);
                    let report = Report::Packet { who, size: payload.len(), content };
                    match reporter.received(payload, &report) {
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Some(Over)),
                        written => written.map_err(|error| Fault::output(&error))?,
                    }
                    self.received += 1;
                    self.window.received();
                }
                Step::Closed => return Ok(Some(Over)),
                Step::Connected(_) | Step::Nothing => return Ok(None),
            }
            self.last_sign = session.clock.now();
            wait = Duration::ZERO;
        }
    }
}
