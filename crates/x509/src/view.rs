//! What webpki is shown of the certificates that a peer presents. It must not decide whether any of them is believed.
//!
//! webpki builds and checks the path, but it compares names by their bytes, refuses critical policies, does not compare
//! directory names with constraints, and counts self-issued certificates for path lengths. A certificate that needs one of
//! these is shown to it rewritten: its names spelled as those that they are equal to (RFC 5280 section 7.1), without policies,
//! without constraints on directory names, without the path length. What is left out is checked on the path that webpki
//! finds, from the certificates as they were presented (`candidate.rs`).
//!
//! A chain is shown rewritten only after it was refused as it was presented. Signatures are still those over the certificates as they were presented: [`Original`] stands before each algorithm and
//! puts the signed bytes in the place of the rewritten ones. It does so for the very signature of the certificate that was
//! rewritten only, and not if a peer presents the rewritten bytes itself, so nothing else can borrow it.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
};

use crate::anchor::TrustAnchors;
use crate::der::{BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, encode};
use crate::directory::Split;
use crate::dn_match::Prepared;
use crate::oid;
use crate::policies::Policies;
use crate::read::{BasicConstraints, Reading};

/// Tag of the extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;

/// The chain of a peer, and what webpki is shown of it.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    originals: &'a [CertificateDer<'a>],
    /// Of use only if one is rewritten.
    shown: Vec<CertificateDer<'a>>,
    rewritten: Vec<Rewritten<'a>>,
}

/// A certificate that is shown otherwise than it is.
#[derive(Debug)]
struct Rewritten<'a> {
    shown: Vec<u8>,
    signature: &'a [u8],
    original: &'a [u8],
}

impl<'a> Chain<'a> {
    /// The chain, shown as it was presented. It costs nothing, and is enough for nearly every chain.
    pub(crate) fn as_presented(originals: &'a [CertificateDer<'a>]) -> Self {
        Self { originals, shown: Vec::new(), rewritten: Vec::new() }
    }

    /// Whether no certificate is shown otherwise than it was presented.
    pub(crate) fn is_as_presented(&self) -> bool {
        self.rewritten.is_empty()
    }

    /// The chain, with those certificates rewritten that need it.
    pub(crate) fn new(originals: &'a [CertificateDer<'a>], anchors: &TrustAnchors) -> Self {
        // What cannot be read is shown as it is, and refused by webpki.
        let readings: Vec<_> = originals.iter().map(|each| Reading::of(each)).collect();
        let is_self_issued = |(original, reading): (&CertificateDer<'_>, &Option<Reading<'_>>)| {
            let names =
                reading.as_ref().map(|each| (Prepared::of(each.issuer()), Prepared::of(each.subject())));
            // A configured one is the end of every path that it is in.
            names.is_some_and(|(issuer, subject)| issuer == subject) && anchors.find(original).is_none()
        };
        let hide = Hide { path_length: originals.iter().zip(&readings).skip(1).any(is_self_issued) };
        let mut spellings = Spellings::default();
        let mut chain = Self { originals, shown: Vec::new(), rewritten: Vec::new() };
        for (index, (original, reading)) in originals.iter().zip(&readings).enumerate() {
            // The leaf's subject is nobody's issuer.
            let rewritten = reading.as_ref().and_then(|reading| {
                let subject = if index > 0 { spellings.other(reading.subject(), anchors) } else { None };
                let issuer = spellings.other(reading.issuer(), anchors);
                rewrite(reading, issuer.as_deref(), subject.as_deref(), hide)
            });
            // Nobody has signed what a rewritten certificate looks like: who presents that too gets nothing rewritten, nor who
            // presents two certificates that look the same and are not.
            let is_shown_for_another = |view: &View<'_>| {
                let shown = (&view.shown, view.signature);
                chain
                    .rewritten
                    .iter()
                    .any(|each| (&each.shown, each.signature) == shown && each.original != view.original)
            };
            let is_presented = |view: &View<'_>| {
                let signed = (view.shown.as_slice(), view.signature);
                readings.iter().flatten().any(|each| each.signed() == signed)
            };
            let rewritten = rewritten.filter(|view| !is_presented(view) && !is_shown_for_another(view));
            chain.push(original, rewritten);
        }
        chain
    }

    /// A single leaf, of which the names do not matter.
    pub(crate) fn of_leaf(leaf: &'a CertificateDer<'a>) -> Self {
        let mut chain =
            Self { originals: core::slice::from_ref(leaf), shown: Vec::new(), rewritten: Vec::new() };
        chain
            .push(leaf, Reading::of(leaf).and_then(|reading| rewrite(&reading, None, None, Hide::default())));
        chain
    }

    fn push(&mut self, original: &'a CertificateDer<'a>, rewritten: Option<View<'a>>) {
        let shown = match rewritten {
            None => CertificateDer::from(original.as_ref()),
            Some(View { der, shown, signature, original }) => {
                self.rewritten.push(Rewritten { shown, signature, original });
                CertificateDer::from(der)
            }
        };
        self.shown.push(shown);
    }

    /// The certificates as they were presented, leaf first.
    pub(crate) fn originals(&self) -> &'a [CertificateDer<'a>] {
        self.originals
    }

    /// The certificates as webpki is shown them, leaf first.
    pub(crate) fn shown(&self) -> &[CertificateDer<'a>] {
        if self.is_as_presented() { self.originals } else { &self.shown }
    }

    /// Place and original of a certificate that webpki was shown.
    pub(crate) fn find(&self, shown: &CertificateDer<'_>) -> Option<(usize, &'a CertificateDer<'a>)> {
        let index = self.shown().iter().position(|each| each == shown)?;
        Some((index, self.originals.get(index)?))
    }

    /// The algorithms, each over the certificates as they were presented; none if all are shown so.
    pub(crate) fn algorithms<'c>(
        &'c self,
        algorithms: &'c [&'static dyn SignatureVerificationAlgorithm],
    ) -> Vec<Original<'c>> {
        let needed = if self.is_as_presented() { &[] } else { algorithms };
        needed.iter().map(|inner| Original { inner: *inner, rewritten: &self.rewritten }).collect()
    }
}

