//! Two WebRTC peers in one process: each knows the fingerprint of the other's certificate from SDP, datagrams go over a transport
//! of the program's own (here queues in memory, else ICE), and SRTP gets its keys. `cargo run --example webrtc --features generate`

use std::{error::Error, sync::Arc};

use drystone::x509::{Fingerprint, Policy};
use drystone::{
    ClientAuth, ClientConfig, Clock, Connection, Credential, Credentials, Datagram, Path, ServerConfig,
    Settings, SrtpProfile,
};

fn main() -> Result<(), Box<dyn Error>> {
    // Each side makes a certificate, and puts its fingerprint into its SDP.
    let (ours, theirs) = (drystone::self_signed(["WebRTC"])?, drystone::self_signed(["WebRTC"])?);
    let (our_line, their_line) = (sdp_line(&ours), sdp_line(&theirs));
    println!("a=fingerprint:{our_line}\na=fingerprint:{their_line}");

    // a=setup:active is the client, a=setup:passive the server. ICE has proved the addresses, so no cookie is asked for.
    let client = ClientConfig::new(settings(), Policy::fingerprint(&their_line)?)?;
    let client = client.with_credentials(Credentials::single(ours));
    let server = ServerConfig::new(settings(), Credentials::single(theirs))?;
    let server = server.with_client_auth(ClientAuth::Require(Arc::new(Policy::fingerprint(&our_line)?)));

    let clock = Clock::new();
    let mut active = Connection::client(Arc::new(client), None, clock.start())?;
    let mut passive = Connection::server_without_cookie(Arc::new(server), Path::default(), clock.start())?;
    while !(active.is_connected() && passive.is_connected()) {
        pass_on(&mut active, &mut passive, clock)?;
        pass_on(&mut passive, &mut active, clock)?;
    }
    let no_keys = "no SRTP profile in common";
    let (client_side, server_side) =
        (active.srtp_keys().ok_or(no_keys)?, passive.srtp_keys().ok_or(no_keys)?);
    assert_eq!(client_side.client_key(), server_side.client_key());
    println!("SRTP keys of {} bytes", client_side.client_key().len());
    Ok(())
}

fn settings() -> Settings {
    let mut settings = drystone::settings();
    settings.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
    settings
}

fn sdp_line(credential: &Credential) -> String {
    Fingerprint::sha256(&credential.chain()[0]).to_string()
}

/// What one side has to send reaches the other.
fn pass_on(from: &mut Connection, to: &mut Connection, clock: Clock) -> Result<(), Box<dyn Error>> {
    let mut out = [0; 2048];
    while let Some(transmit) = from.poll_transmit(clock.now(), &mut out) {
        let mut datagram = Datagram::new(Path::default(), &mut out[..transmit.len]);
        while to.receive(clock.now(), &mut datagram).is_some() {}
    }
    from.error().map_or(Ok(()), |error| Err(error.clone().into()))
}
