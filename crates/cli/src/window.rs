//! How fast standard input is sent: as fast as answers come, and where none come, slowly enough for socket buffers. DTLS
//! itself has no flow control.

use std::time::Duration;

/// Packets without an answer, on the way or lost: few enough for every socket buffer.
const WINDOW: usize = 16;

/// How long a full window waits for an answer of a server that answers. Longer than busy machines let a process wait, so
/// that its socket buffer, which holds a few windows, does not overflow.
const LONG: Duration = Duration::from_secs(1);

/// The same for a server that does not answer: what it can read meanwhile.
const SHORT: Duration = Duration::from_millis(20);

/// Counts the packets that have no answer yet. Every packet that comes counts as one.
#[derive(Debug)]
pub(crate) struct Window {
    unanswered: usize,
    patience: Duration,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { unanswered: 0, patience: LONG }
    }

    /// Whether another packet may be sent.
    pub(crate) const fn is_open(&self) -> bool {
        self.unanswered < WINDOW
    }

    pub(crate) const fn sent(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// A packet came. A server that answers is waited for longer each time.
    pub(crate) fn received(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.patience = self.patience.saturating_mul(2).min(LONG);
    }

    /// Nothing has been sent or received for so long. Opens a full window if that is long enough; the next one is given half
    /// that time.
    pub(crate) fn silent(&mut self, silence: Duration) {
        if !self.is_open() && silence >= self.patience {
            self.unanswered = 0;
            self.patience = (self.patience / 2).max(SHORT);
        }
    }

    /// How long to wait for a packet before [`silent`](Self::silent) can have an effect; `None` if the window is open.
    pub(crate) const fn wait(&self) -> Option<Duration> {
        if self.is_open() { None } else { Some(self.patience) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(window: &mut Window) -> usize {
        let mut sent = 0;
        while window.is_open() {
            window.sent();
            sent += 1;
        }
        sent
    }

    #[test]
    fn each_answer_lets_one_packet_out() {
        let mut window = Window::new();
        assert_eq!((fill(&mut window), window.wait()), (16, Some(LONG)));
        window.silent(LONG / 2);
        assert!(!window.is_open());
        window.received();
        assert_eq!((fill(&mut window), window.wait()), (1, Some(LONG)));
    }

    #[test]
    fn a_server_that_never_answers_soon_gets_a_window_every_20_ms() {
        let mut window = Window::new();
        let mut waited = Duration::ZERO;
        for _ in 0..10 {
            fill(&mut window);
            let wait = window.wait().unwrap();
            waited += wait;
            window.silent(wait);
            assert!(window.is_open());
        }
        assert!((LONG..LONG * 5 / 2).contains(&waited), "{waited:?}");
        fill(&mut window);
        assert_eq!(window.wait(), Some(SHORT));
        // Answers make it wait again.
        for _ in 0..8 {
            window.received();
        }
        fill(&mut window);
        assert_eq!(window.wait(), Some(LONG));
    }

    /// A socket buffer of the usual 208 KiB holds some 90 packets: a server that does not run for 1.9 s still loses none.
    #[test]
    fn silence_does_not_flood() {
        let mut window = Window::new();
        let (mut waited, mut sent) = (Duration::ZERO, 0);
        while waited <= Duration::from_millis(1900) {
            sent += fill(&mut window);
            let wait = window.wait().unwrap();
            waited += wait;
            window.silent(wait);
        }
        assert!(sent <= 80, "{sent}");
    }
}
