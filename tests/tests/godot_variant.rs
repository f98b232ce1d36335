//! Values on the wire with a real Godot 3.2: what it writes is read here, what is written here it reads, both with the
//! same bytes.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use drystone::variant::{
    Aabb, Basis, Color, Plane, Quaternion, Rect2, Transform2D, Transform3D, VariantLimits, Vector2, Vector3,
};
use drystone::{
    PacketError, PacketPeer, PacketPeerUdp, PacketPeerVariant, VarError, Variant, VariantError, VariantFormat,
};
use drystone_tests::interop::{GodotProject, Process, Stream, godot_is_here};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const FORMAT: VariantFormat = VariantFormat::Godot3;

/// Godot needs a second to start; this ends only what hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Values in the one long run of random ones.
const RANDOM_VALUES: usize = 400;

/// A project of its own for each test: they run at the same time.
fn project(test: &str) -> Option<GodotProject> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("godot-variant-{test}"));
    godot_is_here().then(|| GodotProject::make(&folder).expect("a project can be made"))
}

/// Runs the script to its end and returns what it printed, line by line, without Godot's greeting.
fn lines(project: &GodotProject, argument: &str) -> Vec<String> {
    let mut godot = project.start("variant.gd", &[argument.to_owned()]).expect("Godot starts");
    finish(&mut godot)
}

fn finish(godot: &mut Process) -> Vec<String> {
    godot.expect(Stream::Out, "\nend\n", PATIENCE).expect("the script ends");
    godot.wait(PATIENCE).expect("Godot ends");
    assert!(!godot.text(Stream::Err).contains("SCRIPT ERROR"), "{}", godot.transcript());
    let text = godot.text(Stream::Out);
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("Godot Engine"));
    lines.take_while(|line| *line != "end").map(str::to_owned).collect()
}

/// The values of the script, in its order.
fn values() -> Vec<(&'static str, Variant)> {
    let v2 = |x, y| Vector2 { x, y };
    let v3 = |x, y, z| Vector3 { x, y, z };
    // Godot's constructor takes the columns.
    let basis = Basis { rows: [v3(1.0, 4.0, 7.0), v3(2.0, 5.0, 8.0), v3(3.0, 6.0, 9.0)] };
    let texts = |texts: &[&str]| Variant::PackedStringArray(texts.iter().map(|&text| text.into()).collect());
    let dictionary = vec![
        ("name".into(), "wall".into()),
        (7.into(), Variant::Array(vec![1.into(), 2.into()])),
        (Variant::Nil, Variant::Dictionary(vec![])),
        (0.5.into(), v2(3.0, 4.0).into()),
    ];
    let array = vec![
        1.into(),
        "two".into(),
        Variant::Array(vec![3.0.into(), vec![Variant::Nil, true.into()].into()]),
        Variant::Dictionary(vec![]),
    ];
    vec![
        ("nil", Variant::Nil),
        ("true", true.into()),
        ("false", false.into()),
        ("int", 1.into()),
        ("int_negative", (-1).into()),
        ("int_32_max", i32::MAX.into()),
        ("int_64", 2_147_483_648_i64.into()),
        ("int_32_min", i32::MIN.into()),
        ("int_64_negative", (-2_147_483_649_i64).into()),
        ("float_32", 0.5.into()),
        ("float_64", 0.1.into()),
        ("float_infinite", f64::INFINITY.into()),
        ("string", "drystone: a wall without mortar".into()),
        ("string_unicode", "aé→🪨".into()),
        ("string_empty", "".into()),
        ("vector2", v2(1.5, -2.0).into()),
        ("vector3", v3(1.0, 2.0, -0.25).into()),
        ("color", Color { r: 1.0, g: 0.5, b: 0.25, a: 0.0 }.into()),
        ("dictionary", dictionary.into()),
        ("dictionary_empty", Variant::Dictionary(vec![])),
        ("array", array.into()),
        ("array_empty", Variant::Array(vec![])),
        ("bytes", vec![0_u8, 1, 2, 254, 255].into()),
        ("bytes_empty", Vec::<u8>::new().into()),
        ("ints", vec![1, -2, i32::MAX].into()),
        ("floats", vec![1.5_f32, 0.1].into()),
        ("strings", texts(&["a", "bcd", "", "→", "abcdefg"])),
        ("vector2s", vec![v2(1.0, 2.0), v2(3.0, 4.0)].into()),
        ("vector3s", vec![v3(1.0, 2.0, 3.0)].into()),
        ("colors", vec![Color { r: 1.0, g: 2.0, b: 3.0, a: 4.0 }].into()),
        ("Rect2", Rect2 { position: v2(1.0, 2.0), size: v2(3.0, 4.0) }.into()),
        ("Transform2D", Transform2D { x: v2(1.0, 2.0), y: v2(3.0, 4.0), origin: v2(5.0, 6.0) }.into()),
        ("Plane", Plane { normal: v3(1.0, 2.0, 3.0), d: 4.0 }.into()),
        ("Quat", Quaternion { x: 1.0, y: 2.0, z: 3.0, w: 4.0 }.into()),
        ("AABB", Aabb { position: v3(1.0, 2.0, 3.0), size: v3(4.0, 5.0, 6.0) }.into()),
        ("Basis", basis.into()),
        ("Transform", Transform3D { basis, origin: v3(10.0, 11.0, 12.0) }.into()),
        // Names of 4 and 8 bytes: Godot pads others with whatever is in its memory.
        ("NodePath", Variant::NodePath("path/to_a_box:size:half".into())),
        ("NodePath_absolute", Variant::NodePath("/root/Room:size".into())),
        ("NodePath_empty", Variant::NodePath(String::new())),
    ]
}

