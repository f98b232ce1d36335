//! Datagrams that somebody hostile sends: a quarter each random, damaged, renumbered and replayed. Owns their making;
//! knows nothing of who receives them, and takes what it saw on the wire from its caller.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::random::SplitMix64;

/// What is wrong with a hostile datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Random bytes.
    Random,
    /// A recorded datagram with a few changes; its lengths fit again in half of the cases.
    Mutated,
    /// A recorded datagram of this association with another epoch or record number.
    Renumbered,
    /// A recorded datagram of this association as it was.
    Replayed,
}

impl Class {
    /// All, in turns.
    pub const ALL: [Self; 4] = [Self::Random, Self::Mutated, Self::Renumbered, Self::Replayed];
}

/// The longest hostile datagram, in bytes.
pub const LONGEST: usize = 1500;

/// How many recent datagrams are remembered: more than the replay window has numbers, so that some are too old.
const REMEMBERED: usize = 128;

/// The bytes of a record's header, and of a handshake message's (RFC 6347 sections 4.1 and 4.2.2).
const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

/// The first three bits of a record of DTLS 1.3 (RFC 9147 section 4).
const UNIFIED: u8 = 0x20;

/// Makes hostile datagrams from a seed and from what passed on the wire.
#[derive(Debug)]
pub struct Hostile {
    random: SplitMix64,
    /// What other associations sent: captures, and what was recorded before.
    recorded: Vec<Vec<u8>>,
    /// This association's handshake.
    flights: Vec<Vec<u8>>,
    /// The last protected datagrams of this association, in a ring; its buffers are never made anew.
    recent: Vec<Vec<u8>>,
    passed: usize,
}

impl Hostile {
    /// Somebody who knows the captures under `/vectors`, and has seen this association's handshake.
    pub fn new(seed: u64, flights: Vec<Vec<u8>>) -> Self {
        let recorded = captures().into_iter().chain(flights.iter().cloned()).collect();
        let recent = (0..REMEMBERED).map(|_| Vec::with_capacity(2 * LONGEST)).collect();
        Self { random: SplitMix64::new(seed), recorded, flights, recent, passed: 0 }
    }

    /// Takes note of a genuine datagram after its delivery.
    pub fn saw(&mut self, datagram: &[u8]) {
        let slot = self.passed % REMEMBERED;
        self.recent[slot].clear();
        self.recent[slot].extend_from_slice(datagram);
        self.passed += 1;
    }

    /// Writes a datagram of this class, at most [`LONGEST`] bytes and never empty, to `out`.
    pub fn make(&mut self, class: Class, out: &mut Vec<u8>) {
        out.clear();
        match class {
            Class::Random => self.random_bytes(out),
            Class::Mutated => self.mutated(out),
            Class::Renumbered => self.renumbered(out),
            Class::Replayed => self.replayed(out),
        }
        out.truncate(LONGEST);
    }

    fn random_bytes(&mut self, out: &mut Vec<u8>) {
        out.resize(1 + self.below(LONGEST), 0);
        self.random.fill(out);
    }

    fn replayed(&mut self, out: &mut Vec<u8>) {
        let remembered = self.passed.min(REMEMBERED);
        let choice = self.below(remembered + self.flights.len());
        let replayed = self.recent[..remembered].iter().chain(&self.flights).nth(choice);
        out.extend_from_slice(replayed.expect("something passed"));
    }

    fn renumbered(&mut self, out: &mut Vec<u8>) {
        self.replayed(out);
        if out[0] & 0xe0 == UNIFIED {
            return self.renumbered_unified(out);
        }
        let epoch = match self.below(8) {
            0 => 0,
            1 => 2,
            2 => u16::MAX,
            3 => self.random.next_u64() as u16,
            _ => 1,
        };
        let sequence = match self.below(4) {
            // Around the genuine ones, which also began at 0.
            0 => self.below(self.passed + 64) as u64,
            1 => (1 << 48) - 1 - self.random.below(4),
            _ => self.random.next_u64() >> 16,
        };
        if let Some(number) = out.get_mut(3..11) {
            number[..2].copy_from_slice(&epoch.to_be_bytes());
            number[2..].copy_from_slice(&sequence.to_be_bytes()[2..]);
        }
    }

    /// Two bits of the epoch, and what is written of the number, which nobody without keys can read (RFC 9147 section
    /// 4): whatever stands there is another one.
    fn renumbered_unified(&mut self, out: &mut [u8]) {
        if self.below(4) == 0 {
            out[0] ^= 1 + self.below(3) as u8;
        }
        let length = if out[0] & 0x08 == 0 { 1 } else { 2 };
        if let Some(number) = out.get_mut(1..1 + length) {
            self.random.fill(number);
        }
    }

