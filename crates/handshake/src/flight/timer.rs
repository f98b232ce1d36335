//! When to send a flight again (RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2). Owns the back-off and its limits; how small
//! to cut a flight is in `path_size`. Time is an argument, and nothing is sent from here.

use core::time::Duration;

use super::path_size::PathSize;

/// The least wait before a flight that has arrived is sent again, to make the peer send the rest of its own.
const ANSWERED_WAIT: Duration = Duration::from_secs(1);

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
    /// Whether repeated loss is taken for a sign that datagrams are too large. Default: true.
    pub(crate) shrinks: bool,
}

impl Default for TimerSettings {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(400),
            maximum: Duration::from_secs(60),
            retransmissions: 12,
            shrinks: true,
        }
    }
}

/// What to do when the timer has expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// Send what is not acknowledged again. The timer runs once more, twice as long.
    Retransmit,
    /// Send the last message of the flight again, and nothing else: a part of the peer's next flight is here, and nothing
    /// has come for half the wait. The timer goes on as it was.
    Probe,
    /// The flight was sent as often as the settings allow. The timer has stopped.
    GiveUp,
}

/// The retransmission timer of one association. Times are durations since an origin of the caller's choice.
#[derive(Clone, Debug)]
pub(crate) struct RetransmitTimer {
    settings: TimerSettings,
    /// The wait before the first retransmission of the present flight.
    wait: Duration,
    /// The last round trip measured.
    round_trip: Option<Duration>,
    state: State,
    /// When the present wait began; `None` while stopped, and until the present flight is sent.
    started: Option<Duration>,
    /// The transmissions of the present flight; `None` if there are none.
    sent: Option<Transmissions>,
    /// When to send a probe.
    probe_at: Option<Duration>,
    /// How often the timer has expired for the present flight: how small to cut it.
    expirations: u32,
    /// How often of these since the last sign of life from the peer: how long to wait.
    backoff: u32,
    size: PathSize,
}

/// What is known of the present flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing is waited for.
    Stopped,
    /// It is not sent yet.
    Unsent,
    /// The peer may not have it.
    Unanswered,
    /// A part of the peer's next flight is here, in a version without ACKs: the peer has it.
    Answered {
        /// Whether the present wait has been lengthened for that.
        is_lengthened: bool,
    },
}

/// When a flight was sent, in whole or in part.
#[derive(Clone, Copy, Debug)]
struct Transmissions {
    /// When for the last time, which is the first one unless it is repeated.
    last: Duration,
    is_repeated: bool,
    /// Whether its round trip was measured, or found to be unmeasurable.
    is_measured: bool,
}

impl RetransmitTimer {
    /// A stopped timer.
    pub(crate) const fn new(settings: TimerSettings) -> Self {
        Self {
            wait: settings.initial,
            settings,
            round_trip: None,
            state: State::Stopped,
            started: None,
            sent: None,
            probe_at: None,
            expirations: 0,
            backoff: 0,
            size: PathSize::of_client(),
        }
    }

    /// A stopped timer of an end that speaks only when it is spoken to.
    pub(crate) const fn of_server(settings: TimerSettings) -> Self {
        Self { size: PathSize::of_server(), ..Self::new(settings) }
    }

    /// There is a new flight. The timer runs from the moment when the flight is [`sent`](Self::sent).
    pub(crate) fn arm(&mut self) {
        let Self { wait, round_trip, mut size, .. } = *self;
        // The flight before this one, if there was one, was answered.
        size.begin_flight(self.sent.is_some() || self.started.is_some());
        *self = Self { wait, round_trip, size, state: State::Unsent, ..Self::new(self.settings) };
    }

    /// Whether the present flight waits to be sent for the first time.
    pub(crate) fn is_unsent(&self) -> bool {
        self.state == State::Unsent
    }

    /// A datagram of the present flight is sent, of so many bytes.
    pub(crate) fn sent(&mut self, now: Duration, length: usize) {
        if self.is_unsent() {
            self.start(now);
            self.sent = Some(Transmissions { last: now, is_repeated: false, is_measured: false });
        }
        self.size.sent(length);
    }

