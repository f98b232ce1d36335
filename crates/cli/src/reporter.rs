//! Where reports go and in which form: text or JSON lines on standard output, or, where that is for the data of packets
//! alone, text on standard error. It must not know what the reports are about.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::report::Report;

/// Writes reports in the form that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reporter {
    /// Text on standard output.
    Text,
    /// One JSON object per line of standard output.
    Json,
    /// Text on standard error; standard output has the data of packets and nothing else.
    Data,
}

/// A report with its time.
#[derive(Serialize)]
struct Stamped<'a> {
    /// UTC, in the form of RFC 3339.
    time: String,
    #[serde(flatten)]
    report: &'a Report<'a>,
}

impl Reporter {
    pub(crate) fn report(self, report: &Report<'_>) {
        match self {
            Self::Text => write_line(io::stdout().lock(), report),
            Self::Data => write_line(io::stderr().lock(), report),
            Self::Json => self.json_only(report),
        }
    }

    /// For what is told to people on another way.
    pub(crate) fn json_only(self, report: &Report<'_>) {
        if self == Self::Json {
            // Nothing in a report can fail to serialise: no maps with odd keys, no failing serialisers.
            let line = serde_json::to_string(&Stamped { time: now(), report }).unwrap_or_default();
            write_line(io::stdout().lock(), line);
        }
    }

    /// A warning: for people always on standard error.
    pub(crate) fn warn(self, reason: &str) {
        self.json_only(&Report::Warning { reason });
        write_line(io::stderr().lock(), format_args!("drystone: {reason}"));
    }

    /// A packet that a client received: as it is where standard output has data only, else as a report.
    ///
    /// # Errors
    /// What the operating system says if data cannot be written.
    pub(crate) fn received(self, payload: &[u8], report: &Report<'_>) -> io::Result<()> {
        if self == Self::Data {
            let mut out = io::stdout().lock();
            out.write_all(payload)?;
            out.flush()
        } else {
            self.report(report);
            Ok(())
        }
    }
}

/// A reader of reports that went away does not stop the run: peers may still be there.
fn write_line(mut to: impl Write, line: impl fmt::Display) {
    let _ = writeln!(to, "{line}");
}

fn now() -> String {
    let mut time = String::new();
    // Writing into a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Who;

    #[test]
    fn times_are_utc_with_microseconds() {
        let report = Report::Closed { who: Who::default() };
        let json = serde_json::to_value(Stamped { time: now(), report: &report }).unwrap();
        let time = json["time"].as_str().unwrap();
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
        assert_eq!(json["event"], "closed");
    }
}
