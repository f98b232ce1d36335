//! A handshake that must fail: one side refuses, the other is told why, and the client ends.
//!
//! It knows alerts by number and name. It must not know any program's arguments.

use super::process::{Process, Stream};
use super::side::Side;
use super::stack::Stack;
use std::thread;
use std::time::{Duration, Instant};

/// When to give up. Nothing is proved by it: how soon an alert goes out is measured in simulated time, and an end by
/// time-out has another exit code.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server and a client that must not come together.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The program that serves, and its settings.
    pub server: (Stack, Side<'a>),
    /// The program that connects, and its settings.
    pub client: (Stack, Side<'a>),
    /// Who must be told.
    pub told: Told,
    /// The alert that it must be told, by number and by the name in the IANA registry.
    pub alert: (u8, &'static str),
    /// The exit code of the client; `None` if the program is known not to end on this alert.
    pub exit: Option<i32>,
}

/// The side that receives the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The client refuses and tells the server.
    Server,
    /// The server refuses and tells the client.
    Client,
}

impl Failure<'_> {
    /// Lets the handshake fail and looks at both sides.
    ///
    /// # Errors
    /// If it did not fail in this way, with what the programs said.
    pub fn run(&self) -> Result<(), String> {
        let server = self.server.0.serve(&self.server.1)?;
        let mut client = self.client.0.connect(&self.client.1, server.port)?;
        let deadline = Instant::now() + PATIENCE;
        let result = self
            .check_exit(&mut client.process)
            .and_then(|()| self.check_alert(&client.process, &server.process, deadline));
        result.map_err(|error| {
            format!(
                "{error}\n{}\n  the server:\n{}",
                client.process.transcript(),
                server.process.transcript()
            )
        })
    }

    fn check_exit(&self, client: &mut Process) -> Result<(), String> {
        let Some(expected) = self.exit else {
            return Ok(());
        };
        let exit = client.wait(PATIENCE)?;
        if exit.code != Some(expected) {
            return Err(format!("the client ended with {:?} and not with {expected}", exit.code));
        }
        Ok(())
    }

    fn check_alert(&self, client: &Process, server: &Process, deadline: Instant) -> Result<(), String> {
        let (stack, process) = match self.told {
            Told::Server => (self.server.0, server),
            Told::Client => (self.client.0, client),
        };
        let (number, name) = self.alert;
        let needle = stack.alert_received(number, name);
        loop {
            if [Stream::Out, Stream::Err].iter().any(|stream| process.text(*stream).contains(&needle)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{} was not told {name}({number}) in time", stack.name()));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
