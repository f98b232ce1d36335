//! The echo test: packets of many sizes, each of which must come back unchanged.

use std::collections::VecDeque;
use std::time::Duration;

use crate::client::{Session, Step};
use crate::fault::Fault;
use crate::report::Report;

/// Packets on their way at a time: few enough for every socket buffer.
const WINDOW: usize = 16;

/// How long an echo may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends `packets` packets of sizes spread evenly from 1 byte to the most that fits the MTU. Nothing is sent twice:
/// a packet that is lost is a failure.
pub(crate) fn run(session: &mut Session, packets: u64) -> Result<(), Fault> {
    let largest = session.max_unfragmented_payload();
    let begin = session.clock.now();
    let (mut sent, mut returned) = (0, 0);
    let mut under_way: VecDeque<u64> = VecDeque::with_capacity(WINDOW);
    let mut packet = Vec::with_capacity(largest);
    let mut last_echo = begin;
    while returned < packets {
        while sent < packets && under_way.len() < WINDOW {
            write_packet(&mut packet, sent, size_of(sent, packets, largest));
            session.send(&packet)?;
            under_way.push_back(sent);
            sent += 1;
        }
        match session.step(PATIENCE)? {
            Step::Packet(echo) => {
                let is_echoed = |index: &u64| {
                    write_packet(&mut packet, *index, size_of(*index, packets, largest));
                    packet == echo
                };
                let place = under_way.iter().position(is_echoed).ok_or_else(|| changed(echo.len()))?;
                under_way.remove(place);
                returned += 1;
                last_echo = session.clock.now();
            }
            Step::Closed => {
                return Err(Fault::Handshake(incomplete("the server closed", returned, packets)));
            }
            Step::Connected | Step::Nothing => {}
        }
        if session.clock.now() - last_echo >= PATIENCE {
            return Err(Fault::TimedOut(incomplete("no more echo came", returned, packets)));
        }
    }
    let microseconds = (session.clock.now() - begin).as_micros();
    let smallest = size_of(0, packets, largest);
    session.reporter.report(&Report::EchoTest { packets, smallest, largest, microseconds });
    Ok(())
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

fn changed(size: usize) -> Fault {
    Fault::Local(format!(
        "what came back in {size} bytes equals no packet that was sent: is the server an echo server?"
    ))
}

fn incomplete(reason: &str, returned: u64, packets: u64) -> String {
    format!("{reason}: {returned} of {packets} packets came back")
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