/// Types that Godot writes and drystone refuses, in the script's order.
const REFUSED: [(&str, VariantError); 2] =
    [("RID", VariantError::Unsupported("RID")), ("object", VariantError::Object)];

#[test]
fn what_godot_writes_is_read_and_written_alike() {
    let Some(project) = project("values") else { return };
    let printed = lines(&project, "--values");
    let mut printed = printed.iter().map(|line| {
        let (name, hex) = line.split_once(' ').expect("a name and digits");
        (name, unhex(hex))
    });
    for ((name, value), (printed_name, bytes)) in values().into_iter().zip(&mut printed) {
        assert_eq!(name, printed_name, "the lists agree");
        assert_eq!(encode(&value), bytes, "{name}: other bytes than Godot's");
        assert_eq!(decode(&bytes), Ok(value), "{name}");
    }
    for ((name, error), (printed_name, bytes)) in REFUSED.into_iter().zip(&mut printed) {
        assert_eq!(name, printed_name, "the lists agree");
        assert_eq!(decode(&bytes), Err(error), "{name}");
    }
    let (name, bytes) = printed.next().expect("one more");
    assert!(name == "nested_64" && decode(&bytes).is_ok_and(|value| encode(&value) == bytes));
    let (name, bytes) = printed.next().expect("the last");
    assert_eq!((name, decode(&bytes)), ("nested_65", Err(VariantError::TooDeep(64))));
    assert_eq!(printed.next(), None, "nothing was left out");
}

#[test]
fn what_is_written_here_godot_reads() {
    let Some(project) = project("again") else { return };
    let mut values: Vec<Variant> = values().into_iter().map(|(_, value)| value).collect();
    let mut runner = TestRunner::deterministic();
    values.extend((0..RANDOM_VALUES).map(|_| variant().new_tree(&mut runner).expect("a value").current()));
    let encodings: Vec<Vec<u8>> = values.iter().map(encode).collect();
    let cases: Vec<String> = encodings.iter().map(|bytes| hex(bytes)).collect();
    project.write("cases.txt", &cases.join("\n")).expect("a file can be written");

    let printed = lines(&project, "--again");
    assert_eq!(printed.len(), values.len(), "Godot refused some: {:?}", printed.last());
    for (line, (value, bytes)) in printed.iter().zip(values.iter().zip(&encodings)) {
        // `typeof` numbers the types as the wire does.
        assert_eq!(*line, format!("again {} {}", bytes[0], hex(bytes)), "{value:?}");
    }
}

