//! Cookies: proof that a client receives at the address it sends from, without memory on the server
//! (RFC 6347 section 4.2.1, RFC 9147 section 5.1).
//!
//! ```text
//! key id (1) | seconds (4) | content | HMAC(rotation period, peer id, seconds, client_version, random, session_id,
//!                                      content), cut to 16 bytes
//! ```
//!
//! Of the hello only fields that stand *before* the cookie are bound, and both hellos of a client have the same of them,
//! so that the first fragment of the second one is enough to check it. The content is what the server wants to remember:
//! nothing in DTLS 1.2, the decisions of the first hello in 1.3 (`retry.rs`); here it is only bytes. The root secret and
//! the number of the rotation period make the key: as the number comes first under the root's HMAC, every period has a
//! function of its own. So nothing is stored, nothing is locked, and servers with the same root and clock accept each
//! other's cookies.

use alloc::boxed::Box;
use core::time::Duration;

use super::begun::Begun;
use crate::ConfigError;
use crate::config::{CookieSecret, CookieSettings, Settings};
use crate::crypto::{Digest, HmacKey, stack};
use crate::message::ClientHelloPrefix;
use crate::time::Start;

const HEADER_LENGTH: usize = 1 + 4;
pub(super) const MAC_LENGTH: usize = 16;

/// The most bytes that a cookie can carry beside its date and its tag: a suite, a group and a hash.
pub(super) const MAX_CONTENT: usize = 2 + 2 + Digest::CAPACITY;

/// The most bytes of a cookie.
pub(super) const MAX_LENGTH: usize = HEADER_LENGTH + MAX_CONTENT + MAC_LENGTH;

/// A cookie must outlive the client's slow retransmissions.
const MIN_LIFETIME: Duration = Duration::from_secs(60);

/// The longest life: far from the 2^31 s at which the four bytes of a date would not tell the past from the future.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Cookies are dated in steps of this many seconds, so that the copies of a hello that a slow path makes nearly always
/// get the same cookie: a client that answered two different ones would begin two handshakes.
pub(super) const STEP: u64 = 16;

/// Makes and checks cookies, and counts what they begin. One for all gates and associations of a configuration.
pub(crate) struct Cookies {
    root: Box<dyn HmacKey>,
    /// Seconds.
    lifetime: u64,
    /// Seconds, at least `lifetime`, so that a cookie is never older than two keys.
    rotation: u64,
    begun: Begun,
}

/// A cookie as it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

impl AsRef<[u8]> for Cookie {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// What a cookie is bound to: who asks, and with which hello.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) peer_id: &'a [u8],
    /// Its cookie is not bound: the first hello has none.
    pub(super) hello: ClientHelloPrefix<'a>,
}

impl Cookies {
    /// With a fresh root where the settings give none.
    ///
    /// # Errors
    /// [`ConfigError::RandomFailure`] if none can be drawn, [`ConfigError::Limit`] if cookies would live too long.
    pub(crate) fn new(cookies: CookieSettings, settings: &Settings) -> Result<Self, ConfigError> {
        if cookies.lifetime > MAX_LIFETIME {
            return Err(ConfigError::Limit {
                name: "CookieSettings::lifetime",
                given: cookies.lifetime.as_secs(),
                least: 0,
                most: MAX_LIFETIME.as_secs(),
            });
        }
        let secret = match cookies.secret {
            Some(secret) => secret,
            None => CookieSecret::draw(settings)?,
        };
        let hmac = settings.provider.hmac().ok_or(ConfigError::NoCipherSuite)?;
        // In the provider's form, which may not be wiped when it is dropped.
        let root = stack::wiping::<{ stack::SYMMETRIC }, _>(|| hmac.key(secret.expose()));
        let deadline = settings.handshake_deadline.unwrap_or(MIN_LIFETIME);
        // A cookie may be a step older than its date says; parts of a second count as a whole one.
        let lifetime = cookies.lifetime.max(MIN_LIFETIME).max(deadline).as_secs().saturating_add(STEP);
        let rotation = cookies.rotation.as_secs().max(lifetime);
        Ok(Self { root, lifetime, rotation, begun: Begun::new() })
    }

