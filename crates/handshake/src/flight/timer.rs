//! When to send a flight again, and how small to cut it then (RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2).
//! Owns the back-off and its limits; time is an argument, and nothing is sent from here.

use core::time::Duration;

/// The least MTU that a flight is ever cut to, in bytes of UDP payload: the setting's lower end as well.
pub(crate) const MINIMUM_MTU: usize = 228;

/// What every IPv4 host must be able to receive (576 bytes) less the largest IP header and UDP's own.
const CAUTIOUS_MTU: usize = 508;

/// Expiries of one flight after which its size is taken for the cause of the losses.
const CAUTIOUS_AFTER: u32 = 2;
const MINIMUM_AFTER: u32 = 4;

/// How long to wait for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimerSettings {
    /// The wait after a flight is sent for the first time. Default 400 ms: shorter than the second that both
    /// RFCs recommend (SHOULD), on purpose, as RFC 9147 section 5.8.2 permits for real-time protocols.
    pub(crate) initial: Duration,
    /// The wait doubles with each retransmission, up to this. Default 60 s.
    pub(crate) maximum: Duration,
    /// How often a flight is sent again before the handshake is given up. Default 12.
    pub(crate) retransmissions: u32,
}

impl Default for TimerSettings {
    fn default() -> Self {
        Self { initial: Duration::from_millis(400), maximum: Duration::from_secs(60), retransmissions: 12 }
    }
}

/// What to do when the timer has expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// Send what is not acknowledged again. The timer runs once more, twice as long.
    Retransmit,
    /// The flight was sent as often as the settings allow. The timer has stopped.
    GiveUp,
}

/// The retransmission timer of one association. Times are durations since an origin of the caller's choice.
#[derive(Clone, Debug)]
pub(crate) struct RetransmitTimer {
    settings: TimerSettings,
    /// When the present wait began; `None` while stopped.
    started: Option<Duration>,
    /// How often the timer has expired for the present flight: how small to cut it.
    expirations: u32,
    /// How often of these since the last sign of life from the peer: how long to wait.
    backoff: u32,
    /// When the flight was last sent again, by timer or in answer to a repeat.
    last_repeat: Option<Duration>,
}

impl RetransmitTimer {
    /// A stopped timer.
    pub(crate) const fn new(settings: TimerSettings) -> Self {
        Self { settings, started: None, expirations: 0, backoff: 0, last_repeat: None }
    }

    /// A *new* flight was sent: waits for the initial time.
    ///
    /// RFC 9147 section 5.8.2 would keep a grown value until a message passes without loss; a new flight is
    /// already proof that the path lives.
    pub(crate) fn start(&mut self, now: Duration) {
        *self = Self { started: Some(now), ..Self::new(self.settings) };
    }

    /// The peer has answered a part of the flight, or sent its own again: the path lives, and what is missing was
    /// lost by chance, not by congestion. Waits for the initial time again from now, but not longer than before.
    pub(crate) fn sign_of_life(&mut self, now: Duration) {
        let Some(deadline) = self.deadline() else { return };
        self.backoff = 0;
        self.started = Some(now.min(deadline.saturating_sub(self.settings.initial)));
    }

    /// Nothing is waited for any more.
    pub(crate) fn stop(&mut self) {
        self.started = None;
        self.expirations = 0;
        self.backoff = 0;
    }

