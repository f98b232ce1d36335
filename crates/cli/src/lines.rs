//! Each line of standard input is a packet, and what comes back is printed.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::client::{Session, Step};
use crate::fault::Fault;
use crate::report::{Content, Report};

/// Lines that are sent before packets are looked for again, so that neither side's socket buffer overflows.
const BURST: usize = 8;

/// How long a line may wait until it is noticed.
const GLANCE: Duration = Duration::from_millis(5);

/// How long to wait for further echoes after the end of standard input.
const LINGER: Duration = Duration::from_secs(1);

/// Runs until standard input ends or the server closes.
pub(crate) fn run(session: &mut Session) -> Result<(), Fault> {
    let input = read_lines();
    let (mut sent, mut received, mut ended) = (0_u64, 0_u64, false);
    let mut last_sign = session.clock.now();
    loop {
        if !ended {
            let lines;
            (lines, ended) = send_burst(session, &input, sent)?;
            sent += lines;
            if lines > 0 {
                last_sign = session.clock.now();
            }
        }
        loop {
            let reporter = session.reporter;
            match session.step(GLANCE)? {
                Step::Packet(payload) => {
                    received += 1;
                    reporter.report(&Report::Packet {
                        peer: None,
                        size: payload.len(),
                        content: Content::of(payload),
                    });
                }
                Step::Closed => return Ok(()),
                Step::Connected | Step::Nothing => break,
            }
            last_sign = session.clock.now();
        }
        // The server need not echo: silence counts as the end of its answers.
        if ended && (received >= sent || session.clock.now() - last_sign >= LINGER) {
            return Ok(());
        }
    }
}

/// Sends the lines that are there, up to a burst. Gives their number and whether standard input has ended.
fn send_burst(
    session: &mut Session,
    input: &Receiver<io::Result<Vec<u8>>>,
    sent: u64,
) -> Result<(u64, bool), Fault> {
    let mut lines = 0;
    for _ in 0..BURST {
        let line = match input.try_recv() {
            Ok(line) => line.map_err(|error| Fault::Local(format!("cannot read standard input: {error}")))?,
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return Ok((lines, true)),
        };
        lines += 1;
        let most = session.max_payload();
        if line.len() > most {
            let (number, length) = (sent + lines, line.len());
            return Err(Fault::Local(format!(
                "line {number} has {length} bytes, but a packet holds at most {most}: use shorter lines"
            )));
        }
        session.send(&line)?;
    }
    Ok((lines, false))
}

/// Lines with their line ends, as they come. Reading blocks, therefore a thread does it; the channel is short, so
/// that a large file is not read ahead of its sending.
fn read_lines() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(BURST);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.read_until(b'\n', &mut line);
            if matches!(read, Ok(0)) || sender.send(read.map(|_| line)).is_err() {
                return;
            }
        }
    });
    receiver
}
