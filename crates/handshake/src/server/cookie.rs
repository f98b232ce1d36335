//! Cookies: proof that a client receives at the address it sends from, without memory on the server
//! (RFC 6347 section 4.2.1).
//!
//! ```text
//! key id (1) | seconds (4) | HMAC-SHA256(peer id, seconds, client_version, random, session_id), cut to 16 bytes
//! ```
//!
//! Only fields that stand *before* the cookie in the hello are bound, so that the first fragment of a hello is
//! enough to check it. The keys are derived from a root secret and the number of the rotation period: nothing is
//! stored, nothing is locked, and servers with the same root and clock accept each other's cookies.

use core::time::Duration;

use ring::hmac;

use crate::config::{CookieSettings, Settings};
use crate::message::ClientHelloPrefix;
use crate::time::Start;
use crate::{ConfigError, Error};

const KEY_ID_LENGTH: usize = 1;
const TIME_LENGTH: usize = 4;
const MAC_LENGTH: usize = 16;

/// The length of a cookie in bytes.
pub(super) const LENGTH: usize = KEY_ID_LENGTH + TIME_LENGTH + MAC_LENGTH;

/// A cookie must outlive the client's slow retransmissions.
const MIN_LIFETIME: Duration = Duration::from_secs(60);

/// Cookies are dated in steps of this many seconds, so that the copies of a hello that a slow path makes nearly always
/// get the same cookie: a client that answered two different ones would begin two handshakes.
const STEP: u64 = 16;

/// Makes and checks cookies.
pub(super) struct Cookies {
    root: hmac::Key,
    /// Seconds.
    lifetime: u64,
    /// Seconds, at least `lifetime`, so that a cookie is never older than two keys.
    rotation: u64,
}