    fn mutated(&mut self, out: &mut Vec<u8>) {
        let own = self.passed > 0 && self.random.chance(0.25);
        if own {
            self.replayed(out);
        } else {
            let choice = self.below(self.recorded.len());
            out.extend_from_slice(&self.recorded[choice]);
        }
        for _ in 0..=self.below(4) {
            self.damage(out);
        }
        if self.random.chance(0.5) {
            self.make_lengths_fit(out);
        }
    }

    /// One change.
    fn damage(&mut self, out: &mut Vec<u8>) {
        let place = self.below(out.len());
        let length = 1 + self.below(16);
        let end = (place + length).min(out.len());
        match self.below(7) {
            0 => out[place] ^= 1 << self.below(8),
            1 => out[place] = self.random.next_u64() as u8,
            2 => out[place] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            3 => out.truncate(place.max(1)),
            4 => out[place..end].fill(0xff),
            5 => drop(out.drain(place..end.min(place + out.len() - 1))),
            _ => {
                let mut noise = [0; 16];
                self.random.fill(&mut noise);
                out.splice(place..place, noise[..length].iter().copied());
            }
        }
    }

    /// Records become records again, and plaintext handshake messages whole ones.
    fn make_lengths_fit(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while rest.len() >= RECORD_HEADER {
            if !(20..=26).contains(&rest[0]) {
                rest[0] = 20 + self.below(4) as u8;
            }
            let room = rest.len() - RECORD_HEADER;
            let said = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            let length = if said <= room { said } else { room };
            rest[11..RECORD_HEADER].copy_from_slice(&(length as u16).to_be_bytes());
            let (record, following) = rest.split_at_mut(RECORD_HEADER + length);
            if record[0] == 22 && record[3..5] == [0, 0] && length >= HANDSHAKE_HEADER {
                let body = &((length - HANDSHAKE_HEADER) as u32).to_be_bytes()[1..];
                let message = &mut record[RECORD_HEADER..];
                message[1..4].copy_from_slice(body);
                message[6..9].fill(0);
                message[9..12].copy_from_slice(body);
            }
            rest = following;
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }
}

/// Every recorded datagram of the captures.
fn captures() -> Vec<Vec<u8>> {
    let vectors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let mut files: Vec<_> = ["dtls12-captures", "dtls13-captures"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(vectors.join(folder)).expect("the captures"))
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    // The order of a folder is nobody's promise, and the seed must decide alone.
    files.sort();
    files.iter().flat_map(|file| datagrams_of(&fs::read(file).expect("a capture"))).collect()
}

fn datagrams_of(json: &[u8]) -> Vec<Vec<u8>> {
    let capture: Value = serde_json::from_slice(json).expect("JSON");
    let datagrams = capture["datagrams"].as_array().expect("datagrams");
    datagrams.iter().map(|datagram| bytes_of(datagram["hex"].as_str().expect("hexadecimal"))).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("a digit") as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile(seed: u64) -> Hostile {
        let mut hostile = Hostile::new(seed, vec![vec![22; 100]]);
        hostile.saw(&[23; 60]);
        hostile
    }

    #[test]
    fn a_seed_gives_the_same_datagrams() {
        let [mut one, mut other, mut third] = [1, 1, 2].map(hostile);
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        let mut differ = 0;
        for class in Class::ALL.into_iter().cycle().take(4_000) {
            one.make(class, &mut a);
            other.make(class, &mut b);
            third.make(class, &mut c);
            assert!(a == b && !a.is_empty() && a.len() <= LONGEST);
            differ += usize::from(a != c);
        }
        assert!(differ > 2_000, "{differ}");
    }

    #[test]
    fn classes_are_what_they_say() {
        let mut hostile = hostile(3);
        let mut out = Vec::new();
        for _ in 0..1_000 {
            hostile.make(Class::Replayed, &mut out);
            assert!(out == [23; 60] || out == [22; 100]);
            hostile.make(Class::Renumbered, &mut out);
            let unchanged: Vec<_> =
                out.iter().enumerate().filter(|(place, _)| !(3..11).contains(place)).collect();
            assert!(unchanged.iter().all(|(_, byte)| **byte == out[0]));
        }
    }

    #[test]
    fn lengths_fit_in_about_half_of_the_mutations() {
        let mut hostile = hostile(4);
        let mut out = Vec::new();
        let fitting = (0..10_000)
            .filter(|_| {
                hostile.make(Class::Mutated, &mut out);
                let mut rest = &out[..];
                while rest.len() >= RECORD_HEADER {
                    let length = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
                    let Some(following) = rest.get(RECORD_HEADER + length..) else { return false };
                    rest = following;
                }
                rest.is_empty()
            })
            .count();
        assert!((4_000..8_000).contains(&fitting), "{fitting}");
    }
}
