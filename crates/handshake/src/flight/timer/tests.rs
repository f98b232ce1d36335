//! The back-off, round trips, answers to retransmissions, and what expiries say of the path.

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
    assert_eq!(timer.expire(START + milliseconds(1060)), Some(Expired::Retransmit), "lengthened only once");
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
    let answers: Vec<_> = (50..400).filter(|&ms| timer.may_send_missing(START + milliseconds(ms))).collect();
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