impl Cookies {
    pub(super) fn new(cookies: &CookieSettings, settings: &Settings) -> Result<Self, ConfigError> {
        let mut secret = cookies.secret.unwrap_or_default();
        if cookies.secret.is_none() {
            settings.random.fill(&mut secret).map_err(|_: Error| ConfigError::RandomFailure)?;
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        zeroize::Zeroize::zeroize(&mut secret);
        let deadline = settings.handshake_deadline.unwrap_or(MIN_LIFETIME);
        // A cookie may be a step older than its date says; parts of a second count as a whole one.
        let lifetime = cookies.lifetime.max(MIN_LIFETIME).max(deadline).as_secs().saturating_add(STEP);
        Ok(Self { root, lifetime, rotation: cookies.rotation.as_secs().max(lifetime) })
    }

    /// The cookie for this hello from this peer, now.
    pub(super) fn make(&self, start: &Start, peer_id: &[u8], hello: &ClientHelloPrefix<'_>) -> [u8; LENGTH] {
        let now = start.cookie_seconds();
        let dated = now.saturating_sub(now % STEP);
        let period = dated.checked_div(self.rotation).unwrap_or(0);
        let seconds = low_bytes(dated);
        let mac = self.mac(period, seconds, peer_id, hello);
        let mut cookie = [0; LENGTH];
        let parts = [low_byte(period)].into_iter().chain(seconds).chain(mac);
        for (to, from) in cookie.iter_mut().zip(parts) {
            *to = from;
        }
        cookie
    }

    /// Whether the hello carries a good cookie: ours, this peer's, and not expired.
    pub(super) fn check(&self, start: &Start, peer_id: &[u8], hello: &ClientHelloPrefix<'_>) -> bool {
        let Some((&[key_id, a, b, c, d], mac)) =
            hello.cookie.split_first_chunk::<{ KEY_ID_LENGTH + TIME_LENGTH }>()
        else {
            return false;
        };
        let seconds = [a, b, c, d];
        let now = start.cookie_seconds();
        // Ages are differences of the low four bytes; a cookie from the future has a huge age.
        let [x, y, z, w] = low_bytes(now);
        let age = u32::from_be_bytes([x, y, z, w]).wrapping_sub(u32::from_be_bytes(seconds));
        if u64::from(age) > self.lifetime {
            return false;
        }
        let present = now.checked_div(self.rotation).unwrap_or(0);
        let Some(period) =
            [present, present.wrapping_sub(1)].into_iter().find(|period| low_byte(*period) == key_id)
        else {
            return false;
        };
        let expected = self.mac(period, seconds, peer_id, hello);
        subtle::ConstantTimeEq::ct_eq(expected.as_slice(), mac).into()
    }

    fn mac(
        &self,
        period: u64,
        seconds: [u8; 4],
        peer_id: &[u8],
        hello: &ClientHelloPrefix<'_>,
    ) -> [u8; MAC_LENGTH] {
        let derived = hmac::sign(&self.root, &period.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        let mut context = hmac::Context::with_key(&key);
        // Every part of variable length comes with its length, so that no two inputs run into each other.
        context.update(&u64::try_from(peer_id.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(peer_id);
        context.update(&seconds);
        context.update(&hello.client_version.0.to_be_bytes());
        context.update(hello.random);
        context.update(&u64::try_from(hello.session_id.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(hello.session_id);
        let tag = context.sign();
        tag.as_ref().first_chunk::<MAC_LENGTH>().copied().unwrap_or_default()
    }
}

impl core::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cookies")
            .field("lifetime", &self.lifetime)
            .field("rotation", &self.rotation)
            .finish_non_exhaustive()
    }
}

fn low_byte(number: u64) -> u8 {
    let [.., low] = number.to_be_bytes();
    low
}

fn low_bytes(number: u64) -> [u8; 4] {
    let [_, _, _, _, a, b, c, d] = number.to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use rustls_pki_types::UnixTime;

    use super::*;
    use crate::message::registry::ProtocolVersion;
    use crate::time::Instant;

    const RANDOM: [u8; 32] = [7; 32];

    fn cookies(secret: u8) -> Cookies {
        let settings = CookieSettings { secret: Some([secret; 32]), ..CookieSettings::default() };
        let core = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
        Cookies::new(&settings, &core).unwrap()
    }

    fn at(seconds: u64) -> Start {
        Start {
            now: Instant::default(),
            unix: Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
        }
    }

    fn hello<'a>(cookie: &'a [u8], session_id: &'a [u8]) -> ClientHelloPrefix<'a> {
        ClientHelloPrefix { client_version: ProtocolVersion::DTLS_1_2, random: &RANDOM, session_id, cookie }
    }

    #[test]
    fn a_cookie_is_good_for_its_life_at_its_address() {
        let cookies = cookies(1);
        for begin in [1_000_000, 3599, 3600, u64::from(u32::MAX) - 5, u64::from(u32::MAX) + 1] {
            let dated = begin - begin % STEP;
            let cookie = cookies.make(&at(begin), b"peer", &hello(&[], b""));
            let hello = hello(&cookie, b"");
            for age in [0, 1, 59, 60] {
                assert!(cookies.check(&at(begin + age), b"peer", &hello), "begun {begin}, age {age}");
            }
            for age in [60 + STEP + 1, 100, 7200, 1 << 31] {
                assert!(!cookies.check(&at(begin + age), b"peer", &hello), "begun {begin}, age {age}");
            }
            assert!(!cookies.check(&at(dated - 1), b"peer", &hello), "from the future");
        }
    }

    #[test]
    fn threat_54_wrong_truncated_foreign_and_expired_cookies_are_refused() {
        let ours = cookies(1);
        let cookie = ours.make(&at(5000), b"peer", &hello(&[], b"id"));
        let good = |cookie: &[u8]| ours.check(&at(5000), b"peer", &hello(cookie, b"id"));
        assert!(good(&cookie));
        for byte in 0..LENGTH {
            for bit in 0..8 {
                let mut wrong = cookie;
                wrong[byte] ^= 1 << bit;
                assert!(!good(&wrong), "byte {byte} bit {bit}");
            }
        }
        for length in 0..LENGTH {
            assert!(!good(&cookie[..length]), "truncated to {length}");
        }
        let longer: Vec<u8> = cookie.iter().copied().chain([0]).collect();
        assert!(!good(&longer));
        assert!(!ours.check(&at(5000), b"reep", &hello(&cookie, b"id")), "another address");
        assert!(!ours.check(&at(5000), b"peer", &hello(&cookie, b"di")), "another session id");
        assert!(!ours.check(&at(5000 + 60 + STEP + 1), b"peer", &hello(&cookie, b"id")), "expired");
        assert!(!cookies(2).check(&at(5000), b"peer", &hello(&cookie, b"id")), "another server");
        assert!(cookies(1).check(&at(5000), b"peer", &hello(&cookie, b"id")), "a server with the same root");
    }

    #[test]
    fn copies_of_a_hello_get_the_same_cookie_within_a_step() {
        let cookies = cookies(1);
        let first = cookies.make(&at(16_000), b"peer", &hello(&[], b""));
        assert_eq!(first, cookies.make(&at(16_015), b"peer", &hello(&[], b"")));
        assert_ne!(first, cookies.make(&at(16_016), b"peer", &hello(&[], b"")));
    }

    #[test]
    fn a_cookie_binds_the_random_and_the_version() {
        let cookies = cookies(1);
        let cookie = cookies.make(&at(5000), b"peer", &hello(&[], b""));
        let other = ClientHelloPrefix { random: &[8; 32], ..hello(&cookie, b"") };
        assert!(!cookies.check(&at(5000), b"peer", &other));
        let other = ClientHelloPrefix { client_version: ProtocolVersion::DTLS_1_0, ..hello(&cookie, b"") };
        assert!(!cookies.check(&at(5000), b"peer", &other));
    }
}
