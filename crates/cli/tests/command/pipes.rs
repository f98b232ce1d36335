//! The client in pipes: what is data and what is not.

use std::io::Write;
use std::process::{Command, Stdio};

use super::process::{client, client_arguments, drystone_bytes, server};

/// Bytes of every value that nobody can mistake for lines of text, the same in each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_mebibyte_of_noise_comes_back_identical() {
    let noise = noise(1 << 20);
    let (server_process, address, certificate) = server("noise", &["--peers", "1"]);
    let arguments = ["--quiet", "--packet-size", "1000", "--linger", "30"];
    let (code, out, err) = drystone_bytes(&client_arguments(&address, &certificate, &arguments), &noise);
    assert_eq!(code, 0, "{err}");
    assert!(out == noise, "{} bytes of {} came back: {err}", out.len(), noise.len());
    for status in ["handshaking", "connected: DTLS 1.3, ", "disconnected"] {
        assert!(err.contains(status), "{status} is missing: {err}");
    }
    let sizes: Vec<_> =
        server_process.finish().events().iter().filter_map(|event| event["size"].as_u64()).collect();
    assert_eq!((sizes.len(), sizes[0], sizes[1048]), (1049, 1000, 576));
    assert!(sizes[..1048].iter().all(|size| *size == 1000));
}

#[test]
fn raw_input_is_cut_to_what_fits_the_mtu() {
    let noise = noise(20_000);
    let (server_process, address, certificate) = server("raw", &["--peers", "1"]);
    let arguments = ["--raw", "--mtu", "500", "--linger", "30"];
    let (code, out, err) = drystone_bytes(&client_arguments(&address, &certificate, &arguments), &noise);
    assert_eq!(code, 0, "{err}");
    assert!(out == noise, "{} bytes of {} came back: {err}", out.len(), noise.len());
    let events = server_process.finish().events();
    assert!(events.iter().filter_map(|event| event["size"].as_u64()).all(|size| size < 500));
}

#[test]
fn a_newline_is_sent_if_asked_for_only() {
    let (server_process, address, certificate) = server("newline", &["--peers", "2"]);
    let input = "one\n\ntwo words\nno line end";
    let without = client(&address, &certificate, &["--quiet"], input);
    assert_eq!((without.code, without.out.as_str()), (0, "onetwo wordsno line end"), "{without:?}");
    let with = client(&address, &certificate, &["-q", "--newline"], input);
    assert_eq!((with.code, with.out.as_str()), (0, input), "{with:?}");
    let sizes: Vec<_> =
        server_process.finish().events().iter().filter_map(|event| event["size"].as_u64()).collect();
    assert_eq!(sizes, [3, 0, 9, 11, 4, 1, 10, 11]);
}

#[test]
fn a_line_that_exceeds_the_mtu_does_not_go_without_a_word() {
    let (_server, address, certificate) = server("fragments", &[]);
    let input = format!("short\n{0}\n{0}\n", "x".repeat(2000));
    let run = client(&address, &certificate, &[], &input);
    assert!(run.err.contains("line 2 has 2000 bytes"), "{run:?}");
    assert_eq!(run.err.lines().count(), 1, "once: {run:?}");
}

/// Whoever reads the data has gone: there is nothing left to do, and that is no fault.
#[test]
fn a_closed_output_ends_the_client() {
    let (server_process, address, certificate) = server("closed-output", &["--peers", "1"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_drystone"))
        .args(client_arguments(&address, &certificate, &["--quiet"]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hi\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
    assert_eq!(server_process.finish().code, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn data_that_cannot_be_written_is_a_fault() {
    let (_server, address, certificate) = server("full-output", &[]);
    let child = Command::new(env!("CARGO_BIN_EXE_drystone"))
        .args(client_arguments(&address, &certificate, &["--quiet"]))
        .stdin(Stdio::piped())
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(b"hi\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("cannot write to standard output"), "{err}");
}
