//! The `drystone` command: a DTLS client, a server and a demo for people at a terminal and for scripts. Everything
//! that a program could need lives in the library; here are only arguments, files and words.
//!
//! ```text
//!  args -> files, settings -> drystone::Client or Server -> events -> report (words or JSON) -> standard output
//!                                    ^     |                                                     exit code
//!                     lines of standard input, echo
//! ```

mod args;
mod client;
mod demo;
mod echo;
mod fault;
mod files;
mod lines;
mod names;
mod pace;
mod report;
mod server;
mod settings;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::fault::Fault;
use crate::report::{Report, Reporter};

fn main() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(answer) if !answer.use_stderr() => {
            // --help or --version: there is nobody to tell if it cannot be printed.
            let _ = answer.print();
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("drystone: {}", one_line(&mistake.to_string()));
            return ExitCode::from(Fault::USAGE);
        }
    };
    let reporter = Reporter::new(command.json());
    let outcome = match command {
        Command::Demo => demo::run(reporter),
        Command::Server(arguments) => server::run(&arguments, reporter),
        Command::Client(arguments) => client::run(&arguments, reporter),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let reason = fault.to_string();
            reporter.json_only(&Report::Error { peer: None, reason: &reason });
            eprintln!("drystone: {reason}");
            ExitCode::from(fault.exit_code())
        }
    }
}

/// A mistake in the arguments in one line: what clap says, without its usage summary.
fn one_line(message: &str) -> String {
    let end = ["\nUsage:", "\nFor more information"].iter().filter_map(|mark| message.find(mark)).min();
    let essence = message.get(..end.unwrap_or(message.len())).unwrap_or(message);
    let words: Vec<_> = essence.trim_start_matches("error:").split_whitespace().collect();
    format!("{} (try --help)", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_in_one_line() {
        let mistake = Arguments::try_parse_from(["drystone", "client", "host:1"]).unwrap_err().to_string();
        let line = one_line(&mistake);
        assert!(line.contains("--ca") && line.contains("--insecure"), "{line}");
        assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
    }
}
