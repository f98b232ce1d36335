//! The name of a certificate's subject, from a text as Godot takes it, and its alternative names. It signs nothing.

use std::net::IpAddr;

use drystone_x509::DnsName;
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{DistinguishedName, DnType, DnValue, SanType};

use super::error::GenerateError;

/// A subject's name.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) distinguished_name: DistinguishedName,
    /// For certificates without alternative names.
    pub(super) common_name: Option<String>,
}

/// A short and a long name of an attribute, its type, and its greatest length in characters (RFC 5280 appendix A.1).
struct Attribute {
    names: [&'static str; 2],
    kind: DnType,
    limit: usize,
}

const ATTRIBUTES: [Attribute; 6] = [
    Attribute { names: ["CN", "commonName"], kind: DnType::CommonName, limit: 64 },
    Attribute { names: ["O", "organizationName"], kind: DnType::OrganizationName, limit: 64 },
    Attribute { names: ["OU", "organizationalUnitName"], kind: DnType::OrganizationalUnitName, limit: 64 },
    Attribute { names: ["L", "locality"], kind: DnType::LocalityName, limit: 128 },
    Attribute { names: ["ST", "stateOrProvinceName"], kind: DnType::StateOrProvinceName, limit: 128 },
    Attribute { names: ["C", "countryName"], kind: DnType::CountryName, limit: 2 },
];

impl Subject {
    /// Reads `CN=myserver,O=myorganisation,C=IT`. A backslash takes its meaning from a comma, and from another
    /// backslash; blanks before an attribute do not count.
    pub(super) fn parse(text: &str) -> Result<Self, GenerateError> {
        let unusable = |reason: String| GenerateError::Name { name: text.to_owned(), reason };
        let mut subject = Self { distinguished_name: DistinguishedName::new(), common_name: None };
        for part in parts(text).map_err(unusable)? {
            let (name, value) =
                part.split_once('=').ok_or_else(|| unusable(format!("\"{part}\" is not NAME=VALUE")))?;
            let known = |attribute: &&Attribute| {
                attribute.names.iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
            };
            let attribute = ATTRIBUTES
                .iter()
                .find(known)
                .ok_or_else(|| unusable(format!("the attribute \"{name}\" is not known")))?;
            subject.add(attribute, value).map_err(unusable)?;
        }
        Ok(subject)
    }

    fn add(&mut self, attribute: &Attribute, value: &str) -> Result<(), String> {
        let short = attribute.names[0];
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(format!("{short} is empty or has control characters"));
        }
        if value.chars().count() > attribute.limit {
            return Err(format!("{short} has more than {} characters", attribute.limit));
        }
        if self.distinguished_name.get(&attribute.kind).is_some() {
            return Err(format!("{short} is given twice"));
        }
        let content = match attribute.kind {
            DnType::CountryName => DnValue::PrintableString(country(value)?),
            _ => DnValue::Utf8String(value.to_owned()),
        };
        self.distinguished_name.push(attribute.kind.clone(), content);
        if attribute.kind == DnType::CommonName {
            self.common_name = Some(value.to_owned());
        }
        Ok(())
    }
}

/// The attributes, with the backslashes resolved.
fn parts(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            ',' => {
                parts.push(String::new());
                continue;
            }
            '\\' => match characters.next() {
                Some(escaped @ (',' | '\\')) => escaped,
                _ => {
                    return Err("a backslash stands before something else than a comma or a backslash".into());
                }
            },
            other => other,
        };
        if let Some(part) = parts.last_mut()
            && !(part.is_empty() && literal == ' ')
        {
            part.push(literal);
        }
    }
    Ok(parts)
}

/// Two letters of ISO 3166.
fn country(value: &str) -> Result<PrintableString, String> {
    let letters = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
    let not_a_country = || "C is not a country's two letters".to_owned();
    letters.then(|| PrintableString::try_from(value)).ok_or_else(not_a_country)?.map_err(|_| not_a_country())
}

/// An IP address, or a DNS name; its first label may be `*`.
pub(super) fn alternative(text: &str) -> Result<SanType, GenerateError> {
    let neither = || GenerateError::AlternativeName(text.to_owned());
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let host = text.strip_prefix("*.").unwrap_or(text);
    // A dot at the end is for resolvers; certificates have none (RFC 9525 section 2).
    if DnsName::try_from(host).is_err() || host.ends_with('.') {
        return Err(neither());
    }
    Ia5String::try_from(text).map(SanType::DnsName).map_err(|_| neither())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let error = Subject::parse(text).unwrap_err();
        assert_eq!(error.godot_code(), 31);
        let GenerateError::Name { name, reason } = error else { panic!("{error}") };
        assert_eq!(name, text);
        reason
    }

    #[test]
    fn attributes_keep_their_order_and_their_commas() {
        let subject = Subject::parse(r"CN=my\,ser\\ver, organizationName=a=b ,c=IT,ST=Ä").unwrap();
        let found: Vec<_> =
            subject.distinguished_name.iter().map(|(kind, value)| (kind.clone(), value.clone())).collect();
        let text = |text: &str| DnValue::Utf8String(text.to_owned());
        assert_eq!(
            found,
            [
                (DnType::CommonName, text(r"my,ser\ver")),
                (DnType::OrganizationName, text("a=b ")),
                (DnType::CountryName, DnValue::PrintableString(PrintableString::try_from("IT").unwrap())),
                (DnType::StateOrProvinceName, text("Ä")),
            ]
        );
        assert_eq!(subject.common_name.as_deref(), Some(r"my,ser\ver"));
        assert_eq!(Subject::parse("O=x").unwrap().common_name, None);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        assert_eq!(refusal(""), "\"\" is not NAME=VALUE");
        assert_eq!(refusal("CN=a,"), "\"\" is not NAME=VALUE");
        assert_eq!(refusal("CN=a,DC=b"), "the attribute \"DC\" is not known");
        assert_eq!(refusal("CN="), "CN is empty or has control characters");
        assert_eq!(refusal("CN=a\0b"), "CN is empty or has control characters");
        assert_eq!(refusal("O=a,OU=b,O=c"), "O is given twice");
        assert_eq!(refusal("C=I1"), "C is not a country's two letters");
        assert_eq!(refusal("C=I"), "C is not a country's two letters");
        assert_eq!(refusal("C=ITA"), "C has more than 2 characters");
        assert_eq!(refusal(r"CN=a\"), "a backslash stands before something else than a comma or a backslash");
        assert_eq!(
            refusal(r"CN=a\n"),
            "a backslash stands before something else than a comma or a backslash"
        );
        assert_eq!(refusal(&format!("CN={}", "x".repeat(65))), "CN has more than 64 characters");
        assert!(Subject::parse(&format!("CN={}", "Ä".repeat(64))).is_ok());
    }

    #[test]
    fn alternative_names_are_dns_names_and_addresses() {
        for name in ["localhost", "game.example.org", "*.example.org", "xn--bcher-kva.example"] {
            assert!(
                matches!(alternative(name), Ok(SanType::DnsName(found)) if found.as_str() == name),
                "{name}"
            );
        }
        for address in ["127.0.0.1", "::1", "2001:db8::7"] {
            assert_eq!(alternative(address).unwrap(), SanType::IpAddress(address.parse().unwrap()));
        }
        for neither in
            ["", "*", "*.", "a b", "bücher.example", "example.org.", "a.*.b", "http://a", "a..b", "1.2.3.4:5"]
        {
            let error = alternative(neither).unwrap_err();
            assert!(matches!(&error, GenerateError::AlternativeName(named) if named == neither), "{neither}");
            assert_eq!(error.godot_code(), 31);
        }
    }
}
