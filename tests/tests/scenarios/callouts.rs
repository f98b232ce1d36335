//! Answers that come late: the application chooses, signs and verifies seconds after it was asked, and the handshake
//! goes on meanwhile.

use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::SigningError;
use drystone_handshake::{
    AlertDescription, Answer, ClientAuth, ClientConfig, Credential, CredentialOffer, CredentialResolver,
    Credentials, Error, Event, Instant, Misuse, ProtocolVersion, Request, RequestId, ServerConfig,
    VerifyError,
};
use drystone_tests::counting::{LateVerifier, late_credential};
use drystone_tests::identity::{Identity, name, server_config, settings, settings_of};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::{End, Pair, perfect_link};
use drystone_tests::scenario::{VERSIONS, other_identity};

/// How long every answer takes.
const DELAY: Duration = Duration::from_secs(3);

/// Chooses later.
#[derive(Debug)]
struct LateResolver;

impl CredentialResolver for LateResolver {
    fn resolve(&self, _: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        Poll::Pending
    }
}

/// A pair in which every call-out of both sides answers late.
fn late_pair(version: ProtocolVersion, link: Link) -> Pair {
    // Six answers take 18 s of it; the timer has grown by then, and what is lost comes again late.
    let settings = || {
        let mut settings = settings_of(version);
        settings.handshake_deadline = Some(Duration::from_secs(60));
        settings
    };
    let client = ClientConfig::new(settings(), LateVerifier).unwrap().with_credentials(LateResolver);
    let server = ServerConfig::new(settings(), LateResolver)
        .unwrap()
        .with_client_auth(ClientAuth::Require(Arc::new(LateVerifier)));
    Pair::new(Arc::new(client), Arc::new(server), name(), link)
}

/// The right answer.
fn answer(direction: Direction, request: &Request) -> Answer {
    let identity = if direction == Direction::ToServer { other_identity() } else { Identity::p256() };
    match request {
        // Chosen late, and it signs late.
        Request::Credential { .. } => Answer::Credential(Some(Arc::new(late_credential(identity)))),
        Request::Signature { scheme, message, .. } => {
            let Poll::Ready(signature) = identity.credential().key().sign(*scheme, message) else {
                panic!("ring")
            };
            Answer::Signature(signature)
        }
        Request::PeerVerification { chain, .. } => {
            let expected = if direction == Direction::ToServer { Identity::p256() } else { other_identity() };
            assert_eq!(*chain, expected.chain);
            Answer::PeerVerification(Ok(()))
        }
        request => panic!("unknown request {request:?}"),
    }
}

fn end(pair: &mut Pair, direction: Direction) -> &mut End {
    match direction {
        Direction::ToServer => &mut pair.client,
        Direction::ToClient => &mut pair.server,
    }
}

/// Takes the open request of an end, if it has one.
fn take_request(end: &mut End) -> Option<(RequestId, Request)> {
    let place = end.events.iter().position(|event| matches!(event, Event::Request(..)))?;
    match end.events.remove(place) {
        Event::Request(id, request) => Some((id, *request)),
        _ => None,
    }
}

/// Runs until both are connected, answering every request after [`DELAY`]; how many requests there were.
fn connect_with_late_answers(pair: &mut Pair) -> usize {
    let mut open: Vec<(Duration, Direction, RequestId, Request)> = Vec::new();
    let mut asked = 0;
    while !(pair.client.is_connected() && pair.server.is_connected()) {
        pair.flush();
        for direction in Direction::BOTH {
            while let Some((id, request)) = take_request(end(pair, direction)) {
                open.push((pair.clock.now() + DELAY, direction, id, request));
                asked += 1;
            }
        }
        let due = open.iter().map(|(due, ..)| *due).min();
        let limit = due.unwrap_or(Duration::from_secs(60));
        if pair.step(limit) {
            continue;
        }
        let Some(due) = due else { break };
        pair.clock.advance_to(due);
        let place = open.iter().position(|(at, ..)| *at == due).unwrap();
        let (_, direction, id, request) = open.remove(place);
        let now = pair.now();
        end(pair, direction).connection().answer(now, id, answer(direction, &request)).unwrap();
    }
    asked
}

#[test]
fn every_answer_may_come_three_seconds_late_on_a_lossy_link() {
    for (version, seed) in VERSIONS.into_iter().flat_map(|version| (0..20).map(move |seed| (version, seed))) {
        let link = if seed == 0 { LinkSettings::perfect() } else { LinkSettings::lossy(0.1) };
        let mut pair = late_pair(version, Link::new(seed, link));
        let asked = connect_with_late_answers(&mut pair);
        assert!(pair.client.is_connected() && pair.server.is_connected(), "seed {seed}: {pair:?}");
        // Credential, signature and verification, on each side.
        assert_eq!(asked, 6, "seed {seed}");
        pair.server.echo = true;
        for _ in 0..5 {
            pair.send(Direction::ToServer, b"late").unwrap();
        }
        pair.run_for(Duration::from_secs(1));
        assert!(!pair.client.received.is_empty(), "seed {seed}");
    }
}

