//! Diagnostics for people who look for a fault (`--log`, RUST_LOG): events of the libraries on standard error. It must not
//! know what the events are about.

use std::io;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// The variable that programs in Rust read their filter from.
const VARIABLE: &str = "RUST_LOG";

/// Which events are written: a level, or pairs of target and level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter(Targets);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            "give a level (error, warn, info, debug, trace, off), or pairs like drystone_handshake=debug with commas \
             between"
                .to_owned()
        })
    }
}

/// Begins to write the events that the filter lets through; that of the environment if none is given.
pub(crate) fn begin(asked: Option<Filter>) {
    let Some(Filter(targets)) = asked.or_else(of_environment) else { return };
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(targets);
    // It fails only where a subscriber is set already, which nothing else here does.
    let _ = registry().with(layer).try_init();
}

/// The variable is shared by many programs: one that makes no sense to us is no reason to stop.
fn of_environment() -> Option<Filter> {
    let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())?;
    text.parse().inspect_err(|reason| eprintln!("drystone: {VARIABLE} is ignored: {reason}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_or_pairs() {
        for right in
            ["debug", "TRACE", "off", "drystone=info,drystone_handshake=trace", "warn,drystone=debug"]
        {
            assert!(right.parse::<Filter>().is_ok(), "{right}");
        }
        assert!("drystone=loud".parse::<Filter>().unwrap_err().contains("debug"));
    }
}
