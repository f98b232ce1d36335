//! The echo test: packets of many sizes, each of which must come back unchanged. What is lost is sent again, and counted.

use std::collections::VecDeque;
use std::time::Duration;

use drystone::Instant;

use crate::args::CommonArgs;
use crate::client::{Session, Step};
use crate::fault::Fault;
use crate::progress::Progress;
use crate::report::{EchoReport, Report};

/// Packets on their way at a time: few enough for every socket buffer.
const WINDOW: usize = 16;

/// So many echoes of packets that were sent later mean that a packet, or its echo, is lost and not only late.
const OVERTAKEN: usize = 8;

/// How long an echo may take before its packet is sent again; doubled for each further time. The value of RFC 6298
/// section 2 for paths that are not known.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How long all echoes together may stay away.
const PATIENCE: Duration = Duration::from_secs(8);

/// Packets that were sent again and came back, of which a second echo may come.
const REMEMBERED: usize = 4 * WINDOW;

/// Sends `packets` packets of sizes spread evenly from 1 byte to the most that fits the MTU.
pub(crate) fn run(session: &mut Session, packets: u64, arguments: &CommonArgs) -> Result<(), Fault> {
    let begin = session.clock.now();
    let mut test = Test::new(packets, session.max_unfragmented_payload());
    let progress = Progress::new(packets, arguments);
    let outcome = test.run(session, &progress, begin);
    progress.end();
    outcome?;
    let report = EchoReport { microseconds: (session.clock.now() - begin).as_micros(), ..test.report };
    session.reporter.report(&Report::EchoTest(&report));
    Ok(())
}

/// What was sent and has not come back.
struct Test {
    report: EchoReport,
    /// How many different packets were sent.
    begun: u64,
    returned: u64,
    under_way: VecDeque<UnderWay>,
    /// The last packets that were sent again and came back.
    remembered: VecDeque<u64>,
    packet: Vec<u8>,
}

/// One packet that is awaited.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    index: u64,
    /// When it is sent again.
    due: Instant,
    timeout: Duration,
    /// Echoes of packets that were sent after it.
    overtaken: usize,
}

impl Test {
    fn new(packets: u64, largest: usize) -> Self {
        let smallest = size_of(0, packets, largest);
        Self {
            report: EchoReport { packets, smallest, largest, ..EchoReport::default() },
            begun: 0,
            returned: 0,
            under_way: VecDeque::with_capacity(WINDOW),
            remembered: VecDeque::with_capacity(REMEMBERED),
            packet: Vec::with_capacity(largest),
        }
    }

    fn run(&mut self, session: &mut Session, progress: &Progress, begin: Instant) -> Result<(), Fault> {
        let mut last_echo = begin;
        while self.returned < self.report.packets {
            self.send(session)?;
            let wait = self.under_way.iter().map(|packet| packet.due).min();
            let wait = wait.map_or(PATIENCE, |due| due - session.clock.now());
            match session.step(wait).map_err(|fault| self.cut_short(fault))? {
                Step::Packet(echo) => {
                    self.take(echo)?;
                    last_echo = session.clock.now();
                    progress.at(self.returned, self.report.lost);
                }
                Step::Closed => return Err(Fault::Handshake(self.incomplete("the server closed"))),
                Step::Connected(_) | Step::Nothing => {}
            }
            if session.clock.now() - last_echo >= PATIENCE {
                return Err(Fault::TimedOut(self.incomplete("no more echo came")));
            }
        }
        Ok(())
    }

    /// Sends what is lost again, and new packets as far as the window lets them.
    fn send(&mut self, session: &mut Session) -> Result<(), Fault> {
        let now = session.clock.now();
        while let Some(place) = self.under_way.iter().position(|packet| packet.is_lost(now)) {
            let Some(packet) = self.under_way.remove(place) else { break };
            self.report.lost += 1;
            let timeout = packet.timeout.saturating_mul(2);
            self.send_one(session, UnderWay { due: now + timeout, timeout, overtaken: 0, ..packet })?;
        }
        while self.begun < self.report.packets && self.under_way.len() < WINDOW {
            let packet = UnderWay { index: self.begun, due: now + TIMEOUT, timeout: TIMEOUT, overtaken: 0 };
            self.begun += 1;
            self.send_one(session, packet)?;
        }
        Ok(())
    }