/// An algorithm that is given the signed bytes of the certificates as they were presented.
#[derive(Debug)]
pub(crate) struct Original<'c> {
    inner: &'static dyn SignatureVerificationAlgorithm,
    rewritten: &'c [Rewritten<'c>],
}

impl SignatureVerificationAlgorithm for Original<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let is_it = |each: &&Rewritten<'_>| each.shown == message && each.signature == signature;
        let message = self.rewritten.iter().find(is_it).map_or(message, |each| each.original);
        self.inner.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }
}

/// The first spelling of each name that occurs below the configured authorities.
#[derive(Default)]
struct Spellings<'a>(BTreeMap<Prepared, &'a [u8]>);

impl<'a> Spellings<'a> {
    /// The spelling to show for a whole Name, if it is another than its own.
    fn other(&mut self, name: &'a [u8], anchors: &TrustAnchors) -> Option<Cow<'a, [u8]>> {
        let prepared = Prepared::of(name)?;
        if let Some(configured) = anchors.spelling(&prepared) {
            let configured = encode(SEQUENCE, configured);
            return (configured != name).then_some(Cow::Owned(configured));
        }
        let first = *self.0.entry(prepared).or_insert(name);
        (first != name).then_some(Cow::Borrowed(first))
    }
}

/// What is left out beyond what webpki refuses or does not compare.
#[derive(Clone, Copy, Default)]
struct Hide {
    /// Where there are self-issued certificates.
    path_length: bool,
}

/// A certificate rewritten.
struct View<'a> {
    der: Vec<u8>,
    shown: Vec<u8>,
    signature: &'a [u8],
    original: &'a [u8],
}

/// The certificate with these names in the place of its own, and without the extensions that webpki is not shown. `None` if
/// it is then as it was.
fn rewrite<'a>(
    reading: &Reading<'a>,
    issuer: Option<&[u8]>,
    subject: Option<&[u8]>,
    hide: Hide,
) -> Option<View<'a>> {
    // What is found by its signed part and signature must be one certificate only.
    if !reading.agrees_on_algorithm() {
        return None;
    }
    let extensions = shown_extensions(reading, hide);
    if issuer.is_none() && subject.is_none() && extensions.is_none() {
        return None;
    }
    let extensions = extensions.unwrap_or_else(|| {
        reading.extensions().iter().flat_map(|extension| extension.whole).copied().collect()
    });
    let parts = reading.parts();
    let fields = [
        parts.before_issuer,
        issuer.unwrap_or(reading.issuer()),
        parts.validity,
        subject.unwrap_or(reading.subject()),
        reading.spki(),
        &encode(EXTENSIONS, &encode(SEQUENCE, &extensions)),
    ];
    let shown = encode(SEQUENCE, &fields.concat());
    let der = encode(SEQUENCE, &[&shown, parts.after_signed].concat());
    let (original, signature) = reading.signed();
    Some(View { der, shown, signature, original })
}

/// The extensions that webpki is shown; `None` if these are all. Extensions that cannot be read are shown, so that webpki
/// refuses them if they are critical.
fn shown_extensions(reading: &Reading<'_>, hide: Hide) -> Option<Vec<u8>> {
    const POLICIES: [&[u8]; 4] =
        [oid::CERTIFICATE_POLICIES, oid::POLICY_MAPPINGS, oid::POLICY_CONSTRAINTS, oid::INHIBIT_ANY_POLICY];
    let is_policy = |oid: &[u8]| POLICIES.contains(&oid);
    let hide_policies = reading.extensions().iter().any(|each| each.critical && is_policy(each.oid))
        && Policies::of(reading).is_ok();
    let constraints = reading.name_constraints().ok().flatten();
    let constraints = constraints.and_then(|constraints| Split::of(constraints).ok());
    let constraints = constraints.filter(|split| split.constraints.on_directory_names());
    let has_path_length =
        |constraints: BasicConstraints| constraints.is_authority && constraints.path_length.is_some();
    let hide_path_length = hide.path_length && reading.basic_constraints().is_ok_and(has_path_length);
    if !hide_policies && !hide_path_length && constraints.is_none() {
        return None;
    }
    let mut shown = Vec::new();
    for extension in reading.extensions() {
        match &constraints {
            _ if hide_policies && is_policy(extension.oid) => {}
            _ if hide_path_length && extension.oid == oid::BASIC_CONSTRAINTS => {
                let is_authority = encode(SEQUENCE, &encode(BOOLEAN, &[0xff]));
                shown.extend(encode_extension(extension.oid, extension.critical, &is_authority));
            }
            Some(split) if extension.oid == oid::NAME_CONSTRAINTS => {
                if let Some(others) = &split.others {
                    shown.extend(encode_extension(oid::NAME_CONSTRAINTS, extension.critical, others));
                }
            }
            _ => shown.extend_from_slice(extension.whole),
        }
    }
    Some(shown)
}

fn encode_extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { encode(BOOLEAN, &[0xff]) } else { Vec::new() };
    let fields = [encode(OBJECT_IDENTIFIER, oid), critical, encode(OCTET_STRING, value)];
    encode(SEQUENCE, &fields.concat())
}
