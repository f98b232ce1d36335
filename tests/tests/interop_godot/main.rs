//! drystone with a real Godot in both roles: `PacketPeerDtls` with Godot's `DTLSServer`, and Godot's `PacketPeerDTLS`
//! with our `DtlsServer`, through both of its doors.

mod duo;
mod files;
mod many;
mod ours;
mod packets;
mod restart;
mod scene;
mod trust;
mod vars;

use drystone_tests::interop::Table;
use scene::Stage;

#[test]
fn packets_and_goodbyes() {
    if let Some(stage) = Stage::of("packets") {
        Table::fill("Godot: packets and goodbyes", packets::cells(&stage)).finish();
    }
}

#[test]
fn trust_in_certificates() {
    if let Some(stage) = Stage::of("trust") {
        Table::fill("Godot: trust in certificates", trust::cells(&stage)).finish();
    }
}

#[test]
fn restarts_and_crashes() {
    if let Some(stage) = Stage::of("restarts") {
        Table::fill("Godot: restarts and crashes", restart::cells(&stage)).finish();
    }
}

#[test]
fn many_at_once() {
    if let Some(stage) = Stage::of("many") {
        Table::fill("Godot: many at once", many::cells(&stage)).finish();
    }
}

#[test]
fn values() {
    if let Some(stage) = Stage::of("values") {
        Table::fill("Godot: put_var and get_var", vars::cells(&stage)).finish();
    }
}

#[test]
fn files_of_the_other_side() {
    if let Some(stage) = Stage::of("files") {
        let files = files::Files::make(&stage).expect("keys and certificates can be made");
        Table::fill("Godot: files of the other side", files.cells(&stage)).finish();
    }
}