/// `put_var` and `get_var` of both sides, over plain UDP: nothing is in the packet but the value.
#[test]
fn values_go_both_ways_over_udp() {
    let Some(project) = project("udp") else { return };
    let mut peer = PacketPeerUdp::new();
    peer.bind(0, "127.0.0.1").expect("a port");
    let port = format!("--port={}", peer.get_local_port());
    let mut godot = project.start("variant.gd", &[port]).expect("Godot starts");
    let deadline = Instant::now() + PATIENCE;
    for (name, value) in values() {
        let came = loop {
            match peer.get_var(FORMAT) {
                Err(VarError::Packet(PacketError::Empty)) => {
                    assert!(Instant::now() < deadline, "{name} does not come\n{}", godot.transcript());
                    std::thread::sleep(Duration::from_millis(1));
                }
                came => break came,
            }
        };
        assert_eq!(came.as_ref(), Ok(&value), "{name}");
        peer.set_dest_address(&Ipv4Addr::LOCALHOST.to_string(), peer.get_packet_port()).expect("an address");
        peer.put_var(&value, FORMAT).expect("sent");
    }
    let expected: Vec<String> = values()
        .iter()
        .flat_map(|(name, value)| [format!("sent {name} 0"), format!("{name} {}", hex(&encode(value)))])
        .collect();
    assert_eq!(finish(&mut godot), expected);
    assert_eq!(peer.get_available_packet_count(), 0);
}

/// Any value that Godot 3 has, but no "not a number", which is not equal to itself, and no equal keys, of which Godot
/// keeps one.
fn variant() -> impl Strategy<Value = Variant> {
    let real = || any::<f32>().prop_filter("a number", |number| !number.is_nan());
    let float = || any::<f64>().prop_filter("a number", |number| !number.is_nan());
    let text = || "[^\\x00]{0,9}";
    let vector2 = move || (real(), real()).prop_map(|(x, y)| Vector2 { x, y });
    let vector3 = move || (real(), real(), real()).prop_map(|(x, y, z)| Vector3 { x, y, z });
    let color = move || (real(), real(), real(), real()).prop_map(|(r, g, b, a)| Color { r, g, b, a });
    let plain = prop_oneof![
        Just(Variant::Nil),
        any::<bool>().prop_map(Variant::from),
        any::<i64>().prop_map(Variant::from),
        any::<i32>().prop_map(Variant::from),
        float().prop_map(Variant::from),
        real().prop_map(Variant::from),
        text().prop_map(Variant::from),
        vector2().prop_map(Variant::from),
        vector3().prop_map(Variant::from),
        color().prop_map(Variant::from),
    ];
    let packed = prop_oneof![
        list(any::<u8>()).prop_map(Variant::from),
        list(any::<i32>()).prop_map(Variant::from),
        list(real()).prop_map(Variant::from),
        list(text()).prop_map(Variant::from),
        list(vector2()).prop_map(Variant::from),
        list(vector3()).prop_map(Variant::from),
        list(color()).prop_map(Variant::from),
    ];
    prop_oneof![plain, packed].prop_recursive(5, 30, 5, |inner| {
        let keys = proptest::collection::btree_map("[a-z]{0,5}", inner.clone(), 0..5);
        prop_oneof![
            list(inner).prop_map(Variant::from),
            keys.prop_map(|pairs| {
                let pairs = pairs.into_iter().map(|(key, value)| (Variant::from(key), value));
                Variant::Dictionary(pairs.collect())
            }),
        ]
    })
}

fn list<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(item, 0..6)
}

fn encode(value: &Variant) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(FORMAT, &mut bytes, VariantLimits::default()).expect("it can be written");
    bytes
}

/// The value, which must fill all bytes.
fn decode(bytes: &[u8]) -> Result<Variant, VariantError> {
    let (value, length) = Variant::decode(bytes, FORMAT, VariantLimits::default())?;
    assert_eq!(length, bytes.len(), "something lies behind the value");
    Ok(value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| {
        let digits = str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(digits, 16).expect("two digits")
    };
    text.as_bytes().chunks(2).map(byte).collect()
}
