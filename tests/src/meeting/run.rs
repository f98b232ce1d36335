//! A client and a server, the network between them and the time that they share. Owns the loop; knows nothing of what
//! a cell wants to see.

use core::time::Duration;

use super::{Maker, Party, Wire};
use crate::clock::{Clock, earliest};
use crate::link::{Direction, Link};

/// A pause after which application data that did not arrive is sent again, as a game would.
const REPEAT: Duration = Duration::from_millis(500);

/// More instants than any meeting has: a party whose timer is always due must not hang the test.
const MAX_STEPS: u32 = 100_000;

/// Two parties and what lies between them.
pub struct Meeting {
    /// Simulated time.
    pub clock: Clock,
    /// The client.
    pub client: Box<dyn Party>,
    /// The server.
    pub server: Box<dyn Party>,
    /// What can be seen from outside.
    pub wire: Wire,
    link: Link,
    limit: Duration,
    steps: u32,
}

impl core::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Meeting")
            .field("now", &self.clock.now())
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

impl Meeting {
    /// A meeting that ends when `limit` has passed.
    pub fn new(client: &Maker, server: &Maker, link: Link, limit: Duration) -> Self {
        let clock = Clock::new();
        let (client, server) = (client(&clock), server(&clock));
        Self { clock, client, server, wire: Wire::default(), link, limit, steps: 0 }
    }

    /// The side from which this direction leads.
    pub fn sender(&mut self, direction: Direction) -> &mut dyn Party {
        match direction {
            Direction::ToServer => self.client.as_mut(),
            Direction::ToClient => self.server.as_mut(),
        }
    }

    /// Runs until both are connected.
    ///
    /// # Errors
    /// Who failed, and why.
    pub fn connect(&mut self) -> Result<(), String> {
        self.run_until("connected", |meeting| meeting.client.is_connected() && meeting.server.is_connected())
    }

    /// Runs until `done`.
    ///
    /// # Errors
    /// If a party failed, or time is over, with the name of the `goal`.
    pub fn run_until(&mut self, goal: &str, mut done: impl FnMut(&Self) -> bool) -> Result<(), String> {
        loop {
            self.flush();
            if done(self) {
                return Ok(());
            }
            self.check_failures()?;
            if !self.step(self.limit) {
                return Err(format!("not {goal} after {:?}: {}", self.clock.now(), self.state()));
            }
        }
    }

    /// Runs everything that happens within `time` from now.
    ///
    /// # Errors
    /// If a party failed.
    pub fn run_for(&mut self, time: Duration) -> Result<(), String> {
        let until = self.clock.now() + time;
        self.flush();
        while self.step(until) {}
        self.clock.advance_to(until);
        self.check_failures()
    }

    /// Sends `payload` until it has arrived, unchanged, once or more.
    ///
    /// # Errors
    /// If it does not arrive.
    pub fn deliver(&mut self, direction: Direction, payload: &[u8]) -> Result<(), String> {
        while self.clock.now() < self.limit {
            let now = self.clock.now();
            self.sender(direction).send(now, payload)?;
            let until = now + REPEAT;
            self.flush();
            loop {
                let receiver = self.sender(direction.opposite());
                while let Some(received) = receiver.poll_received() {
                    if received == payload {
                        return Ok(());
                    }
                }
                if !self.step(until) {
                    break;
                }
            }
            self.clock.advance_to(until);
            self.check_failures()?;
        }
        Err(format!("application data does not arrive {direction:?}: {}", self.state()))
    }

    /// For messages about what went wrong.
    fn state(&mut self) -> String {
        let now = self.clock.now();
        let timers = [self.client.poll_timeout(now), self.server.poll_timeout(now)];
        format!("timers of client and server {timers:?}, {} steps, {:?}", self.steps, self.wire)
    }

    /// Jumps to the next instant at which something happens, and lets it happen; false if nothing does before
    /// `limit`.
    fn step(&mut self, limit: Duration) -> bool {
        let now = self.clock.now();
        let timers = [self.client.poll_timeout(now), self.server.poll_timeout(now)];
        let Some(next) = earliest([timers[0], timers[1], self.link.next_arrival()]) else { return false };
        self.steps += 1;
        if next > limit || self.steps > MAX_STEPS {
            return false;
        }
        self.clock.advance_to(next);
        let now = self.clock.now();
        while let Some((direction, mut datagram)) = self.link.receive(now) {
            self.sender(direction.opposite()).receive(now, &mut datagram);
        }
        for direction in Direction::BOTH {
            let party = self.sender(direction);
            if party.poll_timeout(now).is_some_and(|timeout| timeout <= now) {
                party.handle_timeout(now);
            }
        }
        self.flush();
        true
    }

    /// Sends what both have to send.
    fn flush(&mut self) {
        let now = self.clock.now();
        for direction in Direction::BOTH {
            while let Some(datagram) = self.sender(direction).poll_transmit(now) {
                self.wire.note(direction, &datagram);
                self.link.send(now, direction, &datagram);
            }
        }
    }

    fn check_failures(&self) -> Result<(), String> {
        let failures = [("client", self.client.failure()), ("server", self.server.failure())];
        let failures: Vec<String> = failures
            .into_iter()
            .filter_map(|(side, failure)| failure.map(|failure| format!("the {side} failed: {failure}")))
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }
}
