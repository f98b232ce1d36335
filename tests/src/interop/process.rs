//! One child process: bounded in time and output, its two streams read by threads, killed when dropped.
//!
//! It knows no protocol and no program.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// More output than any honest run makes. A reader that has taken this much stops, so that a runaway program blocks
/// on its full pipe (`gnutls-serv` writes gigabytes when a required client certificate does not come).
const MAX_OUTPUT: usize = 4 << 20;

/// One of the two output streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// From the start of the process to the moment its end was seen.
    pub after: Duration,
}

/// A running program. Dropping it kills it, by its own process id and nothing else.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    started: Instant,
    output: Arc<Output>,
    /// Where the next search in each stream begins.
    seen: [usize; 2],
}

#[derive(Debug, Default)]
struct Output {
    streams: Mutex<[Captured; 2]>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    closed: bool,
}

impl Process {
    /// Starts `command` with all three standard streams connected to this process.
    ///
    /// # Errors
    /// The operating system's reason, with the program's name, if it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        let output = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            read_in_background(stdout, Stream::Out, Arc::clone(&output));
        }
        if let Some(stderr) = child.stderr.take() {
            read_in_background(stderr, Stream::Err, Arc::clone(&output));
        }
        let stdin = child.stdin.take();
        Ok(Self { name, child, stdin, started: Instant::now(), output, seen: [0; 2] })
    }

    /// How long the process has been running.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Writes `text` and a newline to standard input in one call, so that a program which makes a packet of each
    /// read sees one packet.
    ///
    /// # Errors
    /// If standard input was closed on either side.
    pub fn write_line(&mut self, text: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or_else(|| format!("{}: standard input is closed", self.name))?;
        let line = format!("{text}\n");
        stdin
            .write_all(line.as_bytes())
            .and_then(|()| stdin.flush())
            .map_err(|error| format!("{}: cannot write to its standard input: {error}", self.name))
    }

    /// Closes standard input: for the clients here this means "say goodbye".
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until `needle` appears in `stream` behind everything that was found there before, and returns the rest
    /// of the text up to the end of the line that holds it (what is there of it by then).
    ///
    /// # Errors
    /// After `patience`, or as soon as the stream ends without it; the message holds what the process said.
    pub fn expect(&mut self, stream: Stream, needle: &str, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        let output = Arc::clone(&self.output);
        let mut streams = output.lock();
        loop {
            let captured = &streams[stream.index()];
            let fresh = captured.bytes.get(self.seen[stream.index()]..).unwrap_or_default();
            if let Some(at) = find(fresh, needle.as_bytes()) {
                let from = self.seen[stream.index()] + at;
                self.seen[stream.index()] = from + needle.len();
                return Ok(line_around(&captured.bytes, from, needle.len()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if captured.closed || left.is_zero() {
                let why = if captured.closed { "ended" } else { "was silent" };
                drop(streams);
                return Err(format!("{} {why} before it said {needle:?}\n{}", self.name, self.transcript()));
            }
            streams = output.wait(streams, left);
        }
    }

    /// The next whole line of `stream` behind everything that was found there before, without its end. None if
    /// there is no whole line yet.
    pub fn next_line(&mut self, stream: Stream) -> Option<String> {
        let streams = self.output.lock();
        let fresh = streams[stream.index()].bytes.get(self.seen[stream.index()]..).unwrap_or_default();
        let length = fresh.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8_lossy(&fresh[..length]).into_owned();
        self.seen[stream.index()] += length + 1;
        Some(line)
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// If it is still running after `patience`; the message holds what the process said.
    pub fn wait(&mut self, patience: Duration) -> Result<Exit, String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    return Ok(Exit { code: status.code(), after: self.age() });
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    return Err(format!("{} did not end\n{}", self.name, self.transcript()));
                }
                Err(error) => return Err(format!("{}: cannot wait for it: {error}", self.name)),
            }
        }
    }

    /// Everything that the process has written to `stream` so far.
    pub fn text(&self, stream: Stream) -> String {
        String::from_utf8_lossy(&self.output.lock()[stream.index()].bytes).into_owned()
    }

    /// The end of both streams, for a message to a person.
    pub fn transcript(&self) -> String {
        let tail = |text: String| {
            let lines: Vec<String> = text.lines().map(|line| line.chars().take(200).collect()).collect();
            lines[lines.len().saturating_sub(12)..].join("\n    ")
        };
        format!(
            "  {} wrote:\n    {}\n  and to standard error:\n    {}",
            self.name,
            tail(self.text(Stream::Out)),
            tail(self.text(Stream::Err))
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stream {
    const fn index(self) -> usize {
        match self {
            Self::Out => 0,
            Self::Err => 1,
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, [Captured; 2]> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        streams: MutexGuard<'a, [Captured; 2]>,
        patience: Duration,
    ) -> MutexGuard<'a, [Captured; 2]> {
        let waited = self.changed.wait_timeout(streams, patience);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn read_in_background(mut source: impl Read + Send + 'static, stream: Stream, output: Arc<Output>) {
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        let mut total = 0;
        while let Ok(length @ 1..) = source.read(&mut chunk) {
            output.lock()[stream.index()].bytes.extend_from_slice(&chunk[..length]);
            output.changed.notify_all();
            total += length;
            if total > MAX_OUTPUT {
                break;
            }
        }
        output.lock()[stream.index()].closed = true;
        output.changed.notify_all();
        if total > MAX_OUTPUT {
            // Keeping the pipe open and full is what stops the writer; the end of the test process releases it.
            std::mem::forget(source);
        }
    });
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn line_around(bytes: &[u8], at: usize, length: usize) -> String {
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let after = at + length;
    let end =
        bytes[after..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |newline| after + newline);
    String::from_utf8_lossy(&bytes[start..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn finds_text_behind_what_was_found_before() {
        let mut cat = Process::start(&mut Command::new("cat")).expect("cat starts");
        cat.write_line("one two").expect("cat reads");
        cat.write_line("one").expect("cat reads");
        assert_eq!(cat.expect(Stream::Out, "one", PATIENCE).as_deref(), Ok("one two"));
        assert_eq!(cat.expect(Stream::Out, "one", PATIENCE).as_deref(), Ok("one"));
        assert!(cat.expect(Stream::Out, "one", Duration::from_millis(50)).is_err());
    }

    #[test]
    fn lines_are_whole() {
        let mut cat = Process::start(&mut Command::new("cat")).expect("cat starts");
        cat.write_line("one\n\nthree").expect("cat reads");
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        while lines.len() < 3 && Instant::now() < deadline {
            lines.extend(cat.next_line(Stream::Out));
        }
        assert_eq!(lines, ["one", "", "three"]);
        assert_eq!(cat.next_line(Stream::Out), None);
    }

    #[test]
    fn end_of_stream_is_not_waited_out() {
        let mut cat = Process::start(&mut Command::new("cat")).expect("cat starts");
        cat.close_stdin();
        let start = Instant::now();
        assert!(cat.expect(Stream::Out, "never", Duration::from_secs(60)).is_err());
        assert!(start.elapsed() < PATIENCE);
        assert_eq!(cat.wait(PATIENCE).expect("cat ends").code, Some(0));
    }

    #[test]
    fn a_runaway_writer_is_stopped() {
        let yes = Process::start(&mut Command::new("yes")).expect("yes starts");
        thread::sleep(Duration::from_millis(300));
        assert!(yes.text(Stream::Out).len() < MAX_OUTPUT + 8192);
    }

    #[test]
    fn drop_kills() {
        let sleep = Process::start(Command::new("sleep").arg("600")).expect("sleep starts");
        let process = format!("/proc/{}/stat", sleep.child.id());
        drop(sleep);
        assert!(!std::path::Path::new(&process).exists());
    }
}
