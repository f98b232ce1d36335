//! Standard input, cut into packets. It must not know what becomes of them.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use crate::args::ClientArgs;
use crate::fault::Fault;

/// Packets that are read ahead of their sending.
const AHEAD: usize = 8;

/// Bytes that are read for one line at most; far more than a packet holds, so that the fault about it has the line's length.
const LONGEST_LINE: u64 = 1 << 20;

/// How packets are made of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Each line is one, with its newline or without.
    Lines { newline: bool },
    /// So many bytes are one.
    Blocks(usize),
    /// What one read gives is one, at most so many bytes.
    Reads(usize),
}

impl Cut {
    /// What the arguments ask for; `most` bytes fit the MTU.
    pub(crate) fn new(arguments: &ClientArgs, most: usize) -> Self {
        match arguments.packet_size {
            Some(size) => Self::Blocks(size.into()),
            None if arguments.raw => Self::Reads(most),
            None => Self::Lines { newline: arguments.newline },
        }
    }

    /// What one packet is called.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Lines { .. } => "line",
            Self::Blocks(_) | Self::Reads(_) => "packet",
        }
    }

    /// The next packet; `None` at the end.
    fn read(self, input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        let mut packet = Vec::new();
        let read = match self {
            Self::Lines { newline } => {
                let read = input.take(LONGEST_LINE).read_until(b'\n', &mut packet)?;
                if !newline && packet.last() == Some(&b'\n') {
                    packet.pop();
                }
                read
            }
            Self::Blocks(size) => {
                let size = u64::try_from(size).unwrap_or(u64::MAX);
                input.take(size).read_to_end(&mut packet)?
            }
            Self::Reads(most) => {
                packet.resize(most, 0);
                let read = input.read(&mut packet)?;
                packet.truncate(read);
                read
            }
        };
        Ok((read > 0).then_some(packet))
    }
}

/// The packets of standard input as they come. Reading blocks, therefore a thread does it, a few packets ahead.
pub(crate) struct Input {
    packets: Receiver<io::Result<Vec<u8>>>,
    ended: bool,
}

impl Input {
    pub(crate) fn begin(cut: Cut) -> Self {
        let (sender, packets) = sync_channel(AHEAD);
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            while let Some(packet) = cut.read(&mut input).transpose() {
                if sender.send(packet).is_err() {
                    return;
                }
            }
        });
        Self { packets, ended: false }
    }

    /// The next packet if it has been read.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match self.packets.try_recv() {
            Ok(Ok(packet)) => Ok(Some(packet)),
            Ok(Err(error)) => Err(Fault::Local(format!("cannot read standard input: {error}"))),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// Whether everything has been taken and nothing more will come.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(cut: Cut, input: &[u8]) -> Vec<Vec<u8>> {
        // Three bytes at a time, as a pipe may give them.
        let mut input = io::BufReader::with_capacity(3, input);
        std::iter::from_fn(|| cut.read(&mut input).unwrap()).collect()
    }

    #[test]
    fn lines() {
        let without = Cut::Lines { newline: false };
        assert_eq!(cut(without, b"one\n\ntwo\r\nend"), [b"one".as_slice(), b"", b"two\r", b"end"]);
        assert_eq!(cut(without, b""), [b""; 0]);
        assert_eq!(cut(Cut::Lines { newline: true }, b"one\n\nend"), [b"one\n".as_slice(), b"\n", b"end"]);
    }

    #[test]
    fn blocks_are_full_and_reads_are_what_is_there() {
        assert_eq!(cut(Cut::Blocks(4), b"a\nb\nc\nd"), [b"a\nb\n".as_slice(), b"c\nd"]);
        assert_eq!(cut(Cut::Blocks(4), b"abcd"), [b"abcd"]);
        assert_eq!(cut(Cut::Reads(2), b"abcde"), [b"ab".as_slice(), b"c", b"de"]);
        assert_eq!(cut(Cut::Reads(9), b"abcde"), [b"abcde"]);
    }
}
