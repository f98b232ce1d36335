//! KeyUpdate (RFC 9846 section 4.7.3, RFC 9147 section 8): when one is sent, what its ACK brings, what the peer's brings.

use super::post_flights::Acknowledged;
use super::post_handshake::PostHandshake;
use super::{Connection, Phase};
use crate::error::Misbehaviour;
use crate::message::registry::HandshakeType;
use crate::message::{KeyUpdate, KeyUpdateRequest};
use crate::observe::{Direction, Observed};
use crate::time::Instant;
use crate::{Error, Misuse};

/// KeyUpdates of the peer without application data between them.
const MAX_IDLE_UPDATES: u8 = 32;

#[derive(Debug, Default)]
pub(super) struct KeyUpdates {
    /// What the next KeyUpdate shall say.
    wanted: Option<KeyUpdateRequest>,
    /// What the one says that waits for its ACK.
    under_way: Option<KeyUpdateRequest>,
    /// The peer's KeyUpdates since its last data.
    idle_updates: u8,
    /// The peer's epoch for which we have asked for newer keys, because of forgeries.
    asked_for_newer_than: u64,
}

impl KeyUpdates {
    /// Requests merge with each other, and with a KeyUpdate under way: its ACK brings the new keys that are asked for. Only
    /// if it did not ask the peer for the same, and this request does, another follows.
    fn want(&mut self, request: KeyUpdateRequest) {
        let says_as_much = |said: Option<KeyUpdateRequest>| {
            said == Some(KeyUpdateRequest::Requested) || said == Some(request)
        };
        if !says_as_much(self.under_way) && !says_as_much(self.wanted) {
            self.wanted = Some(request);
        }
    }

    /// Whether the peer's updates are being counted.
    pub(super) fn counts(&self) -> bool {
        self.idle_updates > 0
    }

    pub(super) fn heard_data(&mut self) {
        self.idle_updates = 0;
    }
}

impl PostHandshake {
    /// Whether a KeyUpdate is wanted and may go out: everything earlier is acknowledged (rule 8).
    pub(super) fn may_start_update(&self) -> bool {
        self.updates.wanted.is_some() && self.flights.all_acknowledged()
    }
}

impl Connection {
    /// Changes the keys that this side writes with (DTLS 1.3), and asks the peer to change its own too if `request_peer`.
    /// The new keys are in use once the peer has acknowledged the change; data flows meanwhile. Calls before that count as
    /// one; only if the peer was not asked before, and is by a later call, another change follows.
    ///
    /// Drystone also does so by itself: when a key has protected 7/8 of what it may, and asks the peer to when half of
    /// the forgeries that a key bears have been seen.
    ///
    /// # Errors
    /// [`Misuse::NotConnected`], [`Misuse::NoKeyUpdate`] where DTLS 1.2 was negotiated, and [`Misuse::LastEpoch`] where the
    /// present keys are the last.
    pub fn update_keys(&mut self, now: Instant, request_peer: bool) -> Result<(), Misuse> {
        let is_last = self.writes_in_last_epoch();
        let Phase::Connected(established) = &mut self.phase else { return Err(Misuse::NotConnected) };
        let post = established.post_handshake().ok_or(Misuse::NoKeyUpdate)?;
        if is_last {
            return Err(Misuse::LastEpoch);
        }
        post.updates.want(if request_peer {
            KeyUpdateRequest::Requested
        } else {
            KeyUpdateRequest::NotRequested
        });
        self.start_key_update(now);
        Ok(())
    }

    /// The write key nears its limit. The update starts with the next call that knows the time.
    pub(super) fn want_new_write_key(&mut self) -> bool {
        let Phase::Connected(established) = &mut self.phase else { return false };
        let Some(post) = established.post_handshake() else { return false };
        post.updates.want(KeyUpdateRequest::NotRequested);
        true
    }

