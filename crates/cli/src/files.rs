//! Certificates and keys: from files, or made on the spot.

use std::fs;
use std::path::Path;

use drystone::Credential;
use drystone::x509::{self, CertificateDer, PrivateKeyDer, TrustAnchors};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

use crate::fault::Fault;

/// The chain and key of these files.
pub(crate) fn credential(chain: &Path, key: &Path) -> Result<Credential, Fault> {
    let certificates = certificates(chain)?;
    let key_bytes = read(key)?;
    let private = x509::private_key_from_pem_or_der(&key_bytes).map_err(|error| in_file(key, error))?;
    Credential::new(certificates, &private).map_err(|error| in_file(chain, error))
}

/// Trust in all certificates of this file.
pub(crate) fn anchors(file: &Path) -> Result<TrustAnchors, Fault> {
    let mut anchors = TrustAnchors::new();
    for certificate in certificates(file)? {
        anchors.add(certificate).map_err(|error| in_file(file, error))?;
    }
    Ok(anchors)
}

/// A certificate that was made for one run, and its key.
#[derive(Debug)]
pub(crate) struct SelfSigned {
    pub(crate) credential: Credential,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A P-256 certificate for this DNS name or IP address, signed by itself.
pub(crate) fn self_signed(name: &str) -> Result<SelfSigned, Fault> {
    let failed =
        |error: rcgen::Error| Fault::Local(format!("cannot make a certificate for '{name}': {error}"));
    let mut params = CertificateParams::new([name.to_owned()]).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let made = params.self_signed(&key).map_err(failed)?;
    let certificate = made.der().clone();
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(Fault::local)?;
    let credential = Credential::new(vec![certificate.clone()], &private).map_err(Fault::local)?;
    Ok(SelfSigned { credential, certificate, pem: made.pem() })
}

/// Writes a file, replacing what is there.
pub(crate) fn write(file: &Path, content: &str) -> Result<(), Fault> {
    fs::write(file, content)
        .map_err(|error| Fault::Local(format!("cannot write {}: {error}", file.display())))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    x509::certificates_from_pem_or_der(&read(file)?).map_err(|error| in_file(file, error))
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(file).map_err(|error| Fault::Local(format!("cannot read {}: {error}", file.display())))
}

fn in_file(file: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::Local(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use drystone::x509::{Expected, Policy, ServerName, UnixTime};

    use super::*;

    #[test]
    fn a_fresh_certificate_is_good_for_its_name_only() {
        let now = UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
        for (own, other) in [("localhost", "example.org"), ("127.0.0.1", "127.0.0.2")] {
            let made = self_signed(own).unwrap();
            let mut anchors = TrustAnchors::new();
            anchors.add(made.certificate.clone()).unwrap();
            let policy = Policy::new(anchors);
            let verdict = |name: &str| {
                let name = ServerName::try_from(name.to_owned()).unwrap();
                policy.verify(made.credential.chain(), Expected::Server(&name), now).map(drop)
            };
            assert_eq!(verdict(own), Ok(()));
            assert!(verdict(other).is_err());
        }
    }

    #[test]
    fn mistakes_name_the_file() {
        let missing = Path::new("/nonexistent/ca.pem");
        let message = anchors(missing).unwrap_err().to_string();
        assert!(message.starts_with("cannot read /nonexistent/ca.pem"), "{message}");
    }
}
