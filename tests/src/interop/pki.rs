//! Certificates for the conversations: made afresh, written as PEM files that every program reads.
//!
//! It knows certificates and files. Keys come from the `openssl` tool: RSA keys cannot be made with rcgen and ring,
//! and OpenSSL 3.0 does not read the Ed25519 key files that ring writes.

use super::side::KeyKind;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate chain and its key, as files.
#[derive(Debug)]
pub struct Identity {
    /// PEM: the leaf, then its intermediates, without the root.
    pub chain: PathBuf,
    /// PEM: the intermediates alone, if there are any.
    pub intermediates: Option<PathBuf>,
    /// PEM, PKCS#8.
    pub key: PathBuf,
}

/// Every certificate that the tests use. All server names are `localhost` and 127.0.0.1.
#[derive(Debug)]
pub struct Pki {
    /// The trust anchor of everything but `stranger`.
    pub root: PathBuf,
    /// A trust anchor that signed nothing here.
    pub other_root: PathBuf,
    /// The root among 150 others whose names are long: a server that lists them all in its CertificateRequest says 26 kB.
    pub many_roots: PathBuf,
    servers: Vec<(KeyKind, Identity)>,
    clients: Vec<(KeyKind, Identity)>,
    /// Root, intermediate, leaf; the chain file has leaf and intermediate.
    pub with_intermediate: Identity,
    /// The same with an intermediate of 12 kB: a flight of many datagrams.
    pub with_large_intermediate: Identity,
    /// A server certificate whose time is over.
    pub expired: Identity,
    /// A server certificate that signed itself and is no authority: its own trust anchor, or nobody's.
    pub self_signed: Identity,
    /// A client certificate signed by the other root.
    pub stranger: Identity,
}

/// An issuer that can sign, and the certificate that trusts it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    is_root: bool,
}

impl Pki {
    /// Makes all keys and certificates and writes them into `folder`.
    ///
    /// # Errors
    /// If the `openssl` tool or the file system fails.
    pub fn make(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let root = Authority::root(folder, "drystone interop root")?;
        let other = Authority::root(folder, "drystone interop other root")?;
        let intermediate = Authority::below(&root, folder, "drystone interop intermediate", 0)?;
        let large = Authority::below(&root, folder, "drystone interop large intermediate", 12_000)?;
        let each_kind = |params: fn() -> Result<CertificateParams, String>, role: &str| {
            KeyKind::ALL
                .into_iter()
                .map(|kind| {
                    Ok((kind, root.identity(folder, kind, &params()?, &format!("{role}-{}", kind.name()))?))
                })
                .collect::<Result<Vec<_>, String>>()
        };
        let mut expired = server_params()?;
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        Ok(Self {
            servers: each_kind(server_params, "server")?,
            clients: each_kind(client_params, "client")?,
            with_intermediate: intermediate.identity(folder, KeyKind::P256, &server_params()?, "chain")?,
            with_large_intermediate: large.identity(
                folder,
                KeyKind::Rsa2048,
                &server_params()?,
                "large-chain",
            )?,
            expired: root.identity(folder, KeyKind::P256, &expired, "expired")?,
            self_signed: self_signed(folder, KeyKind::P256, &server_params()?, "self-signed")?,
            stranger: other.identity(folder, KeyKind::P256, &client_params()?, "stranger")?,
            root: write(&folder.join("root.pem"), &root.pem)?,
            other_root: write(&folder.join("other-root.pem"), &other.pem)?,
            many_roots: write(&folder.join("many-roots.pem"), &many_roots(&root)?)?,
        })
    }

    /// The server certificate with a key of this kind.
    pub fn server(&self, kind: KeyKind) -> &Identity {
        of_kind(&self.servers, kind)
    }

    /// The client certificate with a key of this kind.
    pub fn client(&self, kind: KeyKind) -> &Identity {
        of_kind(&self.clients, kind)
    }
}

