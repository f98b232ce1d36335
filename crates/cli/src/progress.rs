//! A progress bar on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::CommonArgs;

/// Shows how far an echo test is. Where standard error is no terminal, it shows nothing.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(packets: u64, arguments: &CommonArgs) -> Self {
        // A bar between other lines would only disturb them.
        if arguments.json || arguments.msg || packets == 0 {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} packets{msg}");
        Self(ProgressBar::new(packets).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(crate) fn at(&self, returned: u64, lost: u64) {
        self.0.set_position(returned);
        if lost > 0 && !self.0.is_hidden() {
            self.0.set_message(format!(", {lost} lost"));
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        self.0.finish_and_clear();
    }
}
