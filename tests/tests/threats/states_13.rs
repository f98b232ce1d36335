//! The state machines of both versions against every order of messages (threats 44 and 51), and against each single
//! accident of an honest flight: what connects, what fails and how, and what only waits is compared with tables that are
//! written down here.

use drystone_handshake::ClientAuth;
use drystone_handshake::crypto::Side;
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, settings_of_both};
use drystone_tests::rogue::{
    Accident, CERTIFIED_CLIENT_STEPS, CERTIFIED_CLIENT_STEPS_13, CLIENT_STEPS, CLIENT_STEPS_13, Duel,
    Outcome, Rogue, SERVER_STEPS, SERVER_STEPS_13, Step, Victim, double, explore, lose, never_hangs, swap,
};

/// A client of both versions that has a certificate, should it be asked.
fn certified_client() -> Victim {
    Victim::certified_client(settings_of_both())
}

fn client_duel_13() -> Duel {
    let mut rogue = Rogue::new_13(Side::Server, Identity::p256());
    // What a HelloRetryRequest of its would ask for.
    rogue.cookie = vec![7; 16];
    Duel::between(rogue, certified_client())
}

fn asking_server_duel_13() -> Duel {
    Duel::asking_server_13(settings_of_both(), ClientAuth::Require)
}

fn client_duel_12() -> Duel {
    Duel::with_client(certified_client(), Identity::p256())
}

fn server_duel_12() -> Duel {
    Duel::server_12(settings_of_both())
}

fn asking_server_duel_12() -> Duel {
    Duel::asking_server_12(settings_of_both(), ClientAuth::Require)
}

// ---- every order ----

/// In the honest order.
const SERVER_ALPHABET: [Step; 7] = [
    Step::HelloRetryRequest,
    Step::ServerHello,
    Step::EncryptedExtensions,
    Step::CertificateRequest,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
];

/// The model of a client that offers both versions, against a server of DTLS 1.3.
fn client_model_13(steps: &[Step]) -> Outcome {
    const OPTIONAL: [Step; 2] = [Step::HelloRetryRequest, Step::CertificateRequest];
    let mut place = 0;
    for step in steps {
        if OPTIONAL.contains(&SERVER_ALPHABET[place])
            && SERVER_ALPHABET[place] != *step
            && SERVER_ALPHABET[place + 1] == *step
        {
            place += 1;
        }
        if SERVER_ALPHABET[place] == *step {
            place += 1;
            if place == SERVER_ALPHABET.len() {
                return Outcome::Connected;
            }
            continue;
        }
        let (has_keys, is_13) = (place >= 2, place >= 1);
        return match step {
            // Hellos are in plaintext, which means nothing once there are keys.
            Step::HelloRetryRequest | Step::ServerHello if has_keys => Outcome::Stalled,
            Step::HelloRetryRequest => Outcome::Failed,
            _ if has_keys => Outcome::Failed,
            // In plaintext: Finished never is, in any version, and in 1.3 nothing else but hellos.
            Step::Finished => Outcome::Stalled,
            _ if is_13 => Outcome::Stalled,
            _ => Outcome::Failed,
        };
    }
    Outcome::Open
}

/// The model of a server that has sent its flight of DTLS 1.3.
fn server_model_13(order: &[Step], steps: &[Step]) -> Outcome {
    for (place, step) in steps.iter().enumerate() {
        match step {
            step if order[place] == *step && place + 1 == order.len() => return Outcome::Connected,
            step if order[place] == *step => {}
            Step::ClientHello => return Outcome::Stalled,
            _ => return Outcome::Failed,
        }
    }
    Outcome::Open
}

#[test]
fn threat_44_threat_51_a_client_connects_on_the_honest_orders_only() {
    let (tried, connected) = explore(&client_duel_13, &SERVER_ALPHABET, &client_model_13, 7);
    // With and without the question, with and without the request.
    assert_eq!((tried > 100, connected), (true, 4), "{tried} tried");
}

const CLIENT_ALPHABET: [Step; 7] = [
    Step::ClientHello,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
    Step::EncryptedExtensions,
    Step::KeyUpdate,
    Step::NewSessionTicket,
];

#[test]
fn threat_44_threat_51_a_server_connects_on_the_honest_order_only() {
    let model = |steps: &[Step]| server_model_13(&CLIENT_STEPS_13, steps);
    let (tried, connected) = explore(&Duel::usual_server_13, &CLIENT_ALPHABET, &model, 3);
    assert_eq!((tried, connected), (7, 1));
}

