//! Seconds since 1970 as a date, and back. It must not know the present time.

use core::fmt;

use rustls_pki_types::UnixTime;

/// Shows a time as `2026-11-22 22:01:47 UTC`.
pub(crate) struct Date(pub(crate) UnixTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let time = seconds % 86_400;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Year, month and day of a day number counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; `u64` days divided by 86,400 leave
/// every sum far from overflow.
fn civil(day_number: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097; // 400 years
    let days = day_number + 719_468; // from 0000-03-01
    let era = days / DAYS_PER_ERA;
    let of_era = days % DAYS_PER_ERA;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// The second in which a date and a time of day lie, counted from 1970; `None` if there is no such date or time. Years are those of certificates: 0 to 9999.
pub(crate) fn seconds_of(date: (i64, i64, i64), time: (i64, i64, i64)) -> Option<i64> {
    let ((year, month, day), (hour, minute, second)) = (date, time);
    let in_range = (0..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    // Every sum below is far from overflow: there are four digits of years.
    in_range.then(|| (day_number(year, month, day) * 24 + hour) * 3600 + minute * 60 + second)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The inverse of [`civil`]; negative before 1970.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted_month = (month + 9) % 12;
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::time::Duration;

    use super::*;

    fn text(seconds: u64) -> alloc::string::String {
        Date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))).to_string()
    }

    #[test]
    fn known_dates() {
        assert_eq!(text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(text(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(text(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(text(253_402_300_799), "9999-12-31 23:59:59 UTC");
    }

    #[test]
    fn the_last_second_does_not_overflow() {
        assert!(text(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn days_there_and_back() {
        for days in (0..2_932_897_u64).step_by(97) {
            let (year, month, day) = civil(days);
            let signed = |part| i64::try_from(part).unwrap();
            assert_eq!(day_number(signed(year), signed(month), signed(day)), signed(days));
        }
        assert_eq!(seconds_of((0, 3, 1), (0, 0, 0)), Some(-719_468 * 86_400));
        assert_eq!(seconds_of((0, 1, 1), (0, 0, 0)), Some(-719_528 * 86_400));
        assert_eq!(seconds_of((1900, 2, 29), (0, 0, 0)), None);
    }
}