    /// When to call [`expire`](Self::expire), in whole microseconds; `None` while stopped.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        // Rounded up, so that a caller with a clock of microseconds is never early.
        Some(whole_microseconds(self.started?.saturating_add(self.timeout())))
    }

    /// Acts on the passing of time; `None` while stopped or before the deadline.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Expired> {
        if now < self.deadline()? {
            return None;
        }
        if self.backoff >= self.settings.retransmissions {
            self.stop();
            return Some(Expired::GiveUp);
        }
        self.expirations = self.expirations.saturating_add(1);
        self.backoff = self.backoff.saturating_add(1);
        self.started = Some(now);
        self.last_repeat = Some(now);
        Some(Expired::Retransmit)
    }

    /// The present wait: of the running timer, or of the next to start.
    pub(crate) fn timeout(&self) -> Duration {
        let doublings = 1u32.checked_shl(self.backoff).unwrap_or(u32::MAX);
        self.settings.initial.saturating_mul(doublings).min(self.settings.maximum)
    }

    /// Changes the initial wait. A running timer is measured anew from the start of its wait.
    pub(crate) fn set_initial(&mut self, initial: Duration) {
        self.settings.initial = initial;
    }

    /// The size in bytes to cut the present flight's datagrams to, where the path is said to carry `mtu`: after
    /// two expiries at most 508, after four 228 (RFC 6347 section 4.1.1.1, RFC 9147 section 4.4).
    pub(crate) fn effective_mtu(&self, mtu: usize) -> usize {
        match self.expirations {
            MINIMUM_AFTER.. => mtu.min(MINIMUM_MTU),
            CAUTIOUS_AFTER.. => mtu.min(CAUTIOUS_MTU),
            _ => mtu,
        }
    }

    /// Whether to answer a repeat of the peer's flight now. If so, the answer is taken as given.
    ///
    /// At most once per half of the present wait, retransmissions included: else two ends whose timers cross
    /// would answer each other without end.
    pub(crate) fn may_answer_repeat(&mut self, now: Duration) -> bool {
        let half = self.timeout().checked_div(2).unwrap_or_default();
        let mut limit = AnswerLimit { interval: half, last: self.last_repeat };
        let may_answer = limit.may_answer(now);
        self.last_repeat = limit.last;
        may_answer
    }

    /// The limit on answers to repeats once nothing is waited for any more: half of the initial wait.
    pub(crate) fn answer_limit(&self) -> AnswerLimit {
        let wait = self.settings.initial.min(self.settings.maximum);
        AnswerLimit { interval: wait.checked_div(2).unwrap_or_default(), last: None }
    }
}

/// How often repeats of the peer's flight are answered: at most once per interval.
#[derive(Debug)]
pub(crate) struct AnswerLimit {
    interval: Duration,
    last: Option<Duration>,
}

impl AnswerLimit {
    /// Whether to answer now. If so, the answer is taken as given.
    pub(crate) fn may_answer(&mut self, now: Duration) -> bool {
        let too_soon = self.last.is_some_and(|last| now < last.saturating_add(self.interval));
        if !too_soon {
            self.last = Some(now);
        }
        !too_soon
    }
}

