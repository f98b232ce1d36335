//! Peers that recognise each other by the fingerprints of their certificates, as WebRTC's do: no chain, no name, no date.

use std::sync::Arc;

use drystone_handshake::{
    ClientAuth, ClientConfig, Connection, Credential, Credentials, Error, PeerVerifier, ProtocolVersion,
    ServerConfig, Start,
};
use drystone_tests::identity::{Identity, settings_of};
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::scenario::VERSIONS;
use drystone_x509::{CertificateError, Fingerprint, Policy};

fn identities() -> [Identity; 2] {
    [(); 2].map(|()| Identity::direct(&rcgen::KeyPair::generate().unwrap()))
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint::sha384(&identity.chain[0])
}

/// A pair that exchanges certificates, whose verifiers are these.
fn pair(
    version: ProtocolVersion,
    [ours, theirs]: &[Identity; 2],
    of_client: impl PeerVerifier + 'static,
    of_server: Policy,
) -> Pair {
    let single = |identity: &Identity| -> Credentials {
        Credentials::single(Credential::new(identity.chain.clone(), &identity.key).unwrap())
    };
    let client = ClientConfig::new(settings_of(version), of_client).unwrap().with_credentials(single(ours));
    let server = ServerConfig::new(settings_of(version), single(theirs)).unwrap();
    let server = server.with_client_auth(ClientAuth::Require(Arc::new(of_server)));
    let (client, server) = (Arc::new(client), Arc::new(server));
    let name = drystone_tests::identity::name();
    let mut pair = Pair::new(Arc::clone(&client), server, name, perfect_link());
    // Without a name and without a date.
    let start = Start { now: pair.now(), unix: None };
    pair.client.connection = Some(Connection::client(client, None, start).unwrap());
    pair
}

#[test]
fn peers_recognise_each_other() {
    for version in VERSIONS {
        let identities = identities();
        let [ours, theirs] =
            identities.each_ref().map(|identity| Policy::fingerprints([fingerprint(identity)]));
        let mut pair = pair(version, &identities, theirs, ours);
        assert!(pair.connect(), "{version}: {:?}", pair.client.events);
        pair.echoes();
        let connected = pair.server.connected.as_ref().unwrap();
        // No name was sent.
        assert_eq!((connected.server_name.as_deref(), connected.peer_chain.len()), (None, 1));
    }
}

/// One of several is enough; another certificate ends the handshake on either side, and both are told why.
#[test]
fn another_certificate_is_refused() {
    for version in VERSIONS {
        let identities = identities();
        let [of_ours, of_theirs] = identities.each_ref().map(fingerprint);
        let several = Policy::fingerprints([of_ours.clone(), Fingerprint::sha512(&identities[1].chain[0])]);
        let both = || Policy::fingerprints([of_ours.clone(), of_theirs.clone()]);
        assert!(pair(version, &identities, several, both()).connect(), "{version}");

        let mut at_client = pair(version, &identities, Policy::fingerprints([of_ours.clone()]), both());
        assert!(!at_client.connect());
        let presented = of_theirs.to_string();
        let expected = CertificateError::FingerprintMismatch { presented };
        assert_eq!(at_client.client.connection().error(), Some(&Error::Certificate(Box::new(expected))));

        let mut at_server = pair(version, &identities, both(), Policy::fingerprints([of_theirs.clone()]));
        assert!(!at_server.connect() || at_server.client.connection().error().is_some());
        at_server.run_for(core::time::Duration::from_secs(1));
        let error = at_server.client.connection().error().map(ToString::to_string).unwrap_or_default();
        assert!(error.contains("bad_certificate"), "{version}: {error}");
        let nobody = Policy::fingerprints([]);
        assert!(!pair(version, &identities, nobody, both()).connect(), "nobody is trusted");
    }
}

/// Whoever holds any trusted certificate could pose as a server without a name.
#[test]
fn a_chain_is_not_verified_without_a_name() {
    for version in VERSIONS {
        let identities = identities();
        let any = || Policy::fingerprints(identities.iter().map(fingerprint));
        let mut pair = pair(version, &identities, identities[1].policy(), any());
        assert!(!pair.connect());
        assert_eq!(pair.client.connection().error(), Some(&Error::NameMissing));
    }
}
