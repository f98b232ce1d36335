//! Reads fields of a certificate that webpki does not give away. It never judges a signature, a path or a name.
//!
//! It reads what RFC 5280 section 4.1 lays down and nothing else. What it cannot read is refused by its callers; what webpki
//! accepts and it cannot read is refused too.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use rustls_pki_types::CertificateDer;

use crate::der::{
    BIT_STRING, BOOLEAN, Element, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, elements,
    only, optional, value,
};
use crate::dn;
use crate::error::{CertificateError, Usage, Which};
use crate::oid;
use crate::validity::Validity;

const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// A certificate that could be read. Extensions are decoded only when asked for, so that an odd one that nobody
/// needs does no harm.
pub(crate) struct Reading<'a> {
    is_old: bool,
    signed: &'a [u8],
    signature_oid: &'a [u8],
    /// Whether the signed part names the same algorithm as the part behind it.
    agrees_on_algorithm: bool,
    signature: &'a [u8],
    issuer: &'a [u8],
    validity: Validity,
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Vec<Extension<'a>>,
    parts: Parts<'a>,
}

/// The pieces of a certificate that are only passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    /// What stands before the issuer in the signed part: version, serial number, algorithm.
    pub(crate) before_issuer: &'a [u8],
    /// The validity, header included.
    pub(crate) validity: &'a [u8],
    /// What stands behind the signed part: algorithm and signature.
    pub(crate) after_signed: &'a [u8],
}

/// One extension, not decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// Content of the OBJECT IDENTIFIER.
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    /// DER.
    pub(crate) value: &'a [u8],
    /// All of it.
    pub(crate) whole: &'a [u8],
}

/// An extension that occurs twice or does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// What basicConstraints says (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) is_authority: bool,
    pub(crate) path_length: Option<usize>,
}

impl<'a> Reading<'a> {
    /// `None` if `der` is not exactly one certificate.
    pub(crate) fn of(der: &'a [u8]) -> Option<Self> {
        let (tbs, after_signed) = element(only(der, SEQUENCE)?)?;
        let (algorithm, rest) = value(after_signed, SEQUENCE)?;
        let signature = only(rest, BIT_STRING)?.strip_prefix(&[0])?;
        let (signature_oid, _) = value(algorithm, OBJECT_IDENTIFIER)?;

        let mut fields = (tbs.tag == SEQUENCE).then_some(tbs.content)?;
        let is_old = match optional(&mut fields, VERSION)?.map(|version| only(version, INTEGER)) {
            None | Some(Some([0 | 1])) => true,
            Some(Some([2])) => false,
            Some(_) => return None,
        };
        let (_serial, fields) = value(fields, INTEGER)?;
        let (signed_algorithm, fields) = value(fields, SEQUENCE)?;
        let before_issuer = tbs.content.get(..tbs.content.len().checked_sub(fields.len())?)?;
        let (issuer, fields) = sequence(fields)?;
        let (validity, fields) = sequence(fields)?;
        let (subject, fields) = sequence(fields)?;
        let (spki, fields) = sequence(fields)?;
        let extensions = if fields.is_empty() { Vec::new() } else { extensions(only(fields, EXTENSIONS)?)? };
        Some(Self {
            is_old,
            signed: tbs.whole,
            signature_oid,
            agrees_on_algorithm: signed_algorithm == algorithm,
            signature,
            issuer,
            validity: Validity::read(only(validity, SEQUENCE)?)?,
            subject,
            spki,
            extensions,
            parts: Parts { before_issuer, validity, after_signed },
        })
    }

