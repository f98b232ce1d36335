//! Budgets: the hot path allocates nothing, and an idle association's record state stays small.

mod support;

use drystone_record::*;
use std::mem::size_of;
use std::time::Duration;
use support::*;

/// Seals and opens so many records in one buffer; with every tenth a forged one arrives too.
fn exchange(writer: &mut WriteEpochs, reader: &mut ReadEpochs, own: usize, records: usize, forge: bool) {
    let mut stats = Stats::default();
    let mut buffer = [0; 1400];
    let start = writer.current().overhead().prefix;
    for n in 0..records {
        let payload = start..start + 1 + n % 1200;
        let sealed = writer.current_mut().seal(ContentType::APPLICATION_DATA, &mut buffer, payload);
        let range = sealed.expect("room for the record").range;
        let forged = forge && n % 10 == 0;
        if forged {
            buffer[range.end - 1] ^= 1;
        }
        let mut cut = Records::new(&mut buffer[range]);
        while let Some(record) = cut.next_record(own) {
            match reader.open(record.expect("a whole record"), Duration::ZERO) {
                Ok(opened) => assert_eq!(opened.payload.len(), 1 + n % 1200),
                Err(OpenError::Discard(reason)) => stats.count(reason),
                Err(other) => panic!("{other}"),
            }
        }
    }
    let expected = if forge { records.div_ceil(10) } else { 0 };
    assert_eq!(stats.get(Discard::AuthenticationFailed) as usize, expected);
    assert_eq!(stats.total() as usize, expected);
}

#[test]
fn sealing_and_opening_allocate_nothing() {
    let padded = Padding::to_length(1250);
    for (shape, padding) in AUTHENTIC.into_iter().flat_map(|shape| [(shape, Padding::NONE), (shape, padded)])
    {
        for connection_id in [&b""[..], b"connection id"] {
            let mut epoch = shape.writer();
            epoch.set_connection_id(connection_id).unwrap();
            epoch.set_padding(padding);
            let mut writer = WriteEpochs::new(epoch);
            let admitted = shape.admitted(!connection_id.is_empty());
            let protection = shape.protection(Limits::NONE);
            let mut reader = ReadEpochs::new(ReadEpoch::new(shape.epoch(), protection, admitted));
            let info = allocation_counter::measure(|| {
                let own = connection_id.len();
                exchange(&mut writer, &mut reader, own, 10_000, false);
                exchange(&mut writer, &mut reader, own, 1_000, true);
            });
            assert_eq!((info.count_total, info.bytes_total), (0, 0), "{shape:?}");
        }
    }
}

/// The counter counts: a test of the test.
#[test]
fn installing_keys_allocates() {
    let info = allocation_counter::measure(|| drop(Shape::Unified.reader()));
    assert!(info.count_total > 0);
    assert_eq!(info.count_current, 0);
}

#[test]
fn idle_state_is_small() {
    assert!(size_of::<ReadEpoch>() <= 128, "{}", size_of::<ReadEpoch>());
    let sizes = (size_of::<ReadEpoch>(), size_of::<WriteEpoch>(), size_of::<Stats>());
    let state = 2 * size_of::<ReadEpoch>() + 2 * size_of::<WriteEpoch>() + size_of::<Stats>();
    assert!(state <= 450, "{state} of {sizes:?}");
}

/// All memory of a DTLS 1.2 association's record layer: two epochs each way and the counters, heap included.
#[test]
fn idle_memory_is_bounded() {
    let mut state = None;
    let info = allocation_counter::measure(|| {
        let plaintext = AdmittedTypes::CLASSIC_PLAINTEXT;
        let mut reader = ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), plaintext));
        reader.install(Shape::Explicit.reader());
        let mut writer = WriteEpochs::new(WriteEpoch::new(0, Protection::plaintext()));
        writer.install(Shape::Explicit.writer()).unwrap();
        state = Some((reader, writer, Stats::default()));
    });
    let inline = size_of::<(ReadEpochs, WriteEpochs, Stats)>();
    // Two expanded AES keys of ring are 544 bytes each.
    let without_keys = i64::try_from(inline).unwrap() + info.bytes_current - 2 * 544;
    assert!(without_keys <= 650, "{without_keys}");
    drop(state);
}