#[test]
fn threat_44_threat_51_a_server_that_requires_a_certificate_connects_on_the_honest_order_only() {
    let model = |steps: &[Step]| server_model_13(&CERTIFIED_CLIENT_STEPS_13, steps);
    let (tried, connected) = explore(&asking_server_duel_13, &CLIENT_ALPHABET, &model, 5);
    assert_eq!((tried, connected), (21, 1));
}

// ---- each accident of an honest flight ----

/// An honest peer's flight, and how it meets the victim.
struct Flight {
    name: &'static str,
    duel: fn() -> Duel,
    steps: &'static [Step],
    /// The alert that ends the handshake when the message of this place is left out, or another comes in its place; none
    /// where the victim waits instead, and 0 where it connects all the same.
    skipped: &'static [Option<u8>],
    /// The same when the message of this place comes twice, with another number.
    doubled: &'static [Option<u8>],
    /// The same when the messages of this place and the next change places.
    swapped: &'static [Option<u8>],
}

const REQUESTING_SERVER_STEPS_13: [Step; 6] = [
    Step::ServerHello,
    Step::EncryptedExtensions,
    Step::CertificateRequest,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
];

const RETRYING_SERVER_STEPS_13: [Step; 6] = [
    Step::HelloRetryRequest,
    Step::ServerHello,
    Step::EncryptedExtensions,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
];

/// unexpected_message.
const UNEXPECTED: Option<u8> = Some(10);
const CONNECTS: Option<u8> = Some(0);
/// Dropped: the victim waits for another message of that number.
const WAITS: Option<u8> = None;

/// RFC 9846 section 4 and RFC 5246 section 7.4: a message in another order is "unexpected_message"; but what is not
/// authentic where it has to be (a hello after the keys, anything else before them) is nothing at all.
const FLIGHTS: [Flight; 8] = [
    Flight {
        name: "a server of 1.3",
        duel: Duel::usual_client_13,
        steps: &SERVER_STEPS_13,
        skipped: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, WAITS],
        // The second hello is dropped, as plaintext after the keys; what follows under them is out of its place.
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED],
        swapped: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED],
    },
    Flight {
        name: "a server of 1.3 that asks for a certificate",
        duel: client_duel_13,
        steps: &REQUESTING_SERVER_STEPS_13,
        skipped: &[UNEXPECTED, UNEXPECTED, CONNECTS, UNEXPECTED, UNEXPECTED, WAITS],
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED],
        swapped: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED],
    },
    Flight {
        name: "a server of 1.3 that asks for a cookie",
        duel: client_duel_13,
        steps: &RETRYING_SERVER_STEPS_13,
        skipped: &[CONNECTS, WAITS, UNEXPECTED, UNEXPECTED, UNEXPECTED, WAITS],
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED],
        swapped: &[UNEXPECTED, WAITS, UNEXPECTED, UNEXPECTED, UNEXPECTED],
    },
    Flight {
        name: "a client of 1.3",
        duel: Duel::usual_server_13,
        steps: &CLIENT_STEPS_13,
        skipped: &[WAITS],
        doubled: &[UNEXPECTED],
        swapped: &[],
    },
    Flight {
        name: "a client of 1.3 with a certificate",
        duel: asking_server_duel_13,
        steps: &CERTIFIED_CLIENT_STEPS_13,
        skipped: &[UNEXPECTED, UNEXPECTED, WAITS],
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED],
        swapped: &[UNEXPECTED, UNEXPECTED],
    },
    Flight {
        name: "a server of 1.2",
        duel: client_duel_12,
        steps: &SERVER_STEPS,
        skipped: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, WAITS, WAITS, WAITS],
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, CONNECTS, UNEXPECTED],
        swapped: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, WAITS, WAITS],
    },
    Flight {
        name: "a client of 1.2",
        duel: server_duel_12,
        steps: &CLIENT_STEPS,
        skipped: &[WAITS, WAITS, WAITS],
        doubled: &[UNEXPECTED, CONNECTS, UNEXPECTED],
        swapped: &[WAITS, WAITS],
    },
    Flight {
        name: "a client of 1.2 with a certificate",
        duel: asking_server_duel_12,
        steps: &CERTIFIED_CLIENT_STEPS,
        skipped: &[UNEXPECTED, UNEXPECTED, WAITS, WAITS, WAITS],
        doubled: &[UNEXPECTED, UNEXPECTED, UNEXPECTED, CONNECTS, UNEXPECTED],
        // What comes under keys before the victim has them is of a future epoch.
        swapped: &[UNEXPECTED, UNEXPECTED, WAITS, WAITS],
    },
];