fn whole_microseconds(time: Duration) -> Duration {
    let excess = time.subsec_nanos() % 1000;
    let missing = if excess == 0 { 0 } else { 1000u32.saturating_sub(excess) };
    time.saturating_add(Duration::from_nanos(missing.into()))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const START: Duration = Duration::from_secs(1000);

    fn started() -> RetransmitTimer {
        let mut timer = RetransmitTimer::new(TimerSettings::default());
        timer.start(START);
        timer
    }

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn doubles_up_to_the_maximum_and_gives_up_after_twelve() {
        let mut timer = started();
        let mut now = START;
        let mut waits = Vec::new();
        loop {
            let deadline = timer.deadline().unwrap();
            waits.push((deadline - now).as_millis());
            now = deadline;
            match timer.expire(now).unwrap() {
                Expired::Retransmit => {}
                Expired::GiveUp => break,
            }
        }
        let expected =
            [400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000, 60_000, 60_000];
        assert_eq!(waits, expected);
        assert_eq!((timer.deadline(), timer.expire(now * 2)), (None, None));
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_the_scale() {
        let settings =
            TimerSettings { initial: Duration::MAX, maximum: Duration::MAX, retransmissions: u32::MAX };
        let mut timer = RetransmitTimer::new(settings);
        timer.start(Duration::MAX);
        assert_eq!(timer.deadline(), Some(Duration::MAX));
        for _ in 0..40 {
            assert_eq!(timer.expire(Duration::MAX), Some(Expired::Retransmit));
        }
        assert_eq!(timer.timeout(), Duration::MAX);
    }

    #[test]
    fn an_early_call_does_nothing() {
        let mut timer = started();
        let deadline = timer.deadline().unwrap();
        assert_eq!(timer.expire(START), None);
        assert_eq!(timer.expire(Duration::ZERO), None, "a clock that went backwards");
        assert_eq!(timer.expire(deadline - Duration::from_micros(1)), None);
        assert_eq!(timer.deadline(), Some(deadline));
        assert_eq!(timer.expire(deadline), Some(Expired::Retransmit));
    }

    #[test]
    fn deadlines_are_whole_microseconds_and_never_early() {
        let mut timer = RetransmitTimer::new(TimerSettings::default());
        for nanoseconds in [0, 1, 999, 1000, 1001, 999_999_999] {
            let start = Duration::new(7, nanoseconds);
            timer.start(start);
            let deadline = timer.deadline().unwrap();
            assert_eq!(deadline.subsec_nanos() % 1000, 0);
            let late = deadline - (start + milliseconds(400));
            assert!(late < Duration::from_micros(1), "{late:?}");
        }
    }

    #[test]
    fn a_new_flight_starts_at_the_initial_value() {
        let mut timer = started();
        for _ in 0..5 {
            timer.expire(timer.deadline().unwrap());
        }
        assert_eq!(timer.effective_mtu(1200), 228);
        timer.start(START * 2);
        assert_eq!(timer.deadline(), Some(START * 2 + milliseconds(400)));
        assert_eq!(timer.effective_mtu(1200), 1200);
    }

    #[test]
    fn a_running_timer_is_rescaled_from_its_start() {
        let mut timer = started();
        timer.expire(START + milliseconds(400));
        assert_eq!(timer.deadline(), Some(START + milliseconds(1200)));
        timer.set_initial(milliseconds(100));
        assert_eq!(timer.deadline(), Some(START + milliseconds(600)));
    }

    #[test]
    fn a_sign_of_life_ends_the_backoff_but_not_the_caution_about_size() {
        let mut timer = started();
        let mut now = START;
        for _ in 0..4 {
            now = timer.deadline().unwrap();
            timer.expire(now);
        }
        assert_eq!(timer.deadline(), Some(now + milliseconds(6400)));
        timer.sign_of_life(now + milliseconds(1000));
        assert_eq!(timer.deadline(), Some(now + milliseconds(1400)));
        assert_eq!(timer.effective_mtu(1200), 228);
        timer.sign_of_life(now + milliseconds(1300));
        assert_eq!(timer.deadline(), Some(now + milliseconds(1400)), "never later than before");
    }

    #[test]
    fn a_stopped_timer_is_not_started_by_a_sign_of_life() {
        let mut timer = started();
        timer.stop();
        timer.sign_of_life(START);
        assert_eq!(timer.deadline(), None);
    }

    #[test]
    fn fragments_shrink_after_the_second_and_the_fourth_expiry() {
        let mut timer = started();
        let sizes: Vec<_> = (0..6)
            .map(|_| {
                let sizes = (timer.effective_mtu(1200), timer.effective_mtu(300));
                timer.expire(timer.deadline().unwrap());
                sizes
            })
            .collect();
        assert_eq!(sizes, [(1200, 300), (1200, 300), (508, 300), (508, 300), (228, 228), (228, 228)]);
    }

    #[test]
    fn threat_24_a_repeat_is_answered_once_per_half_timer() {
        let mut timer = started();
        let answers = (0..400).filter(|&ms| timer.may_answer_repeat(START + milliseconds(ms))).count();
        assert_eq!(answers, 2, "at 0 and at 200 ms");
        assert!(!timer.may_answer_repeat(Duration::ZERO), "a clock that went backwards");
        timer.expire(START + milliseconds(400));
        assert!(!timer.may_answer_repeat(START + milliseconds(799)), "the timer has just sent it");
        assert!(timer.may_answer_repeat(START + milliseconds(800)));
    }

    #[test]
    fn threat_26_the_last_flight_is_repeated_at_half_the_initial_value() {
        let mut timer = started();
        for _ in 0..6 {
            timer.expire(timer.deadline().unwrap());
        }
        let mut limit = timer.answer_limit();
        let from = START * 2;
        let answers = (0..10_000).filter(|&ms| limit.may_answer(from + milliseconds(ms))).count();
        assert_eq!(answers, 50, "10 s in steps of 200 ms");
    }
}
