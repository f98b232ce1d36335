//! What is generated from the definition of the arguments: completions and manual pages.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Arguments;
use crate::fault::Fault;

const NAME: &str = "drystone";

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    print(&script)
}

/// Prints the manual page of the command, or writes one for each subcommand into a folder.
pub(crate) fn manual(folder: Option<&Path>) -> Result<(), Fault> {
    let arguments = Arguments::command();
    match folder {
        Some(folder) => clap_mangen::generate_to(arguments, folder)
            .map_err(|error| Fault::Local(format!("cannot write into {}: {error}", folder.display()))),
        None => {
            let mut page = Vec::new();
            Man::new(arguments).render(&mut page).map_err(Fault::local)?;
            print(&page)
        }
    }
}

/// To a reader that may have gone away, which is no fault.
fn print(text: &[u8]) -> Result<(), Fault> {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::output(&error)),
        _ => Ok(()),
    }
}
