//! Runs the command under test. A process that is forgotten is ended; none outlives its test.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// When a test gives up, because nothing moves.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// Standard output as JSON lines; each line must be one.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// A run that goes on. Its output is read all the time, so that it never waits for a reader.
pub(crate) struct Running {
    child: Child,
    /// Standard input, which stays open, so that a client does not end by itself.
    _input: Option<ChildStdin>,
    out: Receiver<String>,
    err: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_drystone"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let (sender, out) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stderr = child.stderr.take().unwrap();
        let err = thread::spawn(move || {
            let mut err = String::new();
            stderr.read_to_string(&mut err).unwrap();
            err
        });
        Self { child, _input: input, out, err: Some(err) }
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        self.out.recv_timeout(GIVE_UP).expect("no line came")
    }

    /// Takes lines up to the first with this text in it.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        std::iter::repeat_with(|| self.line()).find(|line| line.contains(text)).unwrap()
    }

    /// Sends it a signal, by the name that `kill` knows.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end. What `line` took is not in the output.
    pub(crate) fn finish(mut self) -> Finished {
        let lines: Vec<_> = self.out.iter().collect();
        let code = self.child.wait().unwrap().code().unwrap();
        let err = self.err.take().unwrap().join().unwrap();
        Finished { code, out: lines.join("\n"), err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the command to its end with this standard input.
pub(crate) fn drystone(arguments: &[&str], input: &str) -> Finished {
    let (code, out, err) = drystone_bytes(arguments, input.as_bytes());
    Finished { code, out: String::from_utf8(out).unwrap(), err }
}

/// Runs the command to its end with this standard input: exit code, standard output and standard error.
pub(crate) fn drystone_bytes(arguments: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_drystone"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that ends before it has read everything closes the pipe: that is its right.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// A server on a free port with a fresh certificate for `localhost`, and the file that its clients trust.
pub(crate) fn server(test: &str, arguments: &[&str]) -> (Running, String, PathBuf) {
    let certificate = scratch(test).join("server.pem");
    let file = certificate.to_str().unwrap();
    let fixed = ["server", "--listen", "127.0.0.1:0", "--self-signed", "localhost", "--write-cert", file];
    let mut running = Running::start(&[fixed.as_slice(), &["--json", "--timeout", "60"], arguments].concat());
    let ready: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(ready["event"], "listening");
    let address = ready["addr"].as_str().unwrap().to_owned();
    (running, address, certificate)
}

/// The arguments of a client that trusts this certificate.
pub(crate) fn client_arguments<'a>(
    address: &'a str,
    certificate: &'a Path,
    more: &[&'a str],
) -> Vec<&'a str> {
    let fixed = ["client", address, "--name", "localhost", "--ca", certificate.to_str().unwrap()];
    [&fixed, ["--timeout", "60"].as_slice(), more].concat()
}

/// Such a client, run to its end.
pub(crate) fn client(address: &str, certificate: &Path, more: &[&str], input: &str) -> Finished {
    drystone(&client_arguments(address, certificate, more), input)
}

/// A folder for the files of one test.
pub(crate) fn scratch(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
