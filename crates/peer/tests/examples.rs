//! The examples, run as a game developer would run them: as processes that talk over loopback.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Where `cargo test` puts the examples, beside the folder of the tests. Asked for one test only it does not build
/// them: then cargo is asked.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
    if !path.exists() {
        let cargo = Command::new(env!("CARGO"))
            .args([
                "build",
                "--package",
                "drystone",
                "--features",
                "generate,tokio",
                "--example",
                name,
                "--target-dir",
            ])
            .arg(profile.parent().unwrap())
            .status();
        assert!(cargo.unwrap().success());
    }
    path
}

/// A folder with `key.pem` and `certificate.pem` for localhost, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("drystone-example-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(path.join("certificate.pem"), made.cert.pem()).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running example; ended when dropped.
struct Running(Child);

impl Running {
    fn start(name: &str, folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        command.args(arguments).current_dir(&folder.0).stdin(Stdio::null()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    /// All that it prints until it ends by itself, which it must do with success.
    fn output(mut self) -> String {
        let mut stdout = self.stdout();
        let text = within_patience(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        assert!(self.0.wait().unwrap().success(), "{text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(PATIENCE).expect("the example takes too long")
}

/// The port at the end of the first line, and the rest of the output.
fn port(server: &mut Running) -> (String, BufReader<ChildStdout>) {
    let mut lines = BufReader::new(server.stdout());
    within_patience(move || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        (line.split_whitespace().last().unwrap().to_owned(), lines)
    })
}

#[test]
fn echo() {
    let folder = Folder::new("echo");
    let mut server = Running::start("echo_server", &folder, &["key.pem", "certificate.pem", "0"]);
    let (port, _lines) = port(&mut server);
    let client = Running::start("echo_client", &folder, &["127.0.0.1", &port, "certificate.pem"]).output();
    assert_eq!(client.lines().count(), 10, "{client}");
    for number in 0..10 {
        assert!(client.contains(&format!("packet {number}")), "{client}");
    }
}

#[test]
fn two_bots_play_tag() {
    let folder = Folder::new("tag");
    let mut host = Running::start("tag", &folder, &["host", "key.pem", "certificate.pem", "0", "--bot"]);
    let (port, mut lines) = port(&mut host);
    let guest = Running::start("tag", &folder, &["join", "127.0.0.1", &port, "certificate.pem", "--bot"]);
    let host_output = thread::spawn(move || {
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        text
    });
    let guest = guest.output();
    assert!(guest.contains("catches 2") && guest.trim_end().ends_with("game over"), "{guest}");
    let host_output = within_patience(move || host_output.join().unwrap());
    assert!(host_output.contains("catches 3") && host_output.trim_end().ends_with("game over"));
}

/// The README's programs are the examples of these names, to the letter: what it shows is what runs.
#[test]
fn the_readme_shows_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("../../README.md")).unwrap();
    let shown: Vec<_> =
        readme.split("```rust,no_run\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let names = ["game_client", "game_server", "client", "server"];
    assert_eq!(shown.len(), names.len());
    for (shown, name) in shown.into_iter().zip(names) {
        let file = fs::read_to_string(folder.join(format!("examples/{name}.rs"))).unwrap();
        let (_, program) = file.split_once("\n\n").unwrap();
        assert_eq!(program, shown, "{name}");
        assert!(shown.lines().count() <= 30, "{name} is to be short");
    }
}

#[test]
fn the_readmes_game_runs() {
    let folder = Folder::new("game");
    let mut server = Running::start("game_server", &folder, &["0"]);
    let (port, _lines) = port(&mut server);
    let mut client = Running::start("game_client", &folder, &[&port]);
    let mut lines = BufReader::new(client.stdout());
    let line = within_patience(move || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line
    });
    assert_eq!(line, "9 bytes\n");
}

#[test]
fn the_readmes_waiting_programs_run() {
    let folder = Folder::new("waiting");
    for server in ["server", "own_loop", "tokio_echo"] {
        let mut server = Running::start(server, &folder, &["127.0.0.1:0"]);
        let (port, _lines) = port(&mut server);
        let client = Running::start("client", &folder, &[&format!("127.0.0.1:{port}")]).output();
        assert_eq!(client, "5 bytes came back\n");
    }
}

#[test]
fn a_server_pushes_what_comes_from_elsewhere() {
    let folder = Folder::new("push");
    let mut server = Running::start("tokio_push", &folder, &["127.0.0.1:0"]);
    let (port, _lines) = port(&mut server);
    let mut client = Running::start("game_client", &folder, &[&port]);
    let mut lines = BufReader::new(client.stdout());
    let line = within_patience(move || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line
    });
    // "tick " and a number.
    assert!(line.ends_with(" bytes\n"), "{line}");
}

#[test]
fn many_peers_talk_to_one_server() {
    let output = Running::start("many_peers", &Folder::new("many"), &["100"]).output();
    assert!(output.starts_with("100 clients, 100 peers"), "{output}");
}

#[test]
fn webrtc_peers_recognise_each_other_by_fingerprints() {
    let output = Running::start("webrtc", &Folder::new("webrtc"), &[]).output();
    let lines: Vec<_> = output.lines().collect();
    assert!(lines[0].starts_with("a=fingerprint:sha-256 ") && lines[0] != lines[1], "{output}");
    assert_eq!(lines[2..], ["SRTP keys of 16 bytes"]);
}

#[test]
fn a_server_knows_its_clients_and_refuses_strangers() {
    let output = Running::start("mutual_tls", &Folder::new("mutual"), &[]).output();
    let (first, second) = output.split_once('\n').unwrap();
    assert!(first.starts_with("the server said: hello, "), "{output}");
    assert!(second.starts_with("refused: ") && second.contains("unknown_ca"), "{output}");
}
