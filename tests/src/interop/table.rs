//! Runs the cells of a table side by side and prints what came of each.
//!
//! It knows names and results; what a cell does is its own affair.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Cells at work at once. Most of their time is waiting, so more than there are cores; but few enough that a busy
/// machine does not turn waiting into retransmission.
const WORKERS: usize = 4;

/// One cell before it has run.
pub struct Cell<'a> {
    row: String,
    column: String,
    work: Work<'a>,
}

enum Work<'a> {
    Run(Box<dyn FnOnce() -> Result<(), String> + Send + 'a>),
    Absent(String),
}

/// The results, in the order in which the cells were given.
#[derive(Debug)]
pub struct Table {
    title: String,
    results: Vec<Finished>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Finished {
    row: String,
    column: String,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Ok,
    Absent(String),
    Failed(String),
}

impl<'a> Cell<'a> {
    /// A cell that `work` fills.
    pub fn new(
        row: impl Into<String>,
        column: impl Into<String>,
        work: impl FnOnce() -> Result<(), String> + Send + 'a,
    ) -> Self {
        Self { row: row.into(), column: column.into(), work: Work::Run(Box::new(work)) }
    }

    /// A cell that cannot be filled, and why.
    pub fn absent(row: impl Into<String>, column: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { row: row.into(), column: column.into(), work: Work::Absent(reason.into()) }
    }
}

impl std::fmt::Debug for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cell({} / {})", self.row, self.column)
    }
}

impl Table {
    /// Runs all cells and waits for them.
    pub fn fill(title: impl Into<String>, cells: Vec<Cell<'_>>) -> Self {
        Self::fill_with(WORKERS, title, cells)
    }

    /// The same for cells that do nothing but wait, most of their time.
    pub fn fill_at_once(title: impl Into<String>, cells: Vec<Cell<'_>>) -> Self {
        Self::fill_with(cells.len(), title, cells)
    }

    fn fill_with(workers: usize, title: impl Into<String>, cells: Vec<Cell<'_>>) -> Self {
        let queue = Mutex::new(cells.into_iter().enumerate().collect::<VecDeque<_>>());
        let results = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some((index, cell)) = next(&queue) {
                        let finished = cell.run();
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((index, finished));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        let results = results.into_iter().map(|(_, finished)| finished).collect();
        Self { title: title.into(), results, notes: Vec::new() }
    }

    /// Adds a line below the table.
    #[must_use]
    pub fn note(mut self, line: impl Into<String>) -> Self {
        self.notes.push(line.into());
        self
    }

    /// Prints the table.
    ///
    /// # Panics
    /// If a cell failed, or none ran.
    pub fn finish(&self) {
        println!("{}", self.render());
        let failed: Vec<&Finished> =
            self.results.iter().filter(|cell| matches!(cell.outcome, Outcome::Failed(_))).collect();
        assert!(failed.is_empty(), "{}: {} of {} cells failed", self.title, failed.len(), self.results.len());
        let ran = self.results.iter().any(|cell| matches!(cell.outcome, Outcome::Ok));
        assert!(ran, "{}: every cell is absent", self.title);
    }

    fn render(&self) -> String {
        let rows = distinct(self.results.iter().map(|cell| cell.row.as_str()));
        let columns = distinct(self.results.iter().map(|cell| cell.column.as_str()));
        let first = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut text = format!("\n{}\n{:first$}", self.title, "");
        for column in &columns {
            let _ = write!(text, " | {column}");
        }
        for row in &rows {
            let _ = write!(text, "\n{row:first$}");
            for column in &columns {
                let cell = self.results.iter().find(|cell| cell.row == *row && cell.column == *column);
                let _ = write!(
                    text,
                    " | {:width$}",
                    cell.map_or("", |cell| cell.outcome.word()),
                    width = column.len()
                );
            }
        }
        for cell in &self.results {
            if let Outcome::Absent(why) | Outcome::Failed(why) = &cell.outcome {
                let _ = write!(text, "\n{}: {}, {}: {why}", cell.outcome.word(), cell.row, cell.column);
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}");
        }
        text
    }
}

impl Cell<'_> {
    fn run(self) -> Finished {
        let outcome = match self.work {
            Work::Absent(reason) => Outcome::Absent(reason),
            Work::Run(work) => work().map_or_else(Outcome::Failed, |()| Outcome::Ok),
        };
        Finished { row: self.row, column: self.column, outcome }
    }
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent(_) => "absent",
            Self::Failed(_) => "FAILED",
        }
    }
}

fn next<'a>(queue: &Mutex<VecDeque<(usize, Cell<'a>)>>) -> Option<(usize, Cell<'a>)> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<Cell<'static>> {
        vec![
            Cell::new("suite", "x25519", || Ok(())),
            Cell::new("suite", "x448", || Err("no such group".into())),
            Cell::absent("other", "x25519", "the peer lacks it"),
        ]
    }

    #[test]
    fn names_every_cell() {
        let text = Table::fill("title", three()).note("a note").render();
        let expected = "\ntitle\n      | x25519 | x448\nsuite | ok     | FAILED\nother | absent |     \
            \nFAILED: suite, x448: no such group\nabsent: other, x25519: the peer lacks it\na note";
        assert_eq!(text, expected);
    }

    #[test]
    #[should_panic(expected = "1 of 3 cells failed")]
    fn a_failed_cell_fails_the_test() {
        Table::fill("title", three()).finish();
    }

    #[test]
    #[should_panic(expected = "every cell is absent")]
    fn an_empty_table_fails_the_test() {
        Table::fill("title", vec![Cell::absent("row", "column", "nothing there")]).finish();
    }
}
