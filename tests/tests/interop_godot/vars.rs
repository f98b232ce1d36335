//! `put_var` and `get_var` on both sides of a DTLS connection.

use crate::duo::{Duo, Opening, PEER, Way};
use crate::scene::Stage;
use drystone::variant::{Color, VariantLimits, Vector2, Vector3};
use drystone::{PacketError, PacketPeerVariant, VarError, Variant, VariantFormat};
use drystone_tests::interop::{Cell, KeyKind};

const FORMAT: VariantFormat = VariantFormat::Godot3;

pub(crate) fn cells(stage: &Stage) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for way in Way::ALL {
        let opening = Opening::new(stage, stage.pki.server(KeyKind::P256));
        cells.push(Cell::new("values, each way", way.name(), move || both_ways(way, stage, opening)));
    }
    cells
}

/// A value of every type, alone and within others, the largest of them in the largest packet that there is.
fn values() -> Vec<Variant> {
    let (v2, v3) = (Vector2 { x: 1.5, y: -2.0 }, Vector3 { x: 1.0, y: 2.0, z: -0.25 });
    let color = Color { r: 1.0, g: 0.5, b: 0.25, a: 0.0 };
    let plain: Vec<Variant> = vec![
        Variant::Nil,
        true.into(),
        7.into(),
        i64::MIN.into(),
        0.5.into(),
        0.1.into(),
        "drystone: aé→🪨".into(),
        v2.into(),
        v3.into(),
        color.into(),
    ];
    let packed: Vec<Variant> = vec![
        vec![0_u8, 1, 255].into(),
        vec![1, -2, i32::MAX].into(),
        vec![1.5_f32, 0.1].into(),
        Variant::PackedStringArray(vec!["a".to_owned(), String::new(), "→".to_owned()]),
        vec![v2, v2].into(),
        vec![v3].into(),
        vec![color].into(),
    ];
    let player: Vec<(Variant, Variant)> = vec![
        ("name".into(), "waller".into()),
        ("at".into(), v3.into()),
        (3.into(), Variant::Array(plain.clone())),
        (Variant::Nil, Variant::Dictionary(vec![("path".into(), vec![v2, v2].into())])),
    ];
    // A type and a count stand before the bytes.
    let largest = vec![9_u8; 16_384 - 8].into();
    let nested = [Variant::Array(plain.clone()), Variant::Array(packed.clone()), player.into(), largest];
    plain.into_iter().chain(packed).chain(nested).collect()
}

fn both_ways(way: Way, stage: &Stage, opening: Opening<'_>) -> Result<(), String> {
    let mut duo = Duo::connected(way, stage, opening)?;
    duo.ours_mut().reads = false;
    duo.godot().get_vars(PEER)?;
    // It takes orders once per frame, and a packet that overtakes this one would be read as a packet.
    duo.until("Godot reads values", |duo| duo.far().reads_vars)?;
    for (number, value) in values().into_iter().enumerate() {
        let mut bytes = Vec::new();
        value.encode(FORMAT, &mut bytes, VariantLimits::default()).map_err(|error| error.to_string())?;

        duo.ours_mut().peer.put_var(&value, FORMAT).map_err(|error| error.to_string())?;
        duo.until("our value", |duo| duo.far().vars.len() > number)?;
        if duo.far().vars[number] != bytes {
            return Err(format!("Godot took {value:?} for {:02x?}", duo.far().vars[number]));
        }

        duo.godot().put_var(PEER, &bytes)?;
        duo.until("Godot's value", |duo| duo.ours().waiting > 0)?;
        let came = duo.ours_mut().peer.get_var(FORMAT);
        if came.as_ref() != Ok(&value) {
            return Err(format!("{value:?} came as {came:?}"));
        }
    }
    duo.until("what put_var gave", |duo| duo.far().sent.len() == values().len())?;
    match (duo.ours_mut().peer.get_var(FORMAT), duo.far().sent.iter().all(|error| *error == 0)) {
        (Err(VarError::Packet(PacketError::Empty)), true) => Ok(()),
        other => Err(format!("{other:?} behind the last value")),
    }
}