    pub(crate) fn parts(&self) -> Parts<'a> {
        self.parts
    }

    pub(crate) fn extensions(&self) -> &[Extension<'a>] {
        &self.extensions
    }

    pub(crate) fn validity(&self) -> Validity {
        self.validity
    }

    /// The DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &'a [u8] {
        self.spki
    }

    /// DER of the subject.
    pub(crate) fn subject(&self) -> &'a [u8] {
        self.subject
    }

    /// DER of the issuer.
    pub(crate) fn issuer(&self) -> &'a [u8] {
        self.issuer
    }

    /// `None` if it is empty, as it may be where there are alternative names.
    pub(crate) fn subject_text(&self) -> Option<String> {
        dn::text(self.subject)
    }

    pub(crate) fn issuer_text(&self) -> Option<String> {
        dn::text(self.issuer)
    }

    /// What the issuer signed, and the signature.
    pub(crate) fn signed(&self) -> (&'a [u8], &'a [u8]) {
        (self.signed, self.signature)
    }

    /// Whether the algorithm behind the signed part, which nobody has signed, is the one within it, as RFC 5280 section
    /// 4.1.1.2 demands. Then equal signed parts with equal signatures are equal certificates.
    pub(crate) fn agrees_on_algorithm(&self) -> bool {
        self.agrees_on_algorithm
    }

    /// Content of the OBJECT IDENTIFIER of the signature's algorithm.
    pub(crate) fn signature_oid(&self) -> &'a [u8] {
        self.signature_oid
    }

    /// Version 1 or 2, which have no extensions (RFC 5280 section 4.1.2.9): none may be there.
    pub(crate) fn is_old(&self) -> Result<bool, Unreadable> {
        if self.is_old && !self.extensions.is_empty() { Err(Unreadable) } else { Ok(self.is_old) }
    }

    /// The first extension that must be understood (RFC 5280 section 4.2) and is not, in words.
    ///
    /// Understood are those that webpki processes, and policies.
    pub(crate) fn unknown_critical_extension(&self) -> Option<String> {
        const UNDERSTOOD: [&[u8]; 11] = [
            oid::KEY_USAGE,
            oid::SUBJECT_ALT_NAME,
            oid::BASIC_CONSTRAINTS,
            oid::NAME_CONSTRAINTS,
            oid::CRL_DISTRIBUTION_POINTS,
            oid::EXTENDED_KEY_USAGE,
            oid::SCT_LIST,
            oid::CERTIFICATE_POLICIES,
            oid::POLICY_MAPPINGS,
            oid::POLICY_CONSTRAINTS,
            oid::INHIBIT_ANY_POLICY,
        ];
        let mut critical = self.extensions.iter().filter(|extension| extension.critical);
        critical.find(|extension| !UNDERSTOOD.contains(&extension.oid)).map(|found| oid::dotted(found.oid))
    }

    /// Whether the certificate may be used so, as far as its own usage extensions say: an absent one allows all.
    pub(crate) fn allows(&self, usage: Usage) -> Result<bool, Unreadable> {
        match usage {
            // The bits of RFC 5280 section 4.2.1.3, from the highest of the first byte.
            Usage::DigitalSignature => self.key_usage(0x80),
            Usage::KeyCertSign => self.key_usage(0x80 >> 5),
            Usage::ServerAuth => self.extended_key_usage(oid::SERVER_AUTH),
            Usage::ClientAuth => self.extended_key_usage(oid::CLIENT_AUTH),
        }
    }

    /// Refuses the certificate if it does not allow `usage`.
    pub(crate) fn check_usage(
        &self,
        usage: Usage,
        which: impl Fn() -> Which,
    ) -> Result<(), CertificateError> {
        match self.allows(usage) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CertificateError::WrongUsage { which: which(), usage }),
            Err(Unreadable) => Err(CertificateError::Malformed { which: which() }),
        }
    }

    fn key_usage(&self, bit: u8) -> Result<bool, Unreadable> {
        let Some(value) = self.extension(oid::KEY_USAGE)? else {
            return Ok(true);
        };
        match only(value, BIT_STRING).and_then(<[u8]>::split_first) {
            Some((0..=7, bits)) => Ok(bits.first().is_some_and(|byte| byte & bit != 0)),
            _ => Err(Unreadable),
        }
    }

    /// anyExtendedKeyUsage does not count, as in webpki (RFC 5280 section 4.2.1.12 leaves it to us).
    fn extended_key_usage(&self, wanted: &[u8]) -> Result<bool, Unreadable> {
        let Some(value) = self.extension(oid::EXTENDED_KEY_USAGE)? else {
            return Ok(true);
        };
        let mut found = false;
        for usage in elements(only(value, SEQUENCE).ok_or(Unreadable)?) {
            let usage = usage.filter(|usage| usage.tag == OBJECT_IDENTIFIER).ok_or(Unreadable)?;
            found |= usage.content == wanted;
        }
        Ok(found)
    }

    /// What an absent extension says is that it is no authority.
    pub(crate) fn basic_constraints(&self) -> Result<BasicConstraints, Unreadable> {
        let Some(value) = self.extension(oid::BASIC_CONSTRAINTS)? else {
            return Ok(BasicConstraints { is_authority: false, path_length: None });
        };
        let decoded = || {
            let mut fields = only(value, SEQUENCE)?;
            let is_authority = boolean(&mut fields)?;
            let path_length = match optional(&mut fields, INTEGER)? {
                Some(number) => Some(natural(number)?),
                None => None,
            };
            fields.is_empty().then_some(BasicConstraints { is_authority, path_length })
        };
        decoded().ok_or(Unreadable)
    }

    /// basicConstraints with the CA bit.
    pub(crate) fn is_authority(&self) -> Result<bool, Unreadable> {
        self.basic_constraints().map(|constraints| constraints.is_authority)
    }

    /// DER of the subjectAltName.
    pub(crate) fn alternative_names(&self) -> Result<Option<&'a [u8]>, Unreadable> {
        self.extension(oid::SUBJECT_ALT_NAME)
    }

    /// DER of the nameConstraints. They are unreadable if they constrain nothing: RFC 5280 section 4.2.1.10 demands
    /// at least one of the two lists, and a list has at least one subtree.
    pub(crate) fn name_constraints(&self) -> Result<Option<&'a [u8]>, Unreadable> {
        let Some(value) = self.extension(oid::NAME_CONSTRAINTS)? else {
            return Ok(None);
        };
        let mut lists = elements(only(value, SEQUENCE).ok_or(Unreadable)?).peekable();
        let fits =
            lists.peek().is_some() && lists.all(|list| list.is_some_and(|list| !list.content.is_empty()));
        if fits { Ok(Some(value)) } else { Err(Unreadable) }
    }

    /// The common names of the subject; one that is not text is `None`.
    pub(crate) fn common_names(&self) -> Vec<Option<Cow<'a, str>>> {
        dn::common_names(self.subject).collect()
    }

    pub(crate) fn extension(&self, oid: &[u8]) -> Result<Option<&'a [u8]>, Unreadable> {
        let mut found = self.extensions.iter().filter(|extension| extension.oid == oid);
        let first = found.next().map(|extension| extension.value);
        if found.next().is_some() { Err(Unreadable) } else { Ok(first) }
    }
}

