//! Callers that send orders to one or several servers, whatever happens to these.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::http::Answer;
use crate::orders::{Ledger, Order};
use crate::server::Client;
use crate::wait::{now, until};

/// How many callers send at once.
const CALLERS: usize = 8;

/// How long a caller waits after it was refused twice.
const PAUSE: Duration = Duration::from_millis(20);

/// Callers at work.
#[derive(Debug)]
pub struct Load<'a> {
    ledger: &'a Ledger,
    /// Whom callers choose from.
    servers: Mutex<Vec<Client>>,
    figures: Mutex<Figures>,
    is_over: AtomicBool,
}

/// What callers saw.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How many requests were answered with 2xx.
    pub n_taken: usize,
    /// How many were answered with 503, and said when to try again.
    pub n_refused: usize,
    /// How many were not answered.
    pub n_broken: usize,
    /// How many of those two failed on another server too, at once.
    pub n_failed_twice: usize,
    /// The longest time for which no caller got a 2xx.
    pub longest_silence: Duration,
    /// The longest time that a caller waited for an answer.
    pub slowest: Duration,
    last_taken: Instant,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests taken, {} answered with 503, {} broken, {} failed on a second server too; \
             no request was taken for {:.1} s at most, and none waited longer than {:.1} s",
            self.n_taken,
            self.n_refused,
            self.n_broken,
            self.n_failed_twice,
            self.longest_silence.as_secs_f64(),
            self.slowest.as_secs_f64()
        )
    }
}

impl<'a> Load<'a> {
    /// Lets callers send while `work` happens, and waits until each has its last answer.
    ///
    /// The seed of `rng` decides what they send.
    #[track_caller]
    pub fn during<T>(
        servers: Vec<Client>,
        ledger: &'a Ledger,
        rng: &mut Rng,
        work: impl FnOnce(&Self) -> T,
    ) -> (T, Figures) {
        let figures = Figures {
            n_taken: 0,
            n_refused: 0,
            n_broken: 0,
            n_failed_twice: 0,
            longest_silence: Duration::ZERO,
            slowest: Duration::ZERO,
            last_taken: now(),
        };
        let load = Self {
            ledger,
            servers: Mutex::new(servers),
            figures: Mutex::new(figures),
            is_over: AtomicBool::new(false),
        };
        let done = thread::scope(|scope| {
            // Also when `work` panics: the scope waits for the callers.
            let _over = Over(&load.is_over);
            for _ in 0..CALLERS {
                let mut rng = rng.fork();
                let load = &load;
                scope.spawn(move || load.call(&mut rng));
            }
            work(&load)
        });
        (done, load.figures.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes whom callers choose from.
    pub fn use_servers(&self, servers: Vec<Client>) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    /// Waits until so many more requests were answered with 2xx.
    #[track_caller]
    pub fn wait_for_taken(&self, n_more: usize) {
        let n_taken = self.figures().n_taken + n_more;
        until(&format!("{n_taken} requests are taken"), || {
            (n_taken <= self.figures().n_taken).then_some(())
        });
    }

    /// What callers saw so far.
    pub fn so_far(&self) -> Figures {
        self.figures().clone()
    }

    /// Sends new orders, and now and then an old one again.
    fn call(&self, rng: &mut Rng) {
        let mut own: Vec<Order> = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let order = if !own.is_empty() && rng.u8(0..8) == 0 {
                rng.choice(&own).cloned().expect("there is one to choose from")
            } else {
                let order = Order::random(rng);
                self.ledger.note(&order);
                own.push(order.clone());
                order
            };
            self.send(&order, rng);
        }
    }

    /// Sends an order, and once more to another server if the first one does not take it.
    ///
    /// What fails twice is left alone: nobody knows what became of it, and its key will tell.
    fn send(&self, order: &Order, rng: &mut Rng) {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = rng.usize(0..servers.len());
        let second = (first + 1) % servers.len();
        if self.is_taken(&servers[first], order) || self.is_taken(&servers[second], order) {
            return;
        }
        self.figures().n_failed_twice += 1;
        thread::sleep(PAUSE);
    }

    fn is_taken(&self, server: &Client, order: &Order) -> bool {
        let sent = now();
        let answer = server.send(order.delivery());
        let answered = now();
        let mut figures = self.figures();
        figures.slowest = figures.slowest.max(answered - sent);
        match answer {
            Ok(answer) if answer.status == 503 => {
                figures.n_refused += 1;
                drop(figures);
                check_refusal(&answer);
                false
            }
            Ok(answer) => {
                figures.n_taken += 1;
                let silence = answered.saturating_duration_since(figures.last_taken);
                figures.longest_silence = figures.longest_silence.max(silence);
                figures.last_taken = answered.max(figures.last_taken);
                drop(figures);
                self.ledger.acknowledge(order, &answer);
                true
            }
            Err(_) => {
                figures.n_broken += 1;
                false
            }
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets what it holds when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A server that takes nothing now says so by a code, and says when to come back.
#[track_caller]
pub fn check_refusal(answer: &Answer) {
    let code = answer.text("code");
    assert!(matches!(&*code, "FLK-0900" | "FLK-0901"), "unexpected code: {answer:?}");
    let retry_after = answer.header("Retry-After").and_then(|it| it.parse::<u32>().ok());
    assert!(retry_after.is_some(), "it does not say when to try again: {answer:?}");
}
