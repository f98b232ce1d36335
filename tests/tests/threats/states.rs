//! The state machines against every order of messages (threat 44): what connects, what fails and what is ignored is
//! compared with a model that is written down here, and not with the code.

use drystone_handshake::ClientAuth;
use drystone_tests::identity::{Identity, settings};
use drystone_tests::rogue::{
    Accident, CERTIFIED_CLIENT_STEPS, CLIENT_STEPS, Duel, Outcome, SERVER_STEPS, Step, Victim, double,
    explore, lose, swap,
};

/// A client that has a certificate, should it be asked.
fn certified_client_duel() -> Duel {
    Duel::with_client(Victim::certified_client(settings()), Identity::p256())
}

fn asking_server_duel() -> Duel {
    Duel::asking_server_12(settings(), ClientAuth::Require)
}

/// The model: the honest order, of which `optional` may be left out.
struct Model {
    order: &'static [Step],
    optional: &'static [Step],
    /// The step by which the rogue has keys: what it sends after it and its ChangeCipherSpec is protected.
    keys_after: Step,
    /// What the victim drops in plaintext wherever it does not expect it. A server drops a hello with another number:
    /// it is the begin of another association, not a message of this one.
    dropped: &'static [Step],
}

impl Model {
    fn outcome(&self, steps: &[Step]) -> Outcome {
        let mut place = 0;
        let (mut keys, mut changed) = (false, false);
        for step in steps {
            // An optional step counts as passed over where the next one comes in its place.
            if self.order.get(place).is_some_and(|next| next != step && self.optional.contains(next))
                && self.order.get(place + 1) == Some(step)
            {
                place += 1;
            }
            let expected = self.order[place];
            let protected = keys && changed;
            let reads_protected = self.order[..place].contains(&Step::ChangeCipherSpec);
            if *step == Step::ChangeCipherSpec {
                changed = true;
                place += usize::from(expected == *step);
                continue;
            }
            if protected && !reads_protected {
                return Outcome::Stalled;
            }
            if *step == Step::Finished && !protected {
                return Outcome::Stalled;
            }
            if *step != expected {
                let dropped = reads_protected || self.dropped.contains(step);
                return if !protected && dropped { Outcome::Stalled } else { Outcome::Failed };
            }
            place += 1;
            keys |= *step == self.keys_after;
            if place == self.order.len() {
                return Outcome::Connected;
            }
        }
        Outcome::Open
    }
}

/// In the honest order.
const SERVER_ALPHABET: [Step; 7] = [
    Step::ServerHello,
    Step::Certificate,
    Step::ServerKeyExchange,
    Step::CertificateRequest,
    Step::ServerHelloDone,
    Step::ChangeCipherSpec,
    Step::Finished,
];

const CLIENT_ALPHABET: [Step; 6] = [
    Step::ClientHello,
    Step::Certificate,
    Step::ClientKeyExchange,
    Step::CertificateVerify,
    Step::ChangeCipherSpec,
    Step::Finished,
];

/// Sequences of up to 8 steps: the honest ones have 6 or 7.
#[test]
fn threat_44_a_client_connects_on_the_honest_order_only() {
    let model = Model {
        order: &SERVER_ALPHABET,
        optional: &[Step::CertificateRequest],
        keys_after: Step::ServerHelloDone,
        dropped: &[],
    };
    for duel in [&Duel::usual_client as &dyn Fn() -> Duel, &certified_client_duel] {
        let (tried, connected) = explore(duel, &SERVER_ALPHABET, &|steps: &[Step]| model.outcome(steps), 8);
        // With and without the request, and each with one or two ChangeCipherSpecs too many.
        assert!(tried > 200 && connected >= 2, "{tried} tried, {connected} connected");
    }
}

#[test]
fn threat_44_a_server_connects_on_the_honest_order_only() {
    let model = Model {
        order: &CLIENT_STEPS,
        optional: &[],
        keys_after: Step::ClientKeyExchange,
        dropped: &[Step::ClientHello],
    };
    let (tried, connected) =
        explore(&Duel::usual_server, &CLIENT_ALPHABET, &|steps: &[Step]| model.outcome(steps), 6);
    assert!(tried > 20 && connected >= 1, "{tried} tried, {connected} connected");
}

#[test]
fn threat_44_a_server_that_requires_a_certificate_connects_on_the_honest_order_only() {
    let model = Model {
        order: &CERTIFIED_CLIENT_STEPS,
        optional: &[],
        keys_after: Step::ClientKeyExchange,
        dropped: &[Step::ClientHello],
    };
    let (tried, connected) =
        explore(&asking_server_duel, &CLIENT_ALPHABET, &|steps: &[Step]| model.outcome(steps), 7);
    assert!(tried > 20 && connected >= 1, "{tried} tried, {connected} connected");
}

/// The messages of an honest handshake, numbered honestly, with one swapped, doubled or missing on the way: a repeat
/// of the flight repairs everything.
#[test]
fn threat_44_reordered_doubled_and_lost_messages_are_repaired_by_a_repeat() {
    for place in 0..SERVER_STEPS.len() {
        for accident in [swap as Accident, double, lose] {
            let mut duel = Duel::usual_client();
            let flights = [&SERVER_STEPS[..4], &SERVER_STEPS[4..]];
            let mut done = 0;
            for flight in flights {
                let mut order = flight.to_vec();
                if (done..done + flight.len()).contains(&place) {
                    order = accident(order, place - done);
                }
                done += flight.len();
                send_flight(&mut duel, flight, &order);
            }
            assert!(duel.victim.is_connected(), "place {place}: {:?}", duel.victim.error());
            duel.talk();
        }
    }
}

/// Makes the messages of a flight in the honest order and sends them in another; then sends all again.
fn send_flight(duel: &mut Duel, flight: &[Step], order: &[Step]) {
    let mut messages = Vec::new();
    for step in flight {
        let message = (*step != Step::ChangeCipherSpec).then(|| duel.rogue.message(*step).to_bytes());
        messages.push((*step, message));
    }
    let find = |step: &Step| messages.iter().find(|(made, _)| made == step).unwrap().1.clone();
    for step in order.iter().chain(flight) {
        let datagram = match (find(step), *step == Step::Finished) {
            (None, _) => duel.rogue.perform(Step::ChangeCipherSpec),
            (Some(bytes), protected) => {
                duel.rogue.use_keys(protected);
                duel.rogue.handshake_record(&bytes)
            }
        };
        duel.give(&datagram);
    }
}