    /// Half of the forgeries that the peer's key bears have happened: asks for newer ones, once (RFC 9147 section 4.5.3).
    #[cold]
    pub(super) fn after_forgery(&mut self) {
        let Some(newest) = self.reads.newest() else { return };
        let nears = self.reads.get(newest).is_some_and(|epoch| epoch.nears_forgery_limit());
        if let Phase::Connected(established) = &mut self.phase
            && let Some(post) = established.post_handshake()
            && nears
            && post.updates.asked_for_newer_than < newest
        {
            post.updates.asked_for_newer_than = newest;
            post.updates.want(KeyUpdateRequest::Requested);
        }
    }

    /// "Sending implementations MUST NOT allow the epoch to exceed 2^48-1" (RFC 9147 section 8).
    fn writes_in_last_epoch(&self) -> bool {
        self.writes.current().epoch() >= self.common().settings.limits.last_epoch
    }

    /// Sends a KeyUpdate if one is wanted and may go out. In the last epoch none does, whoever asked for it: the key then
    /// serves until its own limit.
    pub(super) fn start_key_update(&mut self, now: Instant) {
        let is_last = self.writes_in_last_epoch();
        let Phase::Connected(established) = &mut self.phase else { return };
        let Some(post) = established.post_handshake().filter(|post| post.may_start_update()) else { return };
        let Some(request_update) = post.updates.wanted.take().filter(|_| !is_last) else { return };
        let body = match (KeyUpdate { request_update }).to_vec() {
            Ok(body) => body,
            Err(error) => return self.fail(now, error.into()),
        };
        let epoch = self.writes.current().epoch();
        let Ok(message_seq) = post.flights.begin(epoch, HandshakeType::KEY_UPDATE, body.clone(), now) else {
            // Nothing can change the keys any more.
            return self.fail(now, Error::KeyLimit);
        };
        post.updates.under_way = Some(request_update);
        let msg_type = HandshakeType::KEY_UPDATE;
        self.observe(Direction::Sent, Observed::Handshake { msg_type, message_seq, body: &body });
    }

    /// The peer has the whole of a flight, or more. If a KeyUpdate was among them, we write with the next keys from now on.
    pub(super) fn flights_acknowledged(&mut self, now: Instant, acknowledged: Acknowledged) {
        if acknowledged.key_update
            && let Err(error) = self.next_write_keys()
        {
            return self.fail(now, error);
        }
        if acknowledged.any {
            self.retire_write_epochs();
            self.start_key_update(now);
        }
    }

    fn next_write_keys(&mut self) -> Result<(), Error> {
        let current = self.writes.current().epoch();
        let Self { phase: Phase::Connected(established), config, .. } = self else { return Ok(()) };
        let client_random = *established.client_random();
        let Some(post) = established.post_handshake() else { return Ok(()) };
        post.updates.under_way = None;
        let mut epoch =
            post.traffic.next_write(current.saturating_add(1), &client_random, config.common())?;
        epoch.keep_room_for_alert();
        // The epoch after the current one is newer.
        let _ = self.writes.install(epoch);
        self.limit_padding();
        Ok(())
    }

    /// The peer writes with its next keys from now on.
    pub(super) fn key_update_received(&mut self, epoch: u64, body: &[u8]) -> Result<(), Error> {
        let KeyUpdate { request_update } = KeyUpdate::decode(body)?;
        let Self { phase: Phase::Connected(established), config, reads, .. } = self else { return Ok(()) };
        let client_random = *established.client_random();
        let Some(post) = established.post_handshake() else { return Ok(()) };
        let updates = &mut post.updates;
        updates.idle_updates = updates.idle_updates.saturating_add(1);
        if updates.idle_updates > MAX_IDLE_UPDATES {
            return Err(Misbehaviour::TooManyKeyUpdates.into());
        }
        // The peer's epoch has no end here: "receiving implementations MUST NOT enforce this rule" (RFC 9147 section 8).
        let next = epoch.saturating_add(1);
        reads.install(post.traffic.next_read(next, &client_random, config.common())?);
        // RFC 9147 section 8: no other message follows a KeyUpdate under the keys that it ends.
        post.incoming.require_epoch(next);
        if request_update == KeyUpdateRequest::Requested {
            post.updates.want(KeyUpdateRequest::NotRequested);
        }
        Ok(())
    }
}