    /// Waits for the peer from now on, with nothing to send.
    pub(crate) fn start(&mut self, now: Duration) {
        self.arm();
        self.state = State::Unanswered;
        self.started = Some(now);
    }

    /// The peer has the present flight, as its answer shows. `sent` is when the very copy was sent that it answers, where
    /// that can be told.
    ///
    /// RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2: a wait that has grown is kept until a round trip is measured, on a
    /// flight that was sent only once; from then on flights begin with 1.5 times the round trip, but not less than the
    /// initial wait. Where the answer tells which of several copies it belongs to, the round trip is measured all the same:
    /// what forbids it is that this is not known as a rule.
    pub(crate) fn answered(&mut self, now: Duration, sent: Option<Duration>) {
        let Some(transmissions) = self.sent.as_mut().filter(|sent| !sent.is_measured) else { return };
        transmissions.is_measured = true;
        let Transmissions { last, is_repeated, .. } = *transmissions;
        if let Some(sent) = sent.or((!is_repeated).then_some(last)) {
            self.round_trip = Some(now.saturating_sub(sent));
        }
        self.wait = match self.round_trip {
            None => self.grown(),
            Some(_) => self.first_wait(),
        };
    }

    /// Whether a part of the peer's next flight is here, so that ours has arrived.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered { .. })
    }

    /// Something new of the peer's next flight has come, in a version without ACKs, and more is missing.
    ///
    /// The peer sends the rest again when its own timer expires. To send our whole flight before would keep peers busy that
    /// read one record for each expiry of theirs, so that they never come to it. So the present wait lasts at least a second
    /// from now, once, and each further one a second. Where nothing more comes for half the wait, a probe goes out before.
    pub(crate) fn partly_answered(&mut self, now: Duration) {
        let Some(started) = self.started else { return };
        self.probe_at = Some(now.saturating_add(self.wait.checked_div(2).unwrap_or_default()));
        if self.state == (State::Answered { is_lengthened: true }) {
            return;
        }
        let deadline = started.saturating_add(self.timeout()).max(now.saturating_add(ANSWERED_WAIT));
        self.state = State::Answered { is_lengthened: true };
        self.started = Some(deadline.saturating_sub(self.timeout()));
    }

    /// The peer has answered a part of the flight, or sent its own again: the path lives, and what is missing was
    /// lost by chance, not by congestion. Waits for the first wait again from now, but not longer than before.
    pub(crate) fn sign_of_life(&mut self, now: Duration) {
        let Some(started) = self.started else { return };
        let deadline = started.saturating_add(self.timeout());
        self.backoff = 0;
        self.started = Some(now.min(deadline.saturating_sub(self.timeout())));
    }

    /// Nothing is waited for any more.
    pub(crate) fn stop(&mut self) {
        self.arm();
        self.state = State::Stopped;
    }

    /// When to call [`expire`](Self::expire), in whole microseconds; `None` while stopped.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let end = self.started?.saturating_add(self.timeout());
        // Rounded up, so that a caller with a clock of microseconds is never early.
        Some(whole_microseconds(self.probe_at.map_or(end, |probe| probe.min(end))))
    }

    /// Acts on the passing of time; `None` while stopped or before the deadline, or where it passed to no effect.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Expired> {
        if now < self.deadline()? {
            return None;
        }
        let probe_is_due = self.probe_at.take_if(|at| *at <= now).is_some();
        // Where the caller comes so late that both are due, the flight alone is sent: no deadline stays in the past.
        if probe_is_due && self.deadline().is_some_and(|end| now < end) {
            return self.may_probe(now).then_some(Expired::Probe);
        }
        if self.backoff >= self.settings.retransmissions {
            self.stop();
            return Some(Expired::GiveUp);
        }
        self.expirations = self.expirations.saturating_add(1);
        self.backoff = self.backoff.saturating_add(1);
        self.started = Some(now);
        self.note_repeat(now);
        if self.settings.shrinks {
            self.size.shrink(self.expirations);
        }
        if let State::Answered { is_lengthened } = &mut self.state {
            *is_lengthened = false;
        }
        Some(Expired::Retransmit)
    }

    /// The present wait: of the running timer, or of the next to start.
    pub(crate) fn timeout(&self) -> Duration {
        let least = if self.is_answered() { ANSWERED_WAIT } else { Duration::ZERO };
        self.grown().max(least)
    }

    /// What a flight begins to wait with on this path, whatever was lost: 1.5 times the round trip, but not less than the
    /// initial wait.
    pub(crate) fn first_wait(&self) -> Duration {
        let round_trip = self.round_trip.unwrap_or_default();
        let half = round_trip.checked_div(2).unwrap_or_default();
        round_trip.saturating_add(half).max(self.settings.initial).min(self.settings.maximum)
    }

    /// The first wait, doubled for each expiry.
    fn grown(&self) -> Duration {
        let doublings = 1u32.checked_shl(self.backoff).unwrap_or(u32::MAX);
        self.wait.saturating_mul(doublings).min(self.settings.maximum)
    }

    /// Changes the initial wait, and forgets what was measured. A running timer is measured anew from the start of its
    /// wait.
    pub(crate) fn set_initial(&mut self, initial: Duration) {
        self.settings.initial = initial;
        self.wait = initial;
        self.round_trip = None;
    }

    /// The size in bytes to cut datagrams to, where the path is said to carry `mtu`.
    pub(crate) fn effective_mtu(&self, mtu: usize) -> usize {
        self.size.cut(mtu)
    }

    /// The size that the path was found to carry, in bytes, if larger datagrams did not get through.
    pub(crate) fn path_size(&self) -> Option<usize> {
        self.size.found().map(usize::from)
    }

    /// Whether to answer a repeat of the peer's flight now. If so, the answer is taken as given.
    ///
    /// At most once per half of the present wait, retransmissions included: else two ends whose timers cross would answer
    /// each other without end. The first transmission counts too, so that two copies of a message that arrive together
    /// bring one flight; but no longer than half a round trip, as far as that is known: what comes later may say that the
    /// flight was lost.
    pub(crate) fn may_answer_repeat(&mut self, now: Duration) -> bool {
        let half = self.grown().checked_div(2).unwrap_or_default();
        let interval = match (&self.sent, self.round_trip) {
            (Some(Transmissions { is_repeated: false, .. }), Some(round_trip)) => {
                half.min(round_trip.checked_div(2).unwrap_or_default())
            }
            _ => half,
        };
        self.may_send(now, interval)
    }

    /// Whether to send now what the peer says that it misses. If so, that is taken as done. At most once per half of the
    /// present wait, but for the first time at once.
    pub(crate) fn may_send_missing(&mut self, now: Duration) -> bool {
        self.may_send_again(now, self.grown())
    }

    /// Whether to send a probe now. If so, that is taken as done. At most once per half of the first wait, but for the first
    /// time at once.
    pub(crate) fn may_probe(&mut self, now: Duration) -> bool {
        self.probe_at = None;
        self.may_send_again(now, self.wait)
    }

    fn may_send_again(&mut self, now: Duration, wait: Duration) -> bool {
        let is_repeated = self.sent.is_some_and(|sent| sent.is_repeated);
        let half = wait.checked_div(2).unwrap_or_default();
        self.may_send(now, if is_repeated { half } else { Duration::ZERO })
    }

    fn may_send(&mut self, now: Duration, interval: Duration) -> bool {
        let mut limit = AnswerLimit { interval, last: self.sent.map(|sent| sent.last) };
        let may_send = limit.may_answer(now);
        if may_send {
            self.note_repeat(now);
        }
        may_send
    }

    fn note_repeat(&mut self, now: Duration) {
        if let Some(sent) = &mut self.sent {
            sent.last = now;
            sent.is_repeated = true;
        }
    }

    /// The limit on answers to repeats once nothing is waited for any more: half of the initial wait. The flight that is
    /// repeated then is sent now, which counts as an answer.
    pub(crate) fn answer_limit(&self, now: Duration) -> AnswerLimit {
        let wait = self.settings.initial.min(self.settings.maximum);
        AnswerLimit { interval: wait.checked_div(2).unwrap_or_default(), last: Some(now) }
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
mod tests;
