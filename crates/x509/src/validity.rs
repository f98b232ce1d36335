//! The dates of a certificate: read, and compared with a time that is given. It must not know the present time.

use rustls_pki_types::UnixTime;

use crate::date::seconds_of;
use crate::der::element;
use crate::error::{CertificateError, Which};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The two dates of a certificate, in seconds from 1970; they may lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// On which side of its validity a time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    NotYetValid { not_before: UnixTime },
    Expired { not_after: UnixTime },
}

impl Outside {
    pub(crate) fn error(self, which: Which, time: UnixTime) -> CertificateError {
        match self {
            Self::Expired { not_after } => CertificateError::Expired { which, not_after, time },
            Self::NotYetValid { not_before } => CertificateError::NotYetValid { which, not_before, time },
        }
    }
}

impl Validity {
    /// The content of the SEQUENCE of RFC 5280 section 4.1.2.5.
    pub(crate) fn read(content: &[u8]) -> Option<Self> {
        let (not_before, rest) = time(content)?;
        let (not_after, rest) = time(rest)?;
        rest.is_empty().then_some(Self { not_before, not_after })
    }

    /// Both ends belong to it (RFC 5280 section 4.1.2.5).
    pub(crate) fn check(&self, time: UnixTime) -> Result<(), Outside> {
        let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        if now < self.not_before {
            return Err(Outside::NotYetValid { not_before: unix_time(self.not_before) });
        }
        if now > self.not_after {
            return Err(Outside::Expired { not_after: unix_time(self.not_after) });
        }
        Ok(())
    }
}

/// Dates before 1970 are shown as 1970: they only appear in messages.
fn unix_time(seconds: i64) -> UnixTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds))
}

/// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`: the only forms that RFC 5280 section 4.1.2.5 allows.
fn time(input: &[u8]) -> Option<(i64, &[u8])> {
    let (found, rest) = element(input)?;
    let mut digits = found.content.strip_suffix(b"Z")?;
    let year = match found.tag {
        // Section 4.1.2.5.1: 50 to 99 are of the twentieth century.
        UTC_TIME => match take(&mut digits, 2)? {
            year @ 0..50 => 2000 + year,
            year => 1900 + year,
        },
        GENERALIZED_TIME => take(&mut digits, 4)?,
        _ => return None,
    };
    let (month, day) = (take(&mut digits, 2)?, take(&mut digits, 2)?);
    let (hour, minute, second) = (take(&mut digits, 2)?, take(&mut digits, 2)?, take(&mut digits, 2)?);
    (digits.is_empty()).then_some((seconds_of((year, month, day), (hour, minute, second))?, rest))
}

/// The number that `digits` starts with, `count` digits long.
fn take(digits: &mut &[u8], count: usize) -> Option<i64> {
    let (number, rest) = digits.split_at_checked(count)?;
    *digits = rest;
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    number.iter().try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?)) // at most four digits
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn validity_includes_both_ends() {
        let validity = Validity { not_before: 10, not_after: 20 };
        let check = |seconds| validity.check(unix_time(seconds));
        assert_eq!(check(9), Err(Outside::NotYetValid { not_before: unix_time(10) }));
        assert_eq!(check(10), Ok(()));
        assert_eq!(check(20), Ok(()));
        assert_eq!(check(21), Err(Outside::Expired { not_after: unix_time(20) }));
    }

    fn read(tag: u8, text: &str) -> Option<i64> {
        let length = u8::try_from(text.len()).unwrap();
        let input: Vec<u8> = [&[tag, length], text.as_bytes()].concat();
        time(&input).map(|(seconds, _)| seconds)
    }

    #[test]
    fn both_forms_of_a_date_are_read() {
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(GENERALIZED_TIME, "20000229120000Z"), Some(951_825_600));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
    }

    #[test]
    fn other_forms_are_none() {
        for text in ["7001010000Z", "700101000000", "700101000000+0100", "70010100000aZ", ""] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
        for text in ["20000230000000Z", "20001301000000Z", "20000100000000Z", "20000101240000Z"] {
            assert_eq!(read(GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(read(GENERALIZED_TIME, "20000101000000.5Z"), None, "a fraction");
        assert_eq!(read(0x04, "700101000000Z"), None);
    }
}
