//! A certificate signed with its own key: what is asked for, and how it is put together. It makes no keys.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use drystone_handshake::SecureRandom as _;
use drystone_handshake::SignatureScheme;
use drystone_handshake::crypto::SigningKey;
use drystone_handshake::crypto::{KeyError, ring::signing_key};
use drystone_x509::{KeyKind, PublicKey, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, PublicKeyData, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};

use super::super::certificate::X509Certificate;
use super::super::error::CryptoError;
use super::super::key::CryptoKey;
use super::error::GenerateError;
use super::name::{self, Subject};
use super::{date, failed};
use crate::random::OsRandom;

/// What a self-signed certificate shall say.
///
/// ```
/// use drystone::SelfSigned;
///
/// // As Godot's `generate_self_signed_certificate(key, "CN=play.example.org,O=Example,C=IT", ...)`
/// let wanted = SelfSigned {
///     issuer_name: "CN=play.example.org,O=Example,C=IT".to_owned(),
///     not_before: Some("20140101000000".to_owned()),
///     not_after: Some("20340101000000".to_owned()),
///     ..SelfSigned::default()
/// };
/// assert!(wanted.subject_alt_names.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfSigned {
    /// The name of subject and issuer, in Godot's form: attributes separated by commas. Known are `CN`, `O`, `OU`,
    /// `L`, `ST` and `C`, each at most once; a comma in a value is written `\,`, a backslash `\\`. Default:
    /// `CN=myserver,O=myorganisation,C=IT`.
    pub issuer_name: String,
    /// The first valid second in UTC, in Godot's form: `20140101000000`. Default: `None`, a day ago, for the
    /// sake of clocks that are slow.
    pub not_before: Option<String>,
    /// The last valid second. Default: `None`, ten years ahead.
    pub not_after: Option<String>,
    /// The DNS names and IP addresses for which the certificate is good: those that clients ask for. The first label
    /// of a DNS name may be `*`. Default: none, which means the common name if it is a DNS name or an IP address;
    /// if it is not, no client that checks names will accept the certificate.
    ///
    /// Godot writes no such names, and compares the common name instead, which RFC 9525 section 2 forbids. Its
    /// clients compare these names where there are any, but before Godot 4.3 no IP addresses.
    pub subject_alt_names: Vec<String>,
    /// Whether the certificate may issue those of servers and clients (basicConstraints: an authority, with no
    /// authorities below). Default: `true`, as Godot has it. With `false` whoever trusts the certificate trusts the
    /// holder of this one key and nobody else; Godot's clients take it too.
    pub is_authority: bool,
}

impl Default for SelfSigned {
    fn default() -> Self {
        Self {
            issuer_name: "CN=myserver,O=myorganisation,C=IT".to_owned(),
            not_before: None,
            not_after: None,
            subject_alt_names: Vec::new(),
            is_authority: true,
        }
    }
}

pub(super) fn certificate(
    key: &CryptoKey,
    wanted: &SelfSigned,
    now: Option<UnixTime>,
) -> Result<X509Certificate, GenerateError> {
    let signer = Signer::new(key)?;
    let subject = Subject::parse(&wanted.issuer_name)?;
    let [not_before, not_after] = validity(wanted, now)?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = alternative_names(wanted, &subject)?;
    params.distinguished_name = subject.distinguished_name;
    // Never beyond the year 9999, where this would panic.
    [params.not_before, params.not_after] =
        [not_before, not_after].map(|time| date_time_ymd(1970, 1, 1) + Duration::from_secs(time.as_secs()));
    params.serial_number = Some(serial_number()?);
    params.key_usages = usages(signer.public.kind(), wanted.is_authority);
    params.is_ca = match wanted.is_authority {
        true => IsCa::Ca(BasicConstraints::Constrained(0)),
        false => IsCa::ExplicitNoCa,
    };
    let made = params.self_signed(&signer).map_err(failed)?;
    Ok(vec![made.der().clone()].into())
}

fn alternative_names(wanted: &SelfSigned, subject: &Subject) -> Result<Vec<rcgen::SanType>, GenerateError> {
    if wanted.subject_alt_names.is_empty() {
        let common_name = subject.common_name.as_deref().map(name::alternative);
        return Ok(common_name.and_then(Result::ok).into_iter().collect());
    }
    wanted.subject_alt_names.iter().map(|text| name::alternative(text)).collect()
}

/// The first and the last valid second.
fn validity(wanted: &SelfSigned, now: Option<UnixTime>) -> Result<[UnixTime; 2], GenerateError> {
    const DAY: u64 = 86_400;
    const TEN_YEARS: u64 = 3652 * DAY;
    let given = |text: &String| date::parse(text).ok_or_else(|| GenerateError::Date(text.clone()));
    let relative = |shift: &dyn Fn(u64) -> u64| {
        let now = now.ok_or(GenerateError::ClockNotSet)?.as_secs();
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(shift(now).min(date::LAST))))
    };
    let before =
        wanted.not_before.as_ref().map_or_else(|| relative(&|now| now.saturating_sub(DAY)), given)?;
    let after =
        wanted.not_after.as_ref().map_or_else(|| relative(&|now| now.saturating_add(TEN_YEARS)), given)?;
    if before > after {
        let text =
            |given: &Option<String>| given.clone().unwrap_or_else(|| "which follows the clock".to_owned());
        return Err(GenerateError::NeverValid {
            not_before: text(&wanted.not_before),
            not_after: text(&wanted.not_after),
        });
    }
    Ok([before, after])
}

