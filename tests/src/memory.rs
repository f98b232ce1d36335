//! Looks for secrets in the memory of this process, as whoever reads a core dump or a swap file would. Owns what was
//! learnt and the search; it must not know where a secret came from. Linux only.
//!
//! What is learnt is kept in a form that the search does not find. The search reads every writable mapping through
//! `/proc/self/mem`: heaps, freed parts included, stacks, also below what is in use, and static data.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::{fmt, thread};

use drystone_handshake::KeyLog;
use drystone_handshake::crypto::KeyLogLabel;

/// Bytes of a secret that count as found. Allocators overwrite the first 16 bytes of what is freed, so that a whole secret
/// would often be missed; 8 bytes are hardly ever equal by chance.
const PIECE: usize = 8;

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Makes a secret unlike itself.
const MASK: u8 = 0xa5;

/// Held from the first secret to the end of the search: what another thread's search reads lies in its buffer and on its
/// stack.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Secrets that must not be found.
#[derive(Debug, Default)]
pub struct Learnt(Mutex<Vec<(String, Vec<u8>)>>);

/// A piece of a secret, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the secret is called, by all its names.
    pub secret: String,
    /// Where in the secret the piece begins.
    pub offset: usize,
    /// The mapping: a file's path, `[heap]`, `[stack]`, or nothing for others, the stacks of threads among them.
    pub mapping: String,
    /// The address of the piece.
    pub address: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {} in '{}' at {:#x}", self.secret, self.offset, self.mapping, self.address)
    }
}

impl Learnt {
    /// Remembers a secret.
    ///
    /// # Panics
    /// If a thread panicked while it did so.
    pub fn note(&self, name: impl Into<String>, secret: &[u8]) {
        self.note_bytes(name, secret.iter().copied());
    }

    /// Remembers a secret that is given byte by byte, so that it lies nowhere.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    pub fn note_bytes(&self, name: impl Into<String>, secret: impl Iterator<Item = u8>) {
        let masked = secret.map(|byte| byte ^ MASK).collect();
        self.0.lock().expect("nobody panics with the lock").push((name.into(), masked));
    }

    /// Forgets what another has learnt too: constants are no secrets.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    pub fn forget_known_to(&self, other: &Self) {
        let other = other.0.lock().expect("nobody panics with the lock");
        let mut own = self.0.lock().expect("nobody panics with the lock");
        own.retain(|(_, secret)| !other.iter().any(|(_, known)| known == secret));
    }

    /// The names of the secrets, in the order in which they were learnt.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    pub fn names(&self) -> Vec<String> {
        let secrets = self.0.lock().expect("nobody panics with the lock");
        secrets.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Every piece of every secret that lies in this process's memory.
    ///
    /// # Panics
    /// If the system does not tell of its memory.
    pub fn find(&self) -> Vec<Found> {
        let secrets = self.0.lock().expect("nobody panics with the lock");
        let mut pieces = Pieces::new();
        for (name, secret) in secrets.iter() {
            for (piece, at) in secret.chunks_exact(PIECE).zip((0..).step_by(PIECE)) {
                let piece = piece.try_into().expect("a chunk has its length");
                let (names, _) = pieces.entry(piece).or_insert_with(|| (name.clone(), at));
                if !names.split(" = ").any(|known| known == name) {
                    *names = format!("{names} = {name}");
                }
            }
        }
        let search = Search::new(&pieces);
        let memory = File::open("/proc/self/mem").expect("Linux shows a process its own memory");
        let mappings = fs::read_to_string("/proc/self/maps").expect("Linux shows a process its mappings");
        mappings.lines().filter_map(writable).flat_map(|mapping| search.mapping(&memory, &mapping)).collect()
    }

    /// Runs `code` on a thread of its own, and then looks for what was learnt while that thread still stands, so that what
    /// `code` has left on its stack is there to be found. What it returns is dropped after the search. Calls of other threads
    /// wait for each other.
    ///
    /// # Panics
    /// If `code` panics.
    pub fn find_after<T>(&self, code: impl FnOnce() -> T + Send) -> Vec<Found> {
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, is_done) = channel();
        let (leave, may_leave) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let kept = code();
                let _ = done.send(());
                let _ = may_leave.recv();
                drop(kept);
            });
            let found = is_done.recv().map_or_else(|_| Vec::new(), |()| self.find());
            drop(leave);
            found
        })
    }
}

impl KeyLog for Learnt {
    fn log(&self, label: KeyLogLabel, _: &[u8; 32], secret: &[u8]) {
        self.note(label.to_string(), secret);
    }
}

