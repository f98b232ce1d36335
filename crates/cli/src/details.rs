//! What is shown of a new connection on request: the peer's certificates and exported keying material.

use drystone::{Connected, Connection, Misuse};

use crate::args::{CommonArgs, Export};
use crate::report::{Report, Who};
use crate::reporter::Reporter;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    show_certs: bool,
    exports: Vec<Export>,
}

impl Details {
    pub(crate) fn of(arguments: &CommonArgs) -> Self {
        Self { show_certs: arguments.show_certs, exports: arguments.export.clone() }
    }

    /// # Errors
    /// What the connection says of an export that it cannot make.
    pub(crate) fn show(
        &self,
        reporter: Reporter,
        who: Who,
        connected: &Connected,
        connection: &Connection,
    ) -> Result<(), Misuse> {
        if self.show_certs {
            for (index, certificate) in connected.peer_chain.iter().enumerate() {
                reporter.report(&Report::certificate(who, index, certificate));
            }
        }
        for Export { label, length } in &self.exports {
            let mut material = vec![0; usize::from(*length)];
            connection.export_keying_material(label.as_bytes(), None, &mut material)?;
            reporter.report(&Report::Exported { who, label, hex: &material });
        }
        Ok(())
    }
}
