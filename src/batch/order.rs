//! Results of many workers, put back into the order in which the work was given out.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded window over numbered results. Numbers are given out by [`Order::reserve`], one
/// result a number comes back by [`Order::put`] in any order, and [`Order::take`] hands them on in
/// the order of their numbers.
///
/// Memory is bounded: at most `ahead` numbers are out, and at most `weight` findings wait for a
/// slow result before them. Only the result that is next is let in beyond that, so that there is
/// always one that can go on.
#[derive(Debug)]
pub(super) struct Order<T> {
    state: Mutex<State<T>>,
    /// Enough results have come, or no more will.
    ready: Condvar,
    /// There is room again.
    room: Condvar,
    ahead: u64,
    weight: usize,
}

#[derive(Debug)]
struct State<T> {
    reserved: u64,
    next: u64,
    waiting: BTreeMap<u64, (usize, Option<T>)>,
    weight: usize,
    closed: bool,
    abandoned: bool,
    /// Whether the taker sleeps and was not woken yet, and how many wait for room: waking nobody
    /// costs a system call.
    taker_sleeps: bool,
    reserving: usize,
    putting: usize,
}

/// Results that are worth waking the taker for; fewer are left to gather for [`GATHER`].
const WORTH_WAKING: usize = 32;

/// How long results gather at most before they are handed on.
const GATHER: Duration = Duration::from_millis(20);

impl<T> Order<T> {
    pub(super) fn new(ahead: u64, weight: usize) -> Order<T> {
        let state = State {
            reserved: 0,
            next: 0,
            waiting: BTreeMap::new(),
            weight: 0,
            closed: false,
            abandoned: false,
            taker_sleeps: false,
            reserving: 0,
            putting: 0,
        };
        Order {
            state: Mutex::new(state),
            ready: Condvar::new(),
            room: Condvar::new(),
            ahead,
            weight,
        }
    }

    /// The next number, as soon as the window has room; none once the results are abandoned.
    pub(super) fn reserve(&self) -> Option<u64> {
        let mut state = self.lock();
        // A whole window of numbers is out: whoever waits is woken when a part of it has come back.
        while state.reserved - state.next >= self.ahead && !state.abandoned {
            state = self.wait_for_room(state, |state| &mut state.reserving);
        }
        let number = state.reserved;
        state.reserved += 1;
        (!state.abandoned).then_some(number)
    }

    /// The result of a number, or that there is none. Waits while too much waits already.
    pub(super) fn put(&self, number: u64, weight: usize, result: Option<T>) {
        let mut state = self.lock();
        while state.next != number && state.weight + weight > self.weight && !state.abandoned {
            state = self.wait_for_room(state, |state| &mut state.putting);
        }
        state.weight += weight;
        state.waiting.insert(number, (weight, result));
        if state.taker_sleeps && (state.closed || state.waiting.len() >= WORTH_WAKING) {
            state.taker_sleeps = false;
            // Who is woken takes the lock at once.
            drop(state);
            self.ready.notify_one();
        }
    }

    /// Says that no more numbers will be reserved.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Says that nobody will take results any more: whoever waits for room goes on.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.room.notify_all();
    }

    /// The results that are next, in order and at least one number; none at the end.
    pub(super) fn take(&self) -> Option<Vec<T>> {
        let mut state = self.lock();
        loop {
            let mut results = Vec::new();
            let from = state.next;
            while let Some((weight, result)) = {
                let next = state.next;
                state.waiting.remove(&next)
            } {
                state.next += 1;
                state.weight -= weight;
                results.extend(result);
            }
            if state.next > from {
                let is_roomy = state.reserved - state.next <= self.ahead - self.ahead / 4;
                let is_awaited = state.putting > 0 || state.reserving > 0 && is_roomy;
                drop(state);
                if is_awaited {
                    self.room.notify_all();
                }
                return Some(results);
            }
            if state.closed && state.next == state.reserved {
                return None;
            }
            state.taker_sleeps = true;
            let woken = self.ready.wait_timeout(state, GATHER);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            state.taker_sleeps = false;
        }
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        waiting: fn(&mut State<T>) -> &mut usize,
    ) -> MutexGuard<'a, State<T>> {
        // What waits may be what stands in the way.
        self.ready.notify_one();
        *waiting(&mut state) += 1;
        let mut state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        *waiting(&mut state) -= 1;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_the_window_holds() {
        let order: Order<u64> = Order::new(8, 4);
        let taken = AtomicU64::new(0);
        let (jobs, queue) = crossbeam_channel::bounded(16);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (queue, order) = (queue.clone(), &order);
                scope.spawn(move || {
                    for number in queue {
                        if number % 5 == 0 {
                            std::thread::sleep(std::time::Duration::from_micros(200));
                        }
                        order.put(number, 3, (number % 7 != 0).then_some(number));
                    }
                });
            }
            let (order, taken) = (&order, &taken);
            scope.spawn(move || {
                for _ in 0..500 {
                    let number = order.reserve().unwrap();
                    // What was taken is counted after the window moved, hence twice its size.
                    assert!(number < taken.load(Ordering::SeqCst) + 16);
                    jobs.send(number).unwrap();
                }
                order.close();
            });
            let mut all = Vec::new();
            while let Some(results) = order.take() {
                all.extend(results);
                taken.store(order.lock().next, Ordering::SeqCst);
            }
            assert_eq!(all, (0..500).filter(|n| n % 7 != 0).collect::<Vec<_>>());
        });
    }

    #[test]
    fn abandoning_frees_those_who_wait() {
        let order: Order<u64> = Order::new(1, 1);
        std::thread::scope(|scope| {
            assert_eq!(order.reserve(), Some(0));
            let waits = scope.spawn(|| order.reserve());
            let puts = scope.spawn(|| order.put(5, 9, Some(5)));
            order.abandon();
            assert_eq!(waits.join().unwrap(), None);
            puts.join().unwrap();
        });
    }
}