/// What lies between two addresses.
struct Mapping<'a> {
    start: usize,
    end: usize,
    name: &'a str,
}

/// The mapping of a line of `/proc/self/maps`, if it can be written: nothing else can hold what the program made.
fn writable(line: &str) -> Option<Mapping<'_>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_writable = fields.next()?.starts_with("rw");
    let address = |text| usize::from_str_radix(text, 16).ok();
    let name = fields.nth(3).unwrap_or_default();
    is_writable.then_some(Mapping { start: address(start)?, end: address(end)?, name })
}

/// The pieces of all secrets, masked, with the names of the secret and the place in it.
type Pieces = HashMap<[u8; PIECE], (String, usize)>;

struct Search<'a> {
    pieces: &'a Pieces,
    /// Which first two bytes any piece has.
    begins: Vec<bool>,
}

impl<'a> Search<'a> {
    fn new(pieces: &'a Pieces) -> Self {
        let mut begins = vec![false; 1 << 16];
        for [first, second, ..] in pieces.keys() {
            begins[usize::from(u16::from_be_bytes([*first, *second]))] = true;
        }
        Self { pieces, begins }
    }

    fn mapping(&self, memory: &File, mapping: &Mapping<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut buffer = vec![0; CHUNK];
        let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + CHUNK;
        let mut address = mapping.start;
        while address < mapping.end {
            let wanted = CHUNK.min(mapping.end - address);
            // A mapping may have gone, or be a device's.
            let Ok(read) = memory.read_at(&mut buffer[..wanted], address as u64) else { break };
            for (window, at) in buffer[..read].windows(PIECE).zip(address..) {
                if let Some((secret, offset)) = self.piece(window)
                    && !own.contains(&at)
                {
                    let (secret, mapping) = (secret.clone(), mapping.name.to_owned());
                    found.push(Found { secret, offset: *offset, mapping, address: at });
                }
            }
            if read < PIECE {
                break;
            }
            // Pieces that lie across the end of a chunk.
            address += if read < wanted || address + read == mapping.end { read } else { read - PIECE + 1 };
        }
        found
    }

    fn piece(&self, window: &[u8]) -> Option<&'a (String, usize)> {
        let begin = u16::from_be_bytes([window[0] ^ MASK, window[1] ^ MASK]);
        if !self.begins[usize::from(begin)] {
            return None;
        }
        let mut masked: [u8; PIECE] = window.try_into().ok()?;
        masked.iter_mut().for_each(|byte| *byte ^= MASK);
        self.pieces.get(&masked)
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use zeroize::{Zeroize, Zeroizing};

    use super::*;

    /// A random secret that lies nowhere but in its box.
    fn secret() -> Zeroizing<Vec<u8>> {
        let mut secret = Zeroizing::new(vec![0; 48]);
        getrandom::fill(&mut secret).expect("random numbers");
        secret
    }

    #[test]
    fn a_wiped_secret_is_not_found() {
        let learnt = Learnt::default();
        let found = learnt.find_after(|| {
            let secret = secret();
            learnt.note("secret", &secret);
            assert!(!learnt.find().is_empty(), "it is there while it is in use");
        });
        assert_eq!(found, []);
    }

    #[test]
    fn a_secret_in_freed_memory_is_found() {
        let learnt = Learnt::default();
        let found = learnt.find_after(|| {
            let secret = secret();
            learnt.note("secret", &secret);
            drop(black_box(secret.to_vec()));
        });
        assert!(found.iter().any(|found| found.offset == 40), "{found:?}");
    }

    #[test]
    fn a_secret_on_a_stack_that_is_no_longer_in_use_is_found() {
        #[inline(never)]
        fn copy(secret: &[u8], depth: usize) -> u8 {
            let mut array = [0; 1024];
            array[..48].copy_from_slice(secret);
            let deeper = if depth > 0 { copy(secret, depth - 1) } else { 0 };
            black_box(&mut array)[0] ^ deeper
        }
        let learnt = Learnt::default();
        let found = learnt.find_after(|| {
            let mut secret = secret();
            learnt.note("secret", &secret);
            black_box(copy(&secret, 8));
            secret.zeroize();
        });
        assert!(found.len() > 40, "{found:?}");
    }

    #[test]
    fn what_both_have_learnt_is_forgotten() {
        let (one, other) = (Learnt::default(), Learnt::default());
        one.note("own", &[1; 8]);
        one.note("constant", &[2; 8]);
        other.note("known", &[2; 8]);
        one.forget_known_to(&other);
        assert_eq!(one.names(), ["own"]);
    }
}