/// What the key is for. No extended usage is named: the certificate is good for servers and clients.
fn usages(kind: KeyKind, is_authority: bool) -> Vec<KeyUsagePurpose> {
    let mut usages = vec![KeyUsagePurpose::DigitalSignature];
    if matches!(kind, KeyKind::Rsa { .. }) {
        // Peers of other make may still encrypt to the key instead of agreeing on one (RFC 5246 section 7.4.2).
        usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    if is_authority {
        usages.push(KeyUsagePurpose::KeyCertSign);
    }
    usages
}

/// 20 bytes, the most that RFC 5280 section 4.1.2.2 allows; positive, and of the same length always.
fn serial_number() -> Result<SerialNumber, GenerateError> {
    let mut bytes = [0; 20];
    OsRandom.fill(&mut bytes).map_err(failed)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Our signing key in the form in which rcgen takes it: rcgen itself reads PKCS#8 alone.
struct Signer {
    key: Arc<dyn SigningKey>,
    public: PublicKey,
    scheme: SignatureScheme,
    algorithm: &'static SignatureAlgorithm,
}

impl Signer {
    fn new(key: &CryptoKey) -> Result<Self, CryptoError> {
        let (private, public) = (key.private()?, key.public()?);
        let (scheme, algorithm) = match public.kind() {
            KeyKind::Rsa { .. } => (SignatureScheme::RSA_PKCS1_SHA256, &rcgen::PKCS_RSA_SHA256),
            KeyKind::EcP256 => (SignatureScheme::ECDSA_SECP256R1_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256),
            KeyKind::EcP384 => (SignatureScheme::ECDSA_SECP384R1_SHA384, &rcgen::PKCS_ECDSA_P384_SHA384),
            KeyKind::Ed25519 => (SignatureScheme::ED25519, &rcgen::PKCS_ED25519),
            _ => return Err(KeyError::UnsupportedAlgorithm.into()),
        };
        Ok(Self { key: signing_key(private)?, public: public.clone(), scheme, algorithm })
    }
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        self.public.key_bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self.key.sign(self.scheme, message) {
            Poll::Ready(Ok(signature)) => Ok(signature),
            // A key in memory never answers later.
            Poll::Ready(Err(_)) | Poll::Pending => Err(rcgen::Error::RemoteKeyError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

    fn wanted(not_before: Option<&str>, not_after: Option<&str>) -> SelfSigned {
        let [not_before, not_after] = [not_before, not_after].map(|date| date.map(str::to_owned));
        SelfSigned { not_before, not_after, ..SelfSigned::default() }
    }

    #[test]
    fn the_default_dates_follow_the_clock() {
        let [before, after] = validity(&SelfSigned::default(), Some(NOW)).unwrap();
        assert_eq!(NOW.as_secs() - before.as_secs(), 86_400);
        assert_eq!(after.as_secs() - NOW.as_secs(), 3652 * 86_400);
        let at = |seconds| Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        let [before, after] = validity(&SelfSigned::default(), at(0)).unwrap();
        assert_eq!((before.as_secs(), after.as_secs()), (0, 3652 * 86_400));
        let [before, after] = validity(&SelfSigned::default(), at(u64::MAX)).unwrap();
        assert_eq!((before.as_secs(), after.as_secs()), (date::LAST, date::LAST));
    }

    #[test]
    fn a_clock_is_needed_only_for_what_follows_it() {
        let both = wanted(Some("20140101000000"), Some("20140101000000"));
        assert_eq!(validity(&both, None).unwrap()[0].as_secs(), 1_388_534_400);
        for one in [wanted(Some("20140101000000"), None), wanted(None, Some("20340101000000"))] {
            let error = validity(&one, None).unwrap_err();
            assert!(matches!(error, GenerateError::ClockNotSet));
            assert_eq!(error.godot_code(), 1);
        }
    }

    #[test]
    fn dates_that_cannot_be_are_refused() {
        let error = validity(&wanted(None, Some("2034")), Some(NOW)).unwrap_err();
        assert_eq!(error.godot_code(), 31);
        assert_eq!(error.to_string(), "\"2034\" is not a time of the form 20260131235959, from 1970 to 9999");
        let error = validity(&wanted(None, Some("20140101000000")), Some(NOW)).unwrap_err();
        assert_eq!(error.godot_code(), 31);
        assert_eq!(
            error.to_string(),
            "the last valid second, 20140101000000, is before the first, which follows the clock"
        );
    }

    #[test]
    fn serial_numbers_are_positive_and_differ() {
        let numbers: std::collections::BTreeSet<_> =
            (0..100).map(|_| serial_number().unwrap().to_bytes()).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.iter().all(|number| number.len() == 20 && (0x40..0x80).contains(&number[0])));
    }
}
