//! The `drystone` command: a DTLS client, a server and a demo for people at a terminal and for scripts. Everything
//! that a program could need lives in the library; here are only arguments, files, signals and words.
//!
//! ```text
//!  args -> files, settings -> drystone::Client or Server -> events -> report, reporter -> standard output
//!                                    ^     |                                               exit code
//!             packets of standard input, echo                    signals, diagnostics
//! ```

mod args;
mod client;
mod demo;
mod details;
mod diagnostics;
mod echo;
mod fault;
mod files;
mod generate;
mod input;
mod mistake;
mod names;
mod pace;
mod pipe;
mod progress;
mod report;
mod reporter;
mod server;
mod settings;
mod signals;
mod terminal;
mod watch;
mod window;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::{Arguments, Command};
use crate::fault::Fault;
use crate::report::{Report, Who};
use crate::reporter::Reporter;
use crate::terminal::Printable;

fn main() -> ExitCode {
    let Arguments { command, log } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return answer_of(&answer),
    };
    diagnostics::begin(log);
    let (reporter, outcome) = run(command);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever sent the signal knows, and the state has been reported.
        Err(Fault::Ended(signal)) => ExitCode::from(signal.exit_code()),
        Err(fault) => {
            complain(reporter, &fault.to_string());
            ExitCode::from(fault.exit_code())
        }
    }
}

fn run(command: Command) -> (Reporter, Result<(), Fault>) {
    match command {
        Command::Demo => (Reporter::Text, demo::run(Reporter::Text)),
        Command::Server(arguments) => {
            let reporter = if arguments.common.json { Reporter::Json } else { Reporter::Text };
            (reporter, server::run(&arguments, reporter))
        }
        Command::Client(arguments) => {
            let reporter = match (arguments.common.json, arguments.data_only()) {
                (true, _) => Reporter::Json,
                (false, true) => Reporter::Data,
                (false, false) => Reporter::Text,
            };
            (reporter, client::run(&arguments, reporter))
        }
        Command::Completions { shell } => (Reporter::Text, generate::completions(shell)),
        Command::Man { dir } => (Reporter::Text, generate::manual(dir.as_deref())),
    }
}

/// What clap has to say instead of arguments: help, the version, or a mistake.
fn answer_of(answer: &clap::Error) -> ExitCode {
    if !answer.use_stderr() {
        // There is nobody to tell if it cannot be printed.
        let _ = answer.print();
        return ExitCode::SUCCESS;
    }
    if answer.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = answer.print();
    } else {
        // The arguments are not understood, so they cannot say by themselves in which form.
        let json = std::env::args_os().any(|argument| argument == "--json");
        let reporter = if json { Reporter::Json } else { Reporter::Text };
        complain(reporter, &mistake::one_line(&answer.to_string()));
    }
    ExitCode::from(Fault::USAGE)
}

fn complain(reporter: Reporter, reason: &str) {
    reporter.json_only(&Report::Error { who: Who::default(), reason });
    eprintln!("drystone: {}", Printable(reason));
}