    fn send_one(&mut self, session: &mut Session, packet: UnderWay) -> Result<(), Fault> {
        self.write(packet.index);
        self.under_way.push_back(packet);
        session.send(&self.packet)
    }

    /// An echo came: of a packet that is awaited, or once more of one that came back already.
    fn take(&mut self, echo: &[u8]) -> Result<(), Fault> {
        for place in 0..self.under_way.len() {
            let Some(packet) = self.under_way.get(place).copied() else { break };
            if self.is_echo_of(packet.index, echo) {
                self.settle(place, packet);
                return Ok(());
            }
        }
        let known = self.remembered.clone().into_iter().any(|index| self.is_echo_of(index, echo));
        if !known {
            return Err(Fault::Local(format!(
                "what came back in {} bytes equals no packet that was sent: is the server an echo server?",
                echo.len()
            )));
        }
        self.report.late += 1;
        self.report.lost = self.report.lost.saturating_sub(1);
        Ok(())
    }

    /// The packet at this place came back. Those before it were sent earlier.
    fn settle(&mut self, place: usize, packet: UnderWay) {
        self.returned += 1;
        self.under_way.iter_mut().take(place).for_each(|earlier| earlier.overtaken += 1);
        self.under_way.remove(place);
        if packet.timeout > TIMEOUT {
            if self.remembered.len() >= REMEMBERED {
                self.remembered.pop_front();
            }
            self.remembered.push_back(packet.index);
        }
    }

    fn is_echo_of(&mut self, index: u64, echo: &[u8]) -> bool {
        self.size_of(index) == echo.len() && {
            self.write(index);
            self.packet == echo
        }
    }

    fn size_of(&self, index: u64) -> usize {
        size_of(index, self.report.packets, self.report.largest)
    }

    fn write(&mut self, index: u64) {
        let size = self.size_of(index);
        write_packet(&mut self.packet, index, size);
    }

    fn incomplete(&self, reason: &str) -> String {
        let (packets, lost) = (self.report.packets, self.report.lost);
        format!("{reason}: {} of {packets} packets came back, {lost} were lost and sent again", self.returned)
    }

    /// A time-out is told together with how far the test came.
    fn cut_short(&self, fault: Fault) -> Fault {
        match fault {
            Fault::TimedOut(reason) => Fault::TimedOut(self.incomplete(&reason)),
            other => other,
        }
    }
}

impl UnderWay {
    fn is_lost(&self, now: Instant) -> bool {
        self.due <= now || self.overtaken >= OVERTAKEN
    }
}

/// Sizes from 1 to `largest`, spread evenly; a single packet has the largest.
fn size_of(index: u64, packets: u64, largest: usize) -> usize {
    let span = largest.saturating_sub(1) as u128;
    let step = match packets.saturating_sub(1) {
        0 => span,
        last => span * u128::from(index) / u128::from(last),
    };
    1 + usize::try_from(step).unwrap_or(usize::MAX - 1)
}

/// Bytes that tell packets and places apart: the top bytes of a linear congruential generator, seeded by the index.
fn write_packet(packet: &mut Vec<u8>, index: u64, size: usize) {
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    packet.clear();
    packet.extend((0..size).map(|_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state.to_be_bytes()[0]
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_spread_from_one_to_the_largest() {
        let sizes: Vec<_> = (0..5).map(|index| size_of(index, 5, 1001)).collect();
        assert_eq!(sizes, [1, 251, 501, 751, 1001]);
        assert_eq!(size_of(0, 1, 1001), 1001);
        assert_eq!((size_of(0, 2, 1001), size_of(1, 2, 1001)), (1, 1001));
        assert!((0..300).all(|index| (1..=100).contains(&size_of(index, 300, 100))));
    }

    #[test]
    fn packets_differ_in_content_and_by_place() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        write_packet(&mut one, 1, 500);
        write_packet(&mut other, 2, 500);
        assert!(one.len() == 500 && one != other);
        assert!(one.windows(8).collect::<std::collections::HashSet<_>>().len() > 480);
    }
}