    /// The cookie for this peer and its hello, now, with a content of at most [`MAX_CONTENT`] bytes.
    pub(super) fn make(&self, start: &Start, bound: &Bound<'_>, content: &[u8]) -> Cookie {
        let now = start.cookie_seconds();
        let dated = now.saturating_sub(now % STEP);
        let period = dated.checked_div(self.rotation).unwrap_or(0);
        let seconds = low_bytes(dated);
        let mac = self.mac(period, seconds, bound, content);
        let mut cookie = Cookie { bytes: [0; MAX_LENGTH], length: 0 };
        let header = [low_byte(period)].into_iter().chain(seconds);
        for (to, from) in cookie.bytes.iter_mut().zip(header.chain(content.iter().copied()).chain(mac)) {
            *to = from;
            cookie.length = cookie.length.saturating_add(1);
        }
        cookie
    }

    /// The content of a good cookie: ours, this peer's with such a hello, and not expired. `None` for any other.
    pub(super) fn open<'c>(&self, start: &Start, bound: &Bound<'_>, cookie: &'c [u8]) -> Option<&'c [u8]> {
        let (&[key_id, a, b, c, d], rest) = cookie.split_first_chunk::<HEADER_LENGTH>()?;
        let (content, mac) = rest.split_last_chunk::<MAC_LENGTH>()?;
        let seconds = [a, b, c, d];
        let now = start.cookie_seconds();
        // The whole date is the one nearest to now with these low bytes.
        let age = u32::from_be_bytes(low_bytes(now)).wrapping_sub(u32::from_be_bytes(seconds));
        let age = i64::from(i32::from_be_bytes(age.to_be_bytes()));
        // The clock of a server that made it, or ours, may differ by a step.
        let oldest = i64::try_from(self.lifetime).unwrap_or(i64::MAX);
        let newest = 0_i64.saturating_sub_unsigned(STEP);
        if !(newest..=oldest).contains(&age) {
            return None;
        }
        let dated = now.checked_add_signed(age.checked_neg()?)?;
        let period = dated.checked_div(self.rotation).unwrap_or(0);
        if low_byte(period) != key_id {
            return None;
        }
        let expected = self.mac(period, seconds, bound, content);
        bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_slice(), mac.as_slice())).then_some(content)
    }

    /// Whether a good cookie may begin one more handshake.
    pub(super) fn may_begin(&self, start: &Start, cookie: &[u8]) -> bool {
        let tag = cookie.last_chunk::<MAC_LENGTH>();
        tag.is_some_and(|tag| self.begun.may_begin(tag, start.cookie_seconds(), self.lifetime))
    }

    /// Counts the handshake that a good cookie begins; false if it would be one too many.
    pub(crate) fn begin(&self, start: &Start, cookie: &[u8]) -> bool {
        let tag = cookie.last_chunk::<MAC_LENGTH>();
        tag.is_some_and(|tag| self.begun.begin(tag, start.cookie_seconds(), self.lifetime))
    }

    fn mac(&self, period: u64, seconds: [u8; 4], bound: &Bound<'_>, content: &[u8]) -> [u8; MAC_LENGTH] {
        let Bound { peer_id, hello } = bound;
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes();
        // Every part of variable length but the last comes with its length, so that no two inputs run into each other.
        let tag = self.root.sign(&[
            &period.to_be_bytes(),
            &length(peer_id),
            peer_id,
            &seconds,
            &hello.client_version.0.to_be_bytes(),
            hello.random,
            &length(hello.session_id),
            hello.session_id,
            content,
        ]);
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
    use std::vec::Vec;

    use rustls_pki_types::UnixTime;

    use super::*;
    use crate::message::registry::ProtocolVersion;
    use crate::time::Instant;

    const RANDOM: [u8; 32] = [7; 32];
    const CONTENTS: [&[u8]; 3] = [b"", b"x", &[9; MAX_CONTENT]];

    fn cookies(secret: u8) -> Cookies {
        let settings = CookieSettings { secret: Some([secret; 32].into()), ..CookieSettings::default() };
        let core = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
        Cookies::new(settings, &core).unwrap()
    }

    fn at(seconds: u64) -> Start {
        Start {
            now: Instant::default(),
            unix: Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
        }
    }

    fn bound<'a>(peer_id: &'a [u8], session_id: &'a [u8]) -> Bound<'a> {
        let client_version = ProtocolVersion::DTLS_1_2;
        Bound {
            peer_id,
            hello: ClientHelloPrefix { client_version, random: &RANDOM, session_id, cookie: &[] },
        }
    }

    #[test]
    fn a_cookie_is_good_for_its_life_at_its_address() {
        let (cookies, bound) = (cookies(1), bound(b"peer", b""));
        for begin in [1_000_000, 3599, 3600, u64::from(u32::MAX) - 5, u64::from(u32::MAX) + 1] {
            let dated = begin - begin % STEP;
            for content in CONTENTS {
                let cookie = cookies.make(&at(begin), &bound, content);
                let open = |time| cookies.open(&at(time), &bound, cookie.as_ref());
                for age in [0, 1, 59, 60] {
                    assert_eq!(open(begin + age), Some(content), "begun {begin}, age {age}");
                }
                for age in [60 + STEP + 1, 100, 7200, 1 << 31] {
                    assert_eq!(open(begin + age), None, "begun {begin}, age {age}");
                }
                // Dated up to a step ahead: by a clock that is before ours.
                for ahead in [1, STEP] {
                    assert_eq!(open(dated - ahead), Some(content), "begun {begin}, {ahead} s ahead");
                }
                for ahead in [STEP + 1, 3600, 1 << 31] {
                    let Some(time) = dated.checked_sub(ahead) else { continue };
                    assert_eq!(open(time), None, "from the future: begun {begin}, {ahead} s ahead");
                }
            }
        }
    }

    #[test]
    fn threat_54_wrong_truncated_foreign_and_expired_cookies_are_refused() {
        let ours = cookies(1);
        for content in CONTENTS {
            let made = ours.make(&at(5000), &bound(b"peer", b"id"), content);
            let cookie = made.as_ref();
            let good = |cookie: &[u8]| ours.open(&at(5000), &bound(b"peer", b"id"), cookie).is_some();
            assert!(good(cookie));
            for bit in 0..cookie.len() * 8 {
                let mut wrong = cookie.to_vec();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!good(&wrong), "bit {bit}");
            }
            for length in 0..cookie.len() {
                assert!(!good(&cookie[..length]), "truncated to {length}");
            }
            let longer: Vec<u8> = cookie.iter().copied().chain([0]).collect();
            assert!(!good(&longer));
            let open = |cookies: &Cookies, time, bound: &Bound<'_>| cookies.open(&at(time), bound, cookie);
            assert_eq!(open(&ours, 5000, &bound(b"reep", b"id")), None, "another address");
            assert_eq!(open(&ours, 5000, &bound(b"peer", b"di")), None, "another session id");
            assert_eq!(open(&ours, 5000 + 60 + STEP + 1, &bound(b"peer", b"id")), None, "expired");
            assert_eq!(open(&cookies(2), 5000, &bound(b"peer", b"id")), None, "another server");
            let sibling = open(&cookies(1), 5000, &bound(b"peer", b"id"));
            assert_eq!(sibling, Some(content), "a server with the same root");
        }
    }

    #[test]
    fn the_present_and_the_previous_key_are_good() {
        let (cookies, bound) = (cookies(1), bound(b"peer", b""));
        // The default rotation is an hour.
        let cookie = cookies.make(&at(7199), &bound, b"content");
        assert!(cookies.open(&at(7201), &bound, cookie.as_ref()).is_some(), "across a rotation");
        let mut next = cookie;
        next.bytes[0] += 1;
        assert!(cookies.open(&at(7201), &bound, next.as_ref()).is_none(), "under the name of another key");
        // A clock that is a step behind has not come to the new key yet.
        let ahead = cookies.make(&at(7200), &bound, b"content");
        assert_eq!(ahead.bytes[0], cookie.bytes[0] + 1);
        assert!(cookies.open(&at(7200 - STEP), &bound, ahead.as_ref()).is_some(), "of the next key");
    }

    #[test]
    fn copies_of_a_hello_get_the_same_cookie_within_a_step() {
        let (cookies, bound) = (cookies(1), bound(b"peer", b""));
        let make = |time| cookies.make(&at(time), &bound, b"").as_ref().to_vec();
        assert_eq!(make(16_000), make(16_015));
        assert_ne!(make(16_000), make(16_016));
    }

    #[test]
    fn a_cookie_binds_the_random_and_the_version() {
        let (cookies, bound) = (cookies(1), bound(b"peer", b""));
        let cookie = cookies.make(&at(5000), &bound, b"");
        let mut other = bound;
        other.hello.random = &[8; 32];
        assert!(cookies.open(&at(5000), &other, cookie.as_ref()).is_none());
        let mut other = bound;
        other.hello.client_version = ProtocolVersion::DTLS_1_0;
        assert!(cookies.open(&at(5000), &other, cookie.as_ref()).is_none());
    }

    #[test]
    fn content_and_session_id_do_not_run_into_each_other() {
        let cookies = cookies(1);
        let cookie = cookies.make(&at(5000), &bound(b"peer", b"ab"), b"c");
        let mut moved = cookie.as_ref().to_vec();
        moved.insert(5, b'b');
        assert_eq!(cookies.open(&at(5000), &bound(b"peer", b"a"), &moved), None);
    }
}
