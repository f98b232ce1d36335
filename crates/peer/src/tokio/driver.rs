//! The endpoint's task: it reads the socket, keeps the timers, and sends what had to wait.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use drystone_handshake::Instant;
use tokio::time::{Sleep, sleep};

use super::error::ConnectionError;
use super::shared::Shared;
use crate::socket::{self, MAX_DATAGRAM};

/// Looks at the socket before the timers are looked at again.
const LOOKS: usize = 32;

/// Runs until the endpoint is stopped and its last words are sent, or its socket fails.
pub(super) async fn run(shared: Arc<Shared>) {
    let reason = match drive(&shared).await {
        Ok(()) => ConnectionError::Stopped,
        Err(error) => error.into(),
    };
    shared.turn(|state, _| state.end(reason));
    shared.tell_of_stop();
}

async fn drive(shared: &Shared) -> io::Result<()> {
    let mut buffer = vec![0; MAX_DATAGRAM].into_boxed_slice();
    let mut timer = pin!(sleep(Duration::ZERO));
    loop {
        let (is_over, is_held, due) = shared.turn(|state, now| {
            state.endpoint.handle_timeout(now);
            state.flush(now, &shared.socket);
            (state.is_over(), state.is_held(), state.endpoint.poll_timeout())
        });
        if is_over {
            return Ok(());
        }
        if let Some(due) = due {
            let wait: Duration = due - shared.clock.now();
            timer.set(sleep(wait));
        }
        if wait(shared, timer.as_mut(), due, is_held).await? {
            receive(shared, &mut buffer)?;
        }
    }
}

/// Waits until there is something to do; whether it is to read.
async fn wait(
    shared: &Shared,
    mut timer: Pin<&mut Sleep>,
    due: Option<Instant>,
    is_held: bool,
) -> io::Result<bool> {
    let mut woken = pin!(shared.woken.notified());
    poll_fn(|cx| {
        let is_due = due.is_some() && timer.as_mut().poll(cx).is_ready();
        if is_due || woken.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(false));
        }
        if is_held && let Poll::Ready(ready) = shared.socket.poll_writable(cx) {
            return Poll::Ready(ready.map(|()| false));
        }
        shared.socket.poll_readable(cx).map_ok(|()| true)
    })
    .await
}

/// Takes in what the socket has, up to a limit.
fn receive(shared: &Shared, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..LOOKS {
        match shared.socket.try_receive(buffer) {
            Ok(datagrams) => shared.turn(|state, _| state.take_in(shared.clock.start(), datagrams, buffer)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                shared.turn(|state, now| state.endpoint.handle_drained(now));
                break;
            }
            // A refusal concerns a datagram to some peer, one does not learn which.
            Err(error) if socket::is_loss(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
