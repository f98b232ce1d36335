//! Cryptography that counts what it is asked for: asymmetric operations before an address is proved are a threat, and
//! so is a second signature for a repeated hello.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Poll;
use std::sync::Arc;

use drystone_handshake::crypto::{
    CryptoProvider, KeyExchangeError, KeyExchangeGroup, SharedSecret, SigningError, SigningKey,
    StartedKeyExchange, ring,
};
use drystone_handshake::{
    Credential, Error, NamedGroup, PeerCertificates, PeerVerifier, ProtocolVersion, SecureRandom,
    SignatureScheme, VerifyError,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;

use crate::identity::Identity;

/// How often a tester's cryptography was used. One for each test: they run side by side.
#[derive(Debug, Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// How often.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A group that counts keys made and shares answered.
#[derive(Debug)]
struct CountingGroup {
    group: &'static dyn KeyExchangeGroup,
    counter: Arc<Counter>,
}

impl KeyExchangeGroup for CountingGroup {
    fn name(&self) -> NamedGroup {
        self.group.name()
    }

    fn share_length(&self) -> usize {
        self.group.share_length()
    }

    fn min_version(&self) -> ProtocolVersion {
        self.group.min_version()
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        self.counter.count();
        self.group.start()
    }

    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        self.counter.count();
        self.group.respond(peer_share)
    }
}

/// ring's provider with all its groups, which count together.
pub fn counting_provider() -> (CryptoProvider, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    let mut provider = ring::provider();
    for group in &mut provider.groups {
        // A provider's groups live as long as the program; a test leaks a few bytes.
        *group = Box::leak(Box::new(CountingGroup { group: *group, counter: Arc::clone(&counter) }));
    }
    (provider, counter)
}

/// A key that counts its signatures.
#[derive(Debug)]
struct CountingKey {
    key: Arc<dyn SigningKey>,
    counter: Arc<Counter>,
}

impl SigningKey for CountingKey {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn schemes(&self) -> &[SignatureScheme] {
        self.key.schemes()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        self.counter.count();
        self.key.sign(scheme, message)
    }
}

/// The identity's credential with a key that counts.
pub fn counting_credential(identity: &Identity) -> (Credential, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    let key = identity.credential().key().clone();
    let key = Arc::new(CountingKey { key, counter: Arc::clone(&counter) });
    (Credential::with_signer(identity.chain.clone(), key).expect("the same key"), counter)
}

/// A key whose answer comes later, through the connection.
#[derive(Debug)]
struct LateKey(Arc<dyn SigningKey>);

impl SigningKey for LateKey {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(&self, _: SignatureScheme, _: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        Poll::Pending
    }
}

/// The identity's credential with a key that answers later.
pub fn late_credential(identity: &Identity) -> Credential {
    let key = Arc::new(LateKey(identity.credential().key().clone()));
    Credential::with_signer(identity.chain.clone(), key).expect("the same key")
}

/// A verifier whose verdict comes later, through the connection.
#[derive(Debug)]
pub struct LateVerifier;

impl PeerVerifier for LateVerifier {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        Poll::Pending
    }
}

/// A verifier that counts and trusts everybody.
#[derive(Debug)]
pub struct CountingVerifier(pub Arc<Counter>);

impl PeerVerifier for CountingVerifier {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        self.0.count();
        Poll::Ready(Ok(()))
    }
}

/// A source of random numbers that fails after so many calls.
#[derive(Debug)]
pub struct FailingRandom {
    good: usize,
    calls: Counter,
}

impl FailingRandom {
    /// Works `good` times.
    pub fn after(good: usize) -> Self {
        Self { good, calls: Counter::default() }
    }
}

impl SecureRandom for FailingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.calls.count();
        if self.calls.get() > self.good {
            return Err(Error::RandomFailure);
        }
        bytes.fill(self.calls.get() as u8);
        Ok(())
    }
}