/// While the server waits for its signature, the client repeats its hello; while the client verifies, the server
/// repeats its flight.
#[test]
fn retransmissions_go_on_while_a_request_is_open() {
    let mut pair = late_pair(ProtocolVersion::DTLS_1_2, Link::new(0, LinkSettings::perfect()));
    let mut datagrams = Vec::new();
    pair.run_until(Duration::from_secs(1), |pair| !pair.server.events.is_empty());
    datagrams.push(pair.client.datagrams);
    pair.run_for(DELAY);
    datagrams.push(pair.client.datagrams);
    assert!(datagrams[1] >= datagrams[0] + 2, "hellos: {datagrams:?}");
    connect_with_late_answers(&mut pair);
    assert!(pair.client.is_connected());

    let client = ClientConfig::new(settings(), LateVerifier).unwrap();
    let server = ServerConfig::new(settings(), Credentials::single(Identity::p256().credential())).unwrap();
    let link = Link::new(0, LinkSettings::perfect());
    let mut pair = Pair::new(Arc::new(client), Arc::new(server), name(), link);
    pair.run_until(Duration::from_secs(1), |pair| !pair.client.events.is_empty());
    let before = pair.server.datagrams;
    pair.run_for(DELAY);
    assert!(pair.server.datagrams >= before + 2, "flights: {} after {before}", pair.server.datagrams);
    let (id, request) = take_request(&mut pair.client).unwrap();
    let now = pair.now();
    pair.client.connection().answer(now, id, answer(Direction::ToServer, &request)).unwrap();
    assert!(pair.connect(), "{pair:?}");
}

#[test]
fn wrong_answers_are_misuse_and_change_nothing() {
    for version in VERSIONS {
        wrong_answers_are_misuse_in(version);
    }
}

fn wrong_answers_are_misuse_in(version: ProtocolVersion) {
    let mut pair = late_pair(version, Link::new(0, LinkSettings::perfect()));
    let now = Instant::default();
    let mut other = late_pair(version, Link::new(1, LinkSettings::perfect()));
    // Nothing is asked yet; the id is another association's.
    other.run_until(Duration::from_secs(1), |pair| !pair.server.events.is_empty());
    let (foreign, request) = take_request(&mut other.server).unwrap();
    let premature = pair.client.connection().answer(now, foreign, answer(Direction::ToServer, &request));
    assert_eq!(premature, Err(Misuse::NoSuchRequest));

    pair.run_until(Duration::from_secs(1), |pair| !pair.server.events.is_empty());
    let (id, request) = take_request(&mut pair.server).unwrap();
    assert!(matches!(request, Request::Credential { .. }));
    let now = pair.now();
    for wrong in [Answer::Signature(Ok(vec![1])), Answer::PeerVerification(Ok(()))] {
        assert_eq!(pair.server.connection().answer(now, id, wrong), Err(Misuse::WrongAnswer));
    }
    assert!(pair.server.connection().error().is_none());
    // It is still open, until it is answered; the next one has another id.
    let right = answer(Direction::ToClient, &request);
    assert_eq!(pair.server.connection().answer(now, id, right), Ok(()));
    let again = answer(Direction::ToClient, &request);
    assert_eq!(pair.server.connection().answer(now, id, again), Err(Misuse::NoSuchRequest));
    connect_with_late_answers(&mut pair);
    assert!(pair.client.is_connected() && pair.server.is_connected(), "{pair:?}");
    let (now, late) = (pair.now(), Answer::Credential(None));
    assert_eq!(pair.server.connection().answer(now, id, late), Err(Misuse::NoSuchRequest));
}

/// Runs until the wanted kind of request is open on a side, answering all others at once; then answers this.
fn fail_at(version: ProtocolVersion, direction: Direction, wanted: &str, failing: Answer) -> Pair {
    let mut pair = late_pair(version, Link::new(0, LinkSettings::perfect()));
    let mut failing = Some(failing);
    for _ in 0..200 {
        pair.flush();
        for side in Direction::BOTH {
            while let Some((id, request)) = take_request(end(&mut pair, side)) {
                let wanted = side == direction && kind(&request) == wanted;
                let reply = if wanted { failing.take().unwrap() } else { answer(side, &request) };
                let now = pair.now();
                end(&mut pair, side).connection().answer(now, id, reply).unwrap();
            }
        }
        pair.step(Duration::from_secs(5));
    }
    assert!(failing.is_none(), "{wanted} was asked for");
    pair
}

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Credential { .. } => "credential",
        Request::Signature { .. } => "signature",
        Request::PeerVerification { .. } => "verification",
        _ => "unknown",
    }
}

