//! The lock around the state, and who is told of what has changed under it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drystone_handshake::Instant;
use tokio::sync::Notify;

use super::socket::TokioSocket;
use super::state::{News, State};
use crate::clock::Clock;

/// What the endpoint's task, its handles and its connections share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) socket: TokioSocket,
    pub(super) clock: Clock,
    /// The endpoint's task has to look at its deadline, or at what waits to be sent.
    pub(super) woken: Notify,
    /// A client may be accepted.
    pub(super) accepted: Notify,
    /// A call-out asks.
    pub(super) questions: Notify,
    /// The endpoint stops or has stopped.
    pub(super) stopped: Notify,
}

impl Shared {
    pub(super) fn new(state: State, socket: TokioSocket) -> Self {
        Self {
            state: Mutex::new(state),
            socket,
            clock: Clock::new(),
            woken: Notify::new(),
            accepted: Notify::new(),
            questions: Notify::new(),
            stopped: Notify::new(),
        }
    }

    /// A caller does something to the state: what follows from it is sent, and told to whom it concerns.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.lock();
        let before = state.endpoint.poll_timeout();
        let (result, news) = self.act(&mut state, act);
        let after = state.endpoint.poll_timeout();
        let is_earlier = after.is_some_and(|after| before.is_none_or(|before| after < before));
        let concerns_task = is_earlier || state.is_held() || state.is_over();
        drop(state);
        if concerns_task {
            self.woken.notify_one();
        }
        self.tell(news);
        result
    }

    /// The endpoint's task does something to the state; what it waits for next it asks afterwards.
    pub(super) fn turn<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.lock();
        let (result, news) = self.act(&mut state, act);
        drop(state);
        self.tell(news);
        result
    }

    fn act<T>(&self, state: &mut State, act: impl FnOnce(&mut State, Instant) -> T) -> (T, News) {
        let now = self.clock.now();
        let result = act(state, now);
        state.flush(now, &self.socket);
        (result, state.news())
    }

    fn tell(&self, news: News) {
        if news.accepted {
            self.accepted.notify_one();
        }
        if news.questions {
            self.questions.notify_one();
        }
    }

    /// Whoever waits looks again: the endpoint stops.
    pub(super) fn tell_of_stop(&self) {
        for waiting in [&self.accepted, &self.questions, &self.stopped] {
            waiting.notify_waiters();
        }
    }

    /// Looks at the state, and changes nothing that concerns others.
    pub(super) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of a caller's own closure, under `Connection::inspect`, changes nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the endpoint's task alive: one for each handle and each connection.
pub(super) enum Keeper {
    Endpoint(Arc<Shared>),
    Connection(Arc<Shared>),
}

impl Keeper {
    /// One more for a handle of the endpoint.
    pub(super) fn endpoint(shared: &Arc<Shared>) -> Self {
        shared.with(|state, _| state.endpoints += 1);
        Self::Endpoint(Arc::clone(shared))
    }

    /// One for a connection, which is counted already.
    pub(super) fn connection(shared: &Arc<Shared>) -> Self {
        Self::Connection(Arc::clone(shared))
    }
}

impl std::ops::Deref for Keeper {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        match self {
            Self::Endpoint(shared) | Self::Connection(shared) => shared,
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let is_endpoint = matches!(self, Self::Endpoint(_));
        self.with(|state, now| {
            let count = if is_endpoint { &mut state.endpoints } else { &mut state.connections };
            *count = count.saturating_sub(1);
            if state.endpoints == 0 {
                state.refuse_accepted(now);
            }
            if state.endpoints == 0 && state.connections == 0 {
                state.stop(now);
            }
        });
    }
}
