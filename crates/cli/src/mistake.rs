//! Mistakes in the arguments: what clap says about them, in one line.

/// The essence of clap's message: without its usage summary, with hints at what may have been meant.
pub(crate) fn one_line(message: &str) -> String {
    let end = ["\nUsage:", "\nFor more information"].iter().filter_map(|mark| message.find(mark)).min();
    let essence = message.get(..end.unwrap_or(message.len())).unwrap_or(message);
    let essence = essence.trim_start_matches("error:");
    let (what, tips) = essence.split_once("\n  tip:").unwrap_or((essence, ""));
    // The other kind of tip, to put "--" in front of what shall be a value, is wrong for every argument that we have.
    let similar = tips.split("\n  tip:").find(|tip| tip.contains("similar"));
    let quoted = similar.and_then(|tip| tip.split_once(':')).map(|(_, quoted)| words(quoted));
    let hint = quoted.map_or(String::new(), |quoted| format!("; did you mean {quoted}?"));
    format!("{}{hint} (try --help)", words(what))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Arguments;

    fn of(line: &str) -> String {
        let mistake = Arguments::try_parse_from(line.split(' ')).unwrap_err().to_string();
        let line = one_line(&mistake);
        assert!(!line.contains('\n') && !line.contains("Usage") && !line.contains("tip:"), "{line}");
        line
    }

    #[test]
    fn mistakes_are_told_in_one_line() {
        let line = of("drystone client host:1");
        assert!(line.contains("--ca") && line.contains("--insecure"), "{line}");
        assert_eq!(
            of("drystone client host:1 --insecure --mtu -5"),
            "invalid value '-5' for '--mtu <BYTES>': -5 is not in 228..=65507 (try --help)"
        );
        assert_eq!(
            of("drystone client host:1 --insecure --timeout -5"),
            "invalid value '-5' for '--timeout <SECONDS>': give a number of seconds (try --help)"
        );
    }

    #[test]
    fn what_was_meant_is_guessed() {
        assert_eq!(
            of("drystone client host:1 --insecre"),
            "unexpected argument '--insecre' found; did you mean '--insecure'? (try --help)"
        );
        assert_eq!(
            of("drystone servr"),
            "unrecognized subcommand 'servr'; did you mean 'server'? (try --help)"
        );
        let line = of("drystone client host:1 --insecure --group x25518");
        assert!(line.contains("[possible values: ") && line.contains("; did you mean 'x25519'?"), "{line}");
        assert_eq!(
            of("drystone client host:1 --insecure --colour"),
            "unexpected argument '--colour' found (try --help)"
        );
    }
}