/// The SEQUENCE that `input` starts with, header included, and what follows it.
fn sequence(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = element(input)?;
    (found.tag == SEQUENCE).then_some((found.whole, rest))
}

/// Extensions may be an empty list, as in webpki: some tools make it so.
fn extensions(list: &[u8]) -> Option<Vec<Extension<'_>>> {
    let items = elements(only(list, SEQUENCE)?);
    items.map(|item| item.filter(|item| item.tag == SEQUENCE).and_then(extension)).collect()
}

fn extension(item: Element<'_>) -> Option<Extension<'_>> {
    let (oid, mut fields) = value(item.content, OBJECT_IDENTIFIER)?;
    let critical = boolean(&mut fields)?;
    Some(Extension { oid, critical, value: only(fields, OCTET_STRING)?, whole: item.whole })
}

/// A BOOLEAN DEFAULT FALSE at the front of `fields`. FALSE may be written out, as webpki has it.
fn boolean(fields: &mut &[u8]) -> Option<bool> {
    match optional(fields, BOOLEAN)? {
        Some([0xff]) => Some(true),
        Some([0]) | None => Some(false),
        Some(_) => None,
    }
}

/// An INTEGER that is not negative. Whatever is larger than `usize` is as good as its largest value.
pub(crate) fn natural(content: &[u8]) -> Option<usize> {
    match content {
        [0x80..=0xff, ..] | [] => None,
        [0, 0..=0x7f, ..] => None, // longer than needed
        bytes => {
            let fold = |sum: usize, byte: &u8| sum.checked_mul(256)?.checked_add(usize::from(*byte));
            Some(bytes.iter().try_fold(0, fold).unwrap_or(usize::MAX))
        }
    }
}

/// The subject of a certificate in one line of at most 256 characters, for messages; `None` if it is empty or cannot be read.
///
/// The text is the certificate's own claim, and proves nothing.
pub fn subject_text(certificate: &CertificateDer<'_>) -> Option<String> {
    Reading::of(certificate)?.subject_text()
}

#[cfg(test)]
mod test_against_x509_parser;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use proptest::prelude::*;

    use super::*;
    use crate::der::encode;

    #[test]
    fn numbers_are_natural() {
        assert_eq!(natural(&[0]), Some(0));
        assert_eq!(natural(&[0, 0x80]), Some(128));
        assert_eq!(natural(&[1, 0]), Some(256));
        assert_eq!(natural(&[0x7f; 20]), Some(usize::MAX));
        for wrong in [&[][..], &[0xff], &[0, 1]] {
            assert_eq!(natural(wrong), None, "{wrong:?}");
        }
    }

    /// A version 3 certificate with these extensions and nothing in it that is good for anything.
    fn certificate(extensions: &[(&[u8], bool, &[u8])]) -> Vec<u8> {
        let list = extensions.iter().map(|(oid, critical, value)| {
            let critical = if *critical { encode(BOOLEAN, &[0xff]) } else { Vec::new() };
            let parts = [encode(OBJECT_IDENTIFIER, oid), critical, encode(OCTET_STRING, value)];
            encode(SEQUENCE, &parts.concat())
        });
        let list = encode(SEQUENCE, &list.collect::<Vec<_>>().concat());
        let algorithm = encode(SEQUENCE, &encode(OBJECT_IDENTIFIER, &[0x2a, 3]));
        let date = encode(0x17, b"300101000000Z");
        let tbs = [
            encode(VERSION, &encode(INTEGER, &[2])),
            encode(INTEGER, &[1]),
            algorithm.clone(),
            encode(SEQUENCE, &[]),
            encode(SEQUENCE, &[date.clone(), date].concat()),
            encode(SEQUENCE, &[]),
            encode(SEQUENCE, &[]),
            encode(EXTENSIONS, &list),
        ];
        let parts = [encode(SEQUENCE, &tbs.concat()), algorithm, encode(BIT_STRING, &[0, 7])];
        encode(SEQUENCE, &parts.concat())
    }

    #[test]
    fn constraints_that_constrain_nothing_are_malformed() {
        let read = |value: &[u8]| {
            let der = certificate(&[(oid::NAME_CONSTRAINTS, true, value)]);
            let reading = Reading::of(&der).unwrap();
            reading.name_constraints().map(|found| found.map(<[u8]>::to_vec))
        };
        for empty in
            [&[0x30, 0][..], &[0x30, 4, 0xa0, 0, 0xa1, 0], &[0x30, 2, 0xa0, 0], &[0x30, 2, 0xa1, 0], b""]
        {
            assert_eq!(read(empty), Err(Unreadable), "{empty:?}");
        }
        let one = [0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, b'a'];
        assert_eq!(read(&one), Ok(Some(one.to_vec())));
    }

    #[test]
    fn the_first_critical_extension_that_is_not_understood_is_named() {
        let der = certificate(&[
            (oid::KEY_USAGE, true, &[]),
            (&[0x2a, 3, 4], false, &[]),
            (&[0x2a, 3, 5], true, &[]),
        ]);
        let reading = Reading::of(&der).unwrap();
        assert_eq!(reading.unknown_critical_extension(), Some("1.2.3.5".to_string()));
    }

    #[test]
    fn an_extension_that_occurs_twice_is_unreadable() {
        let der = certificate(&[
            (oid::KEY_USAGE, true, &[3, 2, 7, 0x80]),
            (oid::KEY_USAGE, false, &[3, 2, 7, 0x80]),
        ]);
        assert_eq!(Reading::of(&der).unwrap().allows(Usage::DigitalSignature), Err(Unreadable));
    }

    #[test]
    fn key_usage_is_read_by_bits() {
        for (value, signs, issues) in [
            (&[3, 2, 7, 0x80][..], true, false),
            (&[3, 2, 2, 0x04], false, true),
            (&[3, 2, 1, 0x86], true, true),
            (&[3, 1, 0], false, false),
        ] {
            let der = certificate(&[(oid::KEY_USAGE, true, value)]);
            let reading = Reading::of(&der).unwrap();
            assert_eq!(reading.allows(Usage::DigitalSignature), Ok(signs), "{value:?}");
            assert_eq!(reading.allows(Usage::KeyCertSign), Ok(issues), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
            let _ = Reading::of(&bytes);
        }

        #[test]
        fn arbitrary_extensions_do_not_panic(oid in 0_usize..4, value: Vec<u8>) {
            let oids = [oid::KEY_USAGE, oid::EXTENDED_KEY_USAGE, oid::BASIC_CONSTRAINTS, oid::NAME_CONSTRAINTS];
            let der = certificate(&[(oids[oid], true, &value)]);
            let reading = Reading::of(&der).unwrap();
            let _ = (reading.allows(Usage::ServerAuth), reading.allows(Usage::KeyCertSign));
            let _ = (reading.basic_constraints(), reading.name_constraints());
        }
    }
}
