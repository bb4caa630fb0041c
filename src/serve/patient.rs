//! A stream whose other end has to take what is written, within the idle deadline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream that fails with [`io::ErrorKind::TimedOut`] once nothing was taken for too long. Without it
/// whoever stops reading in the middle of an answer would keep it in memory for good.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    idle: Duration,
    /// How long all that waits to be written may take.
    total: Duration,
    /// Runs while nothing is taken.
    waiting: Option<Pin<Box<Sleep>>>,
    /// When something first was not taken at once, since all was.
    since: Option<Instant>,
}

impl<S> Patient<S> {
    /// Around a stream: something has to be taken within `idle`, and all within `total`.
    pub fn new(stream: S, idle: Duration, total: Duration) -> Patient<S> {
        Patient { stream, idle, total, waiting: None, since: None }
    }

    fn patience<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let idle = self.idle.min(self.total.saturating_sub(since.elapsed()));
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patience(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        let polled = self.patience(context, polled);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.since = None;
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.patience(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_who_takes_slowly_is_not() {
        let idle = Duration::from_millis(200);
        let (near, mut far) = tokio::io::duplex(16);
        let mut stream = Patient::new(near, idle, idle * 20);
        let slowly = async {
            let mut byte = [0; 8];
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                far.read_exact(&mut byte).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[7; 80]), slowly);
        written.unwrap();
        let failed = stream.write_all(&[7; 80]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn all_has_to_be_taken_in_time() {
        let idle = Duration::from_millis(200);
        let (near, mut far) = tokio::io::duplex(1);
        let mut stream = Patient::new(near, idle, idle * 2);
        let slowly = async {
            let mut byte = [0; 1];
            while far.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(idle / 4).await;
            }
        };
        let write = async {
            let failed = stream.write_all(&[7; 800]).await.unwrap_err();
            drop(stream);
            failed
        };
        let (failed, ()) = tokio::join!(write, slowly);
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }
}
