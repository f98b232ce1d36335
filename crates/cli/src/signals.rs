//! SIGINT and SIGTERM: the first one is a request to end well, the second one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The longest time for which the command waits for anything without a look at the signals. The operating system wakes a
/// waiting receive up, but one that comes just before the wait would be missed.
pub(crate) const GLANCE: Duration = Duration::from_millis(100);

/// What the process was asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// The number of the last signal, zero for none.
    last: Arc<AtomicUsize>,
}

/// A signal that asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

impl Signals {
    /// Takes the signals' default effect away, once.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn install() -> io::Result<Self> {
        let (last, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in [Signal::Interrupt, Signal::Terminate] {
            let (number, code) = (signal.number(), i32::from(signal.exit_code()));
            // In this order: the first signal finds `asked` unset.
            flag::register_conditional_shutdown(number, code, Arc::clone(&asked))?;
            flag::register(number, Arc::clone(&asked))?;
            flag::register_usize(number, Arc::clone(&last), usize::try_from(number).unwrap_or(usize::MAX))?;
        }
        Ok(Self { last })
    }

    /// The signal that came, if any.
    pub(crate) fn received(&self) -> Option<Signal> {
        let number = self.last.load(Ordering::Relaxed);
        [Signal::Interrupt, Signal::Terminate]
            .into_iter()
            .find(|signal| usize::try_from(signal.number()).is_ok_and(|own| own == number))
    }
}

impl Signal {
    const fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
        }
    }

    /// What a shell says of a process that such a signal has ended.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// How a JSON event tells it.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}
