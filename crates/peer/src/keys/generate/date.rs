//! Dates as Godot writes them, `YYYYMMDDhhmmss` in UTC. It must not know the present time.

use std::ops::Range;
use std::time::Duration;

use drystone_x509::UnixTime;

/// 9999-12-31 23:59:59, the last second that a certificate can name (RFC 5280 section 4.1.2.5).
pub(super) const LAST: u64 = 253_402_300_799;

const DAY: u64 = 86_400;

/// The seconds since 1970; `None` if it is not a date of the years 1970 to 9999.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let exists = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = exists.then(|| days_before(year, month))? + day - 1;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(days * DAY + hour * 3600 + minute * 60 + second)))
}

/// Days from 1970-01-01 to the first of this month.
fn days_before(year: u64, month: u64) -> u64 {
    let leap_days = |before: u64| (before - 1) / 4 - (before - 1) / 100 + (before - 1) / 400;
    let years = (year - 1970) * 365 + leap_days(year) - leap_days(1970);
    years + (1..month).map(|earlier| days_in_month(year, earlier)).sum::<u64>()
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse(text).map(|time| time.as_secs())
    }

    /// The numbers are those of `date -u +%s`.
    #[test]
    fn known_dates() {
        assert_eq!(seconds("19700101000000"), Some(0));
        assert_eq!(seconds("20000229000000"), Some(951_782_400));
        assert_eq!(seconds("20140101000000"), Some(1_388_534_400));
        assert_eq!(seconds("21000228235959"), Some(4_107_542_399));
        assert_eq!(seconds("21000301000000"), Some(4_107_542_400));
        assert_eq!(seconds("99991231235959"), Some(LAST));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..=2410 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(seconds(&format!("{year:04}{month:02}{day:02}000000")), Some(expected * DAY));
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2014010100000",
            "201401010000000",
            "20140101000000Z",
            "2014-1-1000000",
            "20141301000000",
            "20140001000000",
            "20140100000000",
            "20140132000000",
            "20140229000000",
            "21000229000000",
            "20140101240000",
            "20140101006000",
            "20140101000060",
            "19691231235959",
            "+0140101000000",
            "2014010100000é",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
