//! Makes chains for tests. Each test uses a part of this.
#![allow(dead_code)]

use std::time::Duration;

use drystone_x509::{CertificateDer, TrustAnchors, UnixTime, certificates_from_pem};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SignatureAlgorithm, date_time_ymd,
};

/// 2030-01-01, when all certificates of the tests are valid unless they say otherwise.
pub(crate) const NOW: u64 = 1_893_456_000;

pub(crate) fn now() -> UnixTime {
    at(NOW)
}

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A certificate that signs others.
pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(crate) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority(name, change);
        let der = params.self_signed(&key).unwrap().into();
        Self { der, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        self.below_with(name, |_| {})
    }

    pub(crate) fn below_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority(name, change);
        let der = params.signed_by(&key, &self.issuer).unwrap().into();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// The same authority and key, self-signed under another name.
    pub(crate) fn named(&self, name: DistinguishedName) -> Self {
        let key = KeyPair::from_pkcs8_der_and_sign_algo(
            &self.issuer.key().serialize_der().into(),
            &rcgen::PKCS_ECDSA_P256_SHA256,
        );
        let key = key.unwrap();
        let params = authority("", |p| p.distinguished_name = name);
        let der = params.self_signed(&key).unwrap().into();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// Another certificate for `other`'s name and key, issued by this authority.
    pub(crate) fn cross_sign(&self, other: &Self, name: &str) -> CertificateDer<'static> {
        let params = authority(name, |_| {});
        params.signed_by(other.issuer.key(), &self.issuer).unwrap().into()
    }

    /// A leaf with these alternative names.
    pub(crate) fn leaf(&self, names: &[&str]) -> CertificateDer<'static> {
        self.leaf_with(names, |_| {})
    }

    pub(crate) fn leaf_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        self.leaf_for(&KeyPair::generate().unwrap(), names, change)
    }

    pub(crate) fn leaf_for(
        &self,
        key: &impl PublicKeyData,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        leaf(names, change).signed_by(key, &self.issuer).unwrap().into()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        anchors(&[&self.der])
    }
}

/// A leaf that signs itself.
pub(crate) fn self_signed(
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateDer<'static> {
    leaf(names, change).self_signed(&KeyPair::generate().unwrap()).unwrap().into()
}

pub(crate) fn anchors(certificates: &[&CertificateDer<'static>]) -> TrustAnchors {
    let mut anchors = TrustAnchors::new();
    for certificate in certificates {
        anchors.add((*certificate).clone()).unwrap();
    }
    anchors
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = dated(CertificateParams::new(Vec::new()).unwrap());
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    params
}

fn leaf(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = dated(CertificateParams::new(names).unwrap());
    params.distinguished_name = common_name("leaf");
    change(&mut params);
    params
}

fn dated(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// An RSA public key that nobody has the private one of: the modulus is all ones.
pub(crate) struct RsaOfSize {
    der: Vec<u8>,
}

impl RsaOfSize {
    pub(crate) fn bits(bits: usize) -> Self {
        let modulus = [&[0][..], &vec![0xff; bits / 8][..]].concat();
        let integers = [tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat();
        Self { der: tlv(0x30, &integers) }
    }
}

impl PublicKeyData for RsaOfSize {
    fn der_bytes(&self) -> &[u8] {
        &self.der
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, content.to_vec()].concat()
}

/// A file of `vectors/x509`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/x509/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

pub(crate) fn certificate(name: &str) -> CertificateDer<'static> {
    certificates_from_pem(&fixture(name)).unwrap().remove(0)
}