#[test]
fn a_late_refusal_ends_both_sides_with_the_right_alert() {
    type MakeAnswer = fn() -> Answer;
    let refused: MakeAnswer = || {
        let reason = format!("number {} is not on the list", 7);
        Answer::PeerVerification(Err(VerifyError::refused(AlertDescription::CERTIFICATE_REVOKED, reason)))
    };
    let unsigned: MakeAnswer = || Answer::Signature(Err(SigningError::Failed));
    let nothing: MakeAnswer = || Answer::Credential(None);
    for version in VERSIONS {
        let [client, server] = Direction::BOTH;
        let no_certificate = match version {
            ProtocolVersion::DTLS_1_3 => AlertDescription::CERTIFICATE_REQUIRED,
            _ => AlertDescription::HANDSHAKE_FAILURE,
        };
        let cases = [
            (client, "verification", refused, AlertDescription::CERTIFICATE_REVOKED, client),
            (server, "verification", refused, AlertDescription::CERTIFICATE_REVOKED, server),
            (client, "signature", unsigned, AlertDescription::INTERNAL_ERROR, client),
            (server, "signature", unsigned, AlertDescription::INTERNAL_ERROR, server),
            (server, "credential", nothing, AlertDescription::HANDSHAKE_FAILURE, server),
            // A client without a certificate says so, and the server, which requires one, refuses.
            (client, "credential", nothing, no_certificate, server),
        ];
        for (side, wanted, failing, alert, judge) in cases {
            let mut pair = fail_at(version, side, wanted, failing());
            let error = |pair: &mut Pair, side| end(pair, side).connection().error().cloned();
            let own = error(&mut pair, judge).unwrap_or_else(|| panic!("{side:?} {wanted}"));
            assert_eq!(own.alert(), Some(alert), "{side:?} {wanted}");
            let other = error(&mut pair, judge.opposite());
            assert!(
                matches!(other, Some(Error::AlertReceived { description, .. }) if description == alert),
                "{version} {side:?} {wanted}: {other:?}"
            );
        }
    }
}

/// RFC 9147 section 7.1, rule 6: while the client's application verifies, an ACK says that the server's flight is there,
/// and the server does not repeat it.
#[test]
fn an_open_request_does_not_hold_back_the_ack() {
    let client = ClientConfig::new(settings_of(ProtocolVersion::DTLS_1_3), LateVerifier).unwrap();
    let server = server_config(settings_of(ProtocolVersion::DTLS_1_3), Identity::p256());
    let pair = Pair::new(Arc::new(client), server, name(), perfect_link());
    acknowledges_meanwhile(pair, Direction::ToServer);
}

/// The same for a server that verifies its client's certificate.
#[test]
fn a_server_that_verifies_acknowledges_meanwhile() {
    let settings = || settings_of(ProtocolVersion::DTLS_1_3);
    let client = ClientConfig::new(settings(), Identity::p256().policy()).unwrap();
    let client = client.with_credentials(Credentials::single(other_identity().credential()));
    let server = ServerConfig::new(settings(), Credentials::single(Identity::p256().credential())).unwrap();
    let server = server.with_client_auth(ClientAuth::Require(Arc::new(LateVerifier)));
    let pair = Pair::new(Arc::new(client), Arc::new(server), name(), perfect_link());
    acknowledges_meanwhile(pair, Direction::ToClient);
}

/// The end that sends in this direction is asked, sends an ACK and nothing else, hears nothing twice, and connects once it
/// is answered.
fn acknowledges_meanwhile(mut pair: Pair, side: Direction) {
    let other = side.opposite();
    pair.run_until(Duration::from_secs(1), |pair| {
        let asked = if side == Direction::ToServer { &pair.client } else { &pair.server };
        !asked.events.is_empty()
    });
    let (sent, heard) = (end(&mut pair, side).datagrams, end(&mut pair, other).datagrams);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(end(&mut pair, side).datagrams, sent + 1, "the ACK");
    assert_eq!(end(&mut pair, other).datagrams, heard, "nothing is repeated");
    let (id, request) = take_request(end(&mut pair, side)).unwrap();
    let now = pair.now();
    end(&mut pair, side).connection().answer(now, id, answer(side, &request)).unwrap();
    assert!(pair.connect(), "{pair:?}");
}

/// A fatal alert that came while the application verified is not forgotten by its answer (rule 1f).
#[test]
fn an_answer_does_not_clear_a_remembered_alert() {
    let identity = Identity::p256();
    let client = Arc::new(ClientConfig::new(settings(), LateVerifier).unwrap());
    let victim = drystone_tests::rogue::Victim::client(client);
    let mut duel = drystone_tests::rogue::Duel::with_client(victim, identity);
    duel.play(&drystone_tests::rogue::SERVER_STEPS[..4]);
    let Some(Event::Request(id, _)) = duel.victim.events.pop() else { panic!("asked to verify") };
    let alert = duel.rogue.alert(2, 40);
    duel.give(&alert);
    let now = duel.victim.now();
    duel.victim.connection().answer(now, id, Answer::PeerVerification(Ok(()))).unwrap();
    duel.pass(Duration::from_secs(2));
    let expected =
        Error::AlertReceived { description: AlertDescription::HANDSHAKE_FAILURE, authenticated: false };
    assert_eq!(duel.victim.error(), Some(&expected));
}
