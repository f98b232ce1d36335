//! The rogue when it is honest: what every threat test stands on.

use drystone_tests::identity::{Identity, client_config, server_config, settings};
use drystone_tests::rogue::{CLIENT_STEPS, Duel, SERVER_STEPS, Victim};

#[test]
fn an_honest_rogue_server_connects_our_client() {
    let identity = Identity::p256();
    let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
    duel.play(&SERVER_STEPS);
    assert!(duel.victim.is_connected(), "{duel:?}");
    assert_eq!(duel.rogue.peer_finished, Some(true));
    duel.talk();
}

#[test]
fn an_honest_rogue_client_connects_our_server() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    duel.greet();
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected(), "{duel:?}");
    assert_eq!(duel.rogue.peer_finished, Some(true));
    duel.talk();
}
