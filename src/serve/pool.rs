//! A bounded pool of threads that scan. Work waits in a bounded queue; past its length it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

/// Threads and the queue in front of them. Dropped, it lets them end what is queued.
#[derive(Debug)]
pub struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    working: Arc<AtomicUsize>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// As many pieces of work wait as may.
    #[error("too much work waits")]
    Full,
    /// It panicked, or the pool has ended.
    #[error("the work did not end")]
    Lost,
}

impl Pool {
    /// So many threads, with room for so much work that waits.
    ///
    /// # Errors
    ///
    /// A thread could not be started.
    pub fn start(threads: usize, queue: usize) -> std::io::Result<Pool> {
        let (jobs, queued) = bounded::<Job>(queue.max(1));
        let waiting = Arc::new(AtomicUsize::new(0));
        let working = Arc::new(AtomicUsize::new(0));
        let start = |number: usize| {
            let queued = queued.clone();
            let (waiting, working) = (Arc::clone(&waiting), Arc::clone(&working));
            thread::Builder::new().name(format!("scan-{number}")).spawn(move || {
                for job in queued {
                    working.fetch_add(1, Ordering::SeqCst);
                    waiting.fetch_sub(1, Ordering::SeqCst);
                    // A piece of work that fails takes its own answer with it, and no thread.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                    working.fetch_sub(1, Ordering::SeqCst);
                }
            })
        };
        let threads = (0..threads.max(1)).map(start).collect::<std::io::Result<Vec<_>>>()?;
        Ok(Pool { jobs: Some(jobs), threads, waiting, working })
    }

    /// Has work done on one of the threads and waits for it.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (done, result) = oneshot::channel();
        self.queue(move || drop(done.send(work())))?;
        result.await.map_err(|_| PoolError::Lost)
    }

    /// Puts work into the queue; nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub fn queue(&self, work: impl FnOnce() + Send + 'static) -> Result<(), PoolError> {
        let Some(jobs) = &self.jobs else { return Err(PoolError::Lost) };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        jobs.try_send(Box::new(work)).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => PoolError::Full,
                TrySendError::Disconnected(_) => PoolError::Lost,
            }
        })
    }

    /// Waits until nothing is queued or under way, for so long; whether that is so.
    pub fn drain(&self, patience: Duration) -> bool {
        let began = Instant::now();
        loop {
            let left = self.waiting.load(Ordering::SeqCst) + self.working.load(Ordering::SeqCst);
            if left == 0 || began.elapsed() >= patience {
                return left == 0;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Pieces of work that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // The last owner may be one of the threads themselves.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_refused_past_the_limit_and_survives_panics() {
        let pool = Pool::start(1, 2).unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
        assert_eq!(pool.run(|| panic!("it fails")).await, Err::<(), _>(PoolError::Lost));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (started, starts) = oneshot::channel();
        pool.queue(move || {
            let _ = started.send(());
            let _ = held.recv();
        })
        .unwrap();
        starts.await.unwrap();
        pool.queue(|| ()).unwrap();
        pool.queue(|| ()).unwrap();
        assert_eq!(pool.waiting(), 2);
        assert_eq!(pool.queue(|| ()), Err(PoolError::Full));
        drop(hold);
        while pool.waiting() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| 8).await, Ok(8));
    }
}
