//! When to send a flight again, and how small to cut it then (RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2).
//! Owns the back-off and its limits; time is an argument, and nothing is sent from here.

use core::time::Duration;

/// The least MTU that a flight is ever cut to, in bytes of UDP payload: the setting's lower end as well.
pub(crate) const MINIMUM_MTU: usize = 228;

/// What every IPv4 host must be able to receive (576 bytes) less the largest IP header and UDP's own.
const CAUTIOUS_MTU: usize = 508;

/// Expiries of one flight after which its size is taken for the cause of the losses.
const CAUTIOUS_AFTER: u32 = 3;
const MINIMUM_AFTER: u32 = 5;

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
    /// The largest datagram of the present flight since its size was last changed, in bytes.
    largest: u16,
    /// The largest datagram of an answered flight: the path carries that.
    got_through: u16,
    /// What datagrams are cut to. It stays for the flights that follow if the peer was there when the flight began: silence
    /// before the first answer says nothing of sizes.
    cut: Option<u16>,
    /// Whether the peer was heard before the present flight.
    is_peer_there: bool,
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
            largest: 0,
            got_through: 0,
            cut: None,
            is_peer_there: false,
        }
    }

    /// A stopped timer of an end that speaks only when it is spoken to.
    pub(crate) const fn of_server(settings: TimerSettings) -> Self {
        Self { is_peer_there: true, ..Self::new(settings) }
    }

    /// There is a new flight. The timer runs from the moment when the flight is [`sent`](Self::sent).
    pub(crate) fn arm(&mut self) {
        let Self { wait, round_trip, is_peer_there, .. } = *self;
        let cut = self.path_size_found();
        // The flight before this one was answered.
        let is_peer_there = is_peer_there || self.sent.is_some() || self.started.is_some();
        let got_through = self.got_through.max(self.largest);
        let (state, fresh) = (State::Unsent, Self::new(self.settings));
        *self = Self { wait, round_trip, got_through, cut, is_peer_there, state, ..fresh };
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
        self.largest = self.largest.max(u16::try_from(length).unwrap_or(u16::MAX));
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
        self.shrink();
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
        self.cut.map_or(mtu, |cut| mtu.min(cut.into()))
    }

    /// The size that the path was found to carry, in bytes, if larger datagrams did not get through.
    pub(crate) fn path_size(&self) -> Option<usize> {
        self.path_size_found().map(usize::from)
    }

    fn path_size_found(&self) -> Option<u16> {
        self.cut.filter(|_| self.is_peer_there)
    }

    /// After three expiries of a flight datagrams have at most 508 bytes, after five 228 (RFC 6347 section 4.1.1.1, RFC 9147
    /// section 4.4), but only if it had larger ones, and larger ones than have got through: else their size is not what loses
    /// them.
    fn shrink(&mut self) {
        let size = match self.expirations {
            MINIMUM_AFTER.. => MINIMUM_MTU,
            CAUTIOUS_AFTER.. => CAUTIOUS_MTU,
            _ => return,
        };
        let may_be_too_large = usize::from(self.largest) > size && self.largest > self.got_through;
        if self.settings.shrinks && may_be_too_large {
            (self.cut, self.largest) = (u16::try_from(size).ok(), 0);
        }
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
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const START: Duration = Duration::from_secs(1000);

    /// A flight was sent.
    fn started() -> RetransmitTimer {
        let mut timer = RetransmitTimer::new(TimerSettings::default());
        timer.arm();
        assert_eq!(timer.deadline(), None, "not before it is sent");
        timer.sent(START, 1200);
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
                Expired::Retransmit | Expired::Probe => {}
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
        let settings = TimerSettings {
            initial: Duration::MAX,
            maximum: Duration::MAX,
            retransmissions: u32::MAX,
            shrinks: true,
        };
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

    /// A caller that slept for long finds one thing to do, and then a deadline that lies ahead.
    #[test]
    fn no_deadline_stays_in_the_past() {
        let mut timer = RetransmitTimer::new(TimerSettings::default());
        timer.start(Duration::ZERO);
        timer.partly_answered(milliseconds(10));
        let late = Duration::from_secs(1_000);
        assert_eq!(timer.expire(late), Some(Expired::Retransmit));
        assert!(timer.deadline().is_some_and(|next| next > late), "{timer:?}");
        assert_eq!(timer.expire(late), None);
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

    /// RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2.
    #[test]
    fn a_grown_wait_is_kept_until_a_round_trip_is_measured() {
        let mut timer = started();
        for _ in 0..3 {
            timer.expire(timer.deadline().unwrap());
        }
        assert_eq!(timer.effective_mtu(1200), 508);
        timer.answered(START + milliseconds(6000), None);
        timer.arm();
        timer.sent(START * 2, 1200);
        assert_eq!(
            timer.deadline(),
            Some(START * 2 + milliseconds(3200)),
            "any of the copies may have been answered"
        );
        assert_eq!(timer.effective_mtu(1200), 1200);
        timer.answered(START * 2 + milliseconds(1500), None);
        timer.arm();
        timer.sent(START * 3, 1200);
        assert_eq!(timer.deadline(), Some(START * 3 + milliseconds(2250)), "1.5 times the round trip");
        timer.expire(START * 3 + milliseconds(2250));
        timer.answered(START * 3 + milliseconds(2300), None);
        timer.start(START * 4);
        assert_eq!(
            timer.deadline(),
            Some(START * 4 + milliseconds(2250)),
            "it is known, and a loss does not change it"
        );
    }

    #[test]
    fn a_short_round_trip_does_not_shorten_the_initial_wait_and_a_long_one_has_a_limit() {
        for (round_trip, wait) in [(0, 400), (266, 400), (1000, 1500), (50_000, 60_000)] {
            let mut timer = started();
            timer.answered(START + milliseconds(round_trip), None);
            timer.arm();
            timer.sent(START * 2, 1200);
            assert_eq!(timer.deadline(), Some(START * 2 + milliseconds(wait)), "{round_trip}");
        }
    }

    #[test]
    fn an_answer_that_names_its_copy_measures_however_often_the_flight_was_sent() {
        let mut timer = started();
        for _ in 0..2 {
            timer.expire(timer.deadline().unwrap());
        }
        timer.answered(START + milliseconds(1500), Some(START));
        timer.answered(START + milliseconds(1500), Some(START + milliseconds(1200)));
        timer.arm();
        timer.sent(START * 2, 1200);
        assert_eq!(timer.deadline(), Some(START * 2 + milliseconds(2250)), "the first answer counts");
    }

    /// GnuTLS restarts its timer of a second for each record that it reads.
    #[test]
    fn a_flight_that_has_arrived_waits_at_least_a_second() {
        let mut timer = started();
        timer.answered(START + milliseconds(60), None);
        timer.partly_answered(START + milliseconds(60));
        assert_eq!(timer.expire(START + milliseconds(260)), Some(Expired::Probe), "nothing came for 200 ms");
        assert_eq!(timer.deadline(), Some(START + milliseconds(1060)));
        timer.partly_answered(START + milliseconds(900));
        assert_eq!(
            timer.expire(START + milliseconds(1060)),
            Some(Expired::Retransmit),
            "lengthened only once"
        );
        assert_eq!(timer.expire(START + milliseconds(1100)), None, "the probe would follow too soon");
        assert_eq!(timer.deadline(), Some(START + milliseconds(2060)), "twice 400 ms is less than a second");
        timer.partly_answered(START + milliseconds(2000));
        assert_eq!(timer.expire(START + milliseconds(2200)), Some(Expired::Probe));
        assert_eq!(timer.deadline(), Some(START + milliseconds(3000)));
    }

    #[test]
    fn an_idle_timer_sends_no_probe() {
        let mut timer = started();
        timer.stop();
        timer.partly_answered(START);
        assert_eq!((timer.deadline(), timer.expire(START * 2)), (None, None));
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
        for _ in 0..5 {
            now = timer.deadline().unwrap();
            expire_and_send(&mut timer, 1200);
        }
        assert_eq!(timer.deadline(), Some(now + milliseconds(12_800)));
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

    /// A flight whose datagrams are as large as may be, sent again at each expiry.
    fn expire_and_send(timer: &mut RetransmitTimer, mtu: usize) -> usize {
        let now = timer.deadline().unwrap();
        timer.sent(now, timer.effective_mtu(mtu));
        timer.expire(now);
        timer.effective_mtu(mtu)
    }

    #[test]
    fn fragments_shrink_after_the_third_and_the_fifth_expiry() {
        for (mtu, expected) in [
            (1200, [1200, 1200, 508, 508, 228, 228]),
            (508, [508, 508, 508, 508, 228, 228]),
            (300, [300, 300, 300, 300, 228, 228]),
            (228, [228; 6]),
        ] {
            let mut timer = RetransmitTimer::new(TimerSettings::default());
            timer.arm();
            timer.sent(START, mtu);
            let sizes: Vec<_> = (0..6).map(|_| expire_and_send(&mut timer, mtu)).collect();
            assert_eq!(sizes, expected);
            // Perhaps the peer was not there yet.
            timer.arm();
            assert_eq!((timer.effective_mtu(mtu), timer.path_size()), (mtu, None));
            // By now it is: what is learnt of the path holds for the next flight too.
            timer.sent(START, mtu);
            for _ in 0..6 {
                expire_and_send(&mut timer, mtu);
            }
            timer.arm();
            assert_eq!((timer.effective_mtu(mtu), timer.path_size().is_some()), (228, mtu > 228));
        }
    }

    /// Where all datagrams of a flight are small, their size is not what loses them.
    #[test]
    fn a_flight_of_small_datagrams_says_nothing_of_the_path() {
        let mut timer = RetransmitTimer::new(TimerSettings::default());
        timer.arm();
        timer.sent(START, 100);
        for _ in 0..8 {
            timer.expire(timer.deadline().unwrap());
        }
        assert_eq!((timer.effective_mtu(1200), timer.path_size()), (1200, None));
    }

    /// Nor are datagrams cut that are no larger than those of an earlier flight.
    #[test]
    fn a_size_that_got_through_is_not_the_cause_of_losses() {
        let mut timer = started();
        timer.answered(START + milliseconds(60), None);
        for (size, smallest) in [(1200, 1200), (1000, 1000), (1201, 508)] {
            timer.arm();
            timer.sent(START, size);
            for _ in 0..6 {
                expire_and_send(&mut timer, size);
            }
            assert_eq!(timer.effective_mtu(size), smallest);
        }
    }

    #[test]
    fn threat_24_a_repeat_is_answered_once_per_half_timer() {
        let mut timer = started();
        let answers = (0..400).filter(|&ms| timer.may_answer_repeat(START + milliseconds(ms))).count();
        assert_eq!(answers, 1, "at 200 ms: the flight itself is the answer until then");
        assert!(!timer.may_answer_repeat(Duration::ZERO), "a clock that went backwards");
        timer.expire(START + milliseconds(400));
        assert!(!timer.may_answer_repeat(START + milliseconds(799)), "the timer has just sent it");
        assert!(timer.may_answer_repeat(START + milliseconds(800)));
    }

    /// Two copies that arrive together bring one flight; but what comes a round trip later may say that it was lost.
    #[test]
    fn the_first_transmission_counts_as_an_answer_for_half_a_round_trip() {
        let mut timer = started();
        timer.answered(START + milliseconds(60), None);
        timer.arm();
        timer.sent(START * 2, 1200);
        let answers: Vec<_> =
            (0..400).filter(|&ms| timer.may_answer_repeat(START * 2 + milliseconds(ms))).collect();
        assert_eq!(answers, [30, 230]);
    }

    #[test]
    fn what_the_peer_says_that_it_misses_is_sent_at_once_for_the_first_time() {
        let mut timer = started();
        let answers: Vec<_> =
            (50..400).filter(|&ms| timer.may_send_missing(START + milliseconds(ms))).collect();
        assert_eq!(answers, [50, 250]);
    }

    #[test]
    fn threat_26_the_last_flight_is_repeated_at_half_the_initial_value() {
        let mut timer = started();
        for _ in 0..6 {
            timer.expire(timer.deadline().unwrap());
        }
        let from = START * 2;
        let mut limit = timer.answer_limit(from);
        let answers = (0..10_000).filter(|&ms| limit.may_answer(from + milliseconds(ms))).count();
        assert_eq!(answers, 49, "10 s in steps of 200 ms, and the flight itself at the beginning");
    }
}
