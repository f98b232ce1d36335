//! All orders of messages, compared with a model of what should come of each (threats 44 and 51).

use core::fmt;
use core::time::Duration;

use drystone_handshake::Error;

use super::{Duel, Outcome, Step};

/// Tries all sequences of steps of the alphabet as long as they are open, and compares each with the model. Returns
/// how many were tried and how many connected.
///
/// # Panics
/// If one ends otherwise than the model says; if a victim is connected and does not talk, or has failed without saying so in
/// one alert, or waits without an end.
pub fn explore(
    duel: &dyn Fn() -> Duel,
    alphabet: &[Step],
    model: &dyn Fn(&[Step]) -> Outcome,
    longest: usize,
) -> (usize, usize) {
    let (mut tried, mut connected) = (0, 0);
    let mut open = vec![Vec::new()];
    while let Some(prefix) = open.pop() {
        for step in alphabet {
            let steps = [&prefix[..], &[*step]].concat();
            let expected = model(&steps);
            let mut duel = duel();
            duel.play(&steps);
            let seen = Outcome::of(&duel);
            tried += 1;
            connected += usize::from(seen == Outcome::Connected);
            assert!(
                expected.looks_like(seen),
                "{steps:?}: {seen:?}, not {expected:?}; {:?}",
                duel.victim.error()
            );
            ends_well(&mut duel, seen, &steps);
            if expected == Outcome::Open && steps.len() < longest {
                open.push(steps);
            }
        }
    }
    (tried, connected)
}

/// Who is connected talks, who has failed has said so in one alert, and who waits ends.
fn ends_well(duel: &mut Duel, seen: Outcome, steps: &[Step]) {
    match seen {
        Outcome::Connected => duel.talk(),
        Outcome::Failed => assert_eq!(duel.rogue.alerts().len(), 1, "{steps:?} is answered with one alert"),
        Outcome::Open | Outcome::Stalled => never_hangs(duel, &steps),
    }
}

/// What waits, waits with a timer, and ends by it.
///
/// # Panics
/// If not.
pub fn never_hangs(duel: &mut Duel, what: &dyn fmt::Debug) {
    assert!(duel.victim.connection().poll_timeout().is_some(), "{what:?}: hangs without a timer");
    duel.pass(Duration::from_secs(40));
    assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout), "{what:?}");
}