impl Authority {
    fn root(folder: &Path, name: &str) -> Result<Self, String> {
        let (_, key) = make_key(folder, KeyKind::P256, name)?;
        let params = authority_params(name)?;
        let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key), is_root: true })
    }

    /// With an extension of that many bytes that means nothing to anybody.
    fn below(parent: &Self, folder: &Path, name: &str, ballast: usize) -> Result<Self, String> {
        let (_, key) = make_key(folder, KeyKind::P256, name)?;
        let mut params = authority_params(name)?;
        if ballast > 0 {
            // An arc for examples (RFC 5612).
            let ballast = vec![0x04; ballast];
            params.custom_extensions =
                vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32_473, 1], ballast)];
        }
        let certificate = params.signed_by(&key, &parent.issuer).map_err(|error| error.to_string())?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key), is_root: false })
    }

    /// Signs a leaf. The chain file holds this authority too: harmless for a root, needed for an intermediate.
    fn identity(
        &self,
        folder: &Path,
        kind: KeyKind,
        params: &CertificateParams,
        file: &str,
    ) -> Result<Identity, String> {
        let (key_file, key) = make_key(folder, kind, file)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(|error| error.to_string())?;
        let above = if self.is_root { "" } else { &self.pem };
        let chain = write(&folder.join(format!("{file}.pem")), &format!("{}{above}", leaf.pem()))?;
        let intermediates = (!self.is_root).then(|| write(&folder.join(format!("{file}-above.pem")), above));
        Ok(Identity { chain, intermediates: intermediates.transpose()?, key: key_file })
    }
}

/// The root and others with the same key, which signed nothing.
fn many_roots(root: &Authority) -> Result<String, String> {
    let mut pem = root.pem.clone();
    for number in 0..150 {
        let mut params =
            authority_params(&format!("Example Global Root Certification Authority - G{number}"))?;
        let organization = format!("Some Example Trust Services Organisation {number}");
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Public Certification Authorities");
        params.distinguished_name.push(DnType::CountryName, "XX");
        let certificate = params.self_signed(root.issuer.key()).map_err(|error| error.to_string())?;
        pem.push_str(&certificate.pem());
    }
    Ok(pem)
}

fn self_signed(
    folder: &Path,
    kind: KeyKind,
    params: &CertificateParams,
    file: &str,
) -> Result<Identity, String> {
    let (key_file, key) = make_key(folder, kind, file)?;
    let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
    let chain = write(&folder.join(format!("{file}.pem")), &certificate.pem())?;
    Ok(Identity { chain, intermediates: None, key: key_file })
}

fn authority_params(name: &str) -> Result<CertificateParams, String> {
    let mut params = params(name, &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server_params() -> Result<CertificateParams, String> {
    let mut params = params("localhost", &["localhost", "127.0.0.1"])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client_params() -> Result<CertificateParams, String> {
    let mut params = params("interop client", &["client.example"])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn params(common_name: &str, names: &[&str]) -> Result<CertificateParams, String> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).map_err(|error| error.to_string())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn make_key(folder: &Path, kind: KeyKind, file: &str) -> Result<(PathBuf, KeyPair), String> {
    let path = folder.join(format!("{file}.key"));
    let options: &[&str] = match kind {
        KeyKind::Rsa2048 => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        KeyKind::P256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeyKind::P384 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        KeyKind::Ed25519 => &["-algorithm", "ED25519"],
    };
    let made = Command::new("openssl").arg("genpkey").args(options).arg("-out").arg(&path).output();
    let made = made.map_err(|error| format!("openssl genpkey: {error}"))?;
    if !made.status.success() {
        return Err(format!("openssl genpkey: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let pem = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let key = KeyPair::from_pem(&pem).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path, key))
}

fn write(path: &Path, text: &str) -> Result<PathBuf, String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_path_buf())
}

fn of_kind(identities: &[(KeyKind, Identity)], kind: KeyKind) -> &Identity {
    let found = identities.iter().find(|(known, _)| *known == kind);
    &found.expect("`Pki::make` makes one of every kind").1
}