/// The peer itself says it so: with the right keys, numbers without gaps, and a Finished that fits what was said.
#[test]
fn threat_44_each_accident_of_a_flight_ends_as_the_table_says() {
    for flight in &FLIGHTS {
        let accidents: [(&str, Accident, &[Option<u8>]); 3] = [
            ("without", lose, flight.skipped),
            ("twice", double, flight.doubled),
            ("swapped", swap, flight.swapped),
        ];
        for (what, accident, table) in accidents {
            for (place, expected) in table.iter().enumerate() {
                let mut duel = (flight.duel)();
                duel.play(&accident(flight.steps.to_vec(), place));
                let what = format!("{}, {what} {:?}", flight.name, flight.steps[place]);
                match expected {
                    None => {
                        assert_eq!(Outcome::of(&duel), Outcome::Open, "{what}: {:?}", duel.victim.error());
                        never_hangs(&mut duel, &what);
                    }
                    Some(0) => {
                        assert_eq!(
                            Outcome::of(&duel),
                            Outcome::Connected,
                            "{what}: {:?}",
                            duel.victim.error()
                        );
                        duel.talk();
                    }
                    Some(alert) => {
                        assert!(!duel.victim.is_connected(), "{what}");
                        assert!(duel.victim.error().is_some(), "{what}: waits");
                        assert_eq!(duel.rogue.alerts(), [*alert], "{what}: {:?}", duel.victim.error());
                    }
                }
            }
        }
        assert_eq!((flight.skipped.len(), flight.doubled.len()), (flight.steps.len(), flight.steps.len()));
        assert_eq!(flight.swapped.len(), flight.steps.len() - 1, "{}", flight.name);
    }
}

/// The messages keep their numbers: what is missing is a gap, what comes twice is a copy, what is swapped is early. Then
/// the whole flight comes once more, which repairs everything; where nothing more comes, a timer ends it.
#[test]
fn threat_44_reordered_doubled_and_lost_messages_of_1_3_are_repaired_by_a_repeat() {
    for flight in FLIGHTS.iter().filter(|flight| flight.name.contains("1.3")) {
        let last = flight.steps.len() - 1;
        // As many places as there are: one less for two that change theirs.
        for (accident, places) in [(lose as Accident, last + 1), (double, last + 1), (swap, last)] {
            for place in 0..places {
                for repeats in [false, true] {
                    let mut duel = (flight.duel)();
                    let complete = send_flight(&mut duel, flight.steps, accident, place, repeats);
                    let what = format!("{} {:?} repeats: {repeats}", flight.name, flight.steps[place]);
                    if complete {
                        assert_eq!(
                            Outcome::of(&duel),
                            Outcome::Connected,
                            "{what}: {:?}",
                            duel.victim.error()
                        );
                        duel.talk();
                    } else {
                        assert_eq!(Outcome::of(&duel), Outcome::Open, "{what}: {:?}", duel.victim.error());
                        never_hangs(&mut duel, &what);
                    }
                }
            }
        }
    }
}

/// Makes the messages in the honest order, and sends them with an accident. Returns whether the victim has all.
fn send_flight(duel: &mut Duel, steps: &[Step], accident: Accident, place: usize, repeats: bool) -> bool {
    let mut records = Vec::new();
    let mut rest = steps;
    if let [question @ Step::HelloRetryRequest, others @ ..] = rest {
        // The victim's answer is part of what the others say.
        let datagram = duel.rogue.perform(*question);
        if place > 0 {
            duel.give(&datagram);
        } else {
            let sent = accident(steps.to_vec(), 0).iter().filter(|step| *step == question).count();
            for _ in 0..sent + usize::from(repeats && sent == 0) {
                duel.give(&datagram);
            }
            if sent == 0 && !repeats {
                return false;
            }
        }
        rest = others;
    }
    for step in rest {
        let epoch = duel.rogue.epoch_of(*step);
        records.push((*step, epoch, duel.rogue.message(*step).to_bytes()));
    }
    let order = if steps.len() == rest.len() {
        accident(rest.to_vec(), place)
    } else if place > 0 {
        accident(rest.to_vec(), place - 1)
    } else {
        rest.to_vec()
    };
    let once_more = if repeats { rest } else { &[] };
    for step in order.iter().chain(once_more) {
        let (_, epoch, bytes) = records.iter().find(|(made, ..)| made == step).unwrap();
        let datagram = duel.rogue.record_in(*epoch, ContentType::HANDSHAKE, bytes);
        duel.give(&datagram);
    }
    let has_all = rest.iter().all(|step| order.contains(step));
    // Of what comes before the hello that makes its keys, two records are kept.
    let overtaking = order.iter().position(|step| *step == Step::ServerHello).unwrap_or(0);
    repeats || (has_all && overtaking <= 2)
}
