//! A key log that a test can read. Owns the lines; what they mean is the test's.

use std::sync::Mutex;

use drystone_handshake::KeyLog;
use drystone_handshake::crypto::KeyLogLabel;

/// What one call of the key log says: label, client random, secret.
pub type Line = (KeyLogLabel, [u8; 32], Vec<u8>);

/// A key log in memory.
#[derive(Debug, Default)]
pub struct Lines(Mutex<Vec<Line>>);

impl Lines {
    /// The lines so far, in order.
    ///
    /// # Panics
    /// If a thread panicked while it logged.
    pub fn all(&self) -> Vec<Line> {
        self.0.lock().expect("no logger panics").clone()
    }
}

impl KeyLog for Lines {
    fn log(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("no logger panics").push((label, *client_random, secret.to_vec()));
    }
}
