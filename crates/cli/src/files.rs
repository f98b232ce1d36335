//! Certificates and keys: from files, or made on the spot.

use std::fs;
use std::path::Path;

use drystone::x509::{self, CertificateDer, TrustAnchors};
use drystone::{Credential, Crypto, GenerateError, KeyAlgorithm, SelfSigned, X509Certificate};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// The chain and key of these files.
pub(crate) fn credential(chain: &Path, key: &Path) -> Result<Credential, Fault> {
    let certificates = certificates(chain)?;
    let key_bytes = read(key)?;
    let private = x509::private_key_from_pem_or_der(&key_bytes).map_err(|error| in_file(key, error))?;
    let private = Zeroizing::new(private);
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
pub(crate) struct Made {
    pub(crate) credential: Credential,
    pub(crate) certificate: X509Certificate,
}

/// A P-256 certificate for this DNS name or IP address, signed by itself.
pub(crate) fn self_signed(name: &str) -> Result<Made, Fault> {
    let failed =
        |error: GenerateError| Fault::Local(format!("cannot make a certificate for '{name}': {error}"));
    let crypto = Crypto::new();
    let key = crypto.generate_key(KeyAlgorithm::EcP256).map_err(failed)?;
    // Longer common names are not allowed, and it is for people only: clients compare the alternative name.
    let common_name = if name.len() <= 64 { name } else { "drystone" };
    let wanted = SelfSigned {
        issuer_name: format!("CN={common_name}"),
        subject_alt_names: vec![name.to_owned()],
        is_authority: false,
        ..SelfSigned::default()
    };
    let certificate = crypto.generate_self_signed_certificate(&key, &wanted).map_err(failed)?;
    let private = key.private_key().ok_or_else(|| Fault::local("the new key is not private"))?;
    let credential = Credential::new(certificate.certificates().to_vec(), private).map_err(Fault::local)?;
    Ok(Made { credential, certificate })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    x509::certificates_from_pem_or_der(&read(file)?).map_err(|error| in_file(file, error))
}

/// The content of a file. It is wiped, since it may be a private key; the standard library reserves the file's size first,
/// so that no copies are left behind by growing.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    fs::read(file)
        .map(Zeroizing::new)
        .map_err(|error| Fault::Local(format!("cannot read {}: {error}", file.display())))
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
        let long = format!("{}.example.org", "x".repeat(63));
        for (own, other) in [("localhost", "example.org"), ("127.0.0.1", "127.0.0.2"), (&long, "drystone")] {
            let made = self_signed(own).unwrap();
            let policy = Policy::new(made.certificate.trust_anchors().unwrap());
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
