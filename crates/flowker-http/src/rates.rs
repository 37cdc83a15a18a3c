//! Rate limits of webhook routes, counted in this process.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowker_core::ports::RateLimit;
use flowker_core::workflow::{NewRoute, Rate, WebhookPath};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

/// How many routes are counted at once. Beyond it the route that was called longest ago starts
/// afresh with its next call.
const ROUTES_MAX: usize = 16_384;

/// Counts calls of routes with the generic cell rate algorithm.
#[derive(Debug, Default)]
pub struct GovernorRates {
    routes: Mutex<HashMap<(String, WebhookPath), Counted>>,
}

#[derive(Debug)]
struct Counted {
    rate: Rate,
    limiter: Arc<DefaultDirectRateLimiter>,
    last_call: Instant,
}

impl Counted {
    fn new(rate: Rate, now: Instant) -> Self {
        let limiter = Arc::new(RateLimiter::direct(quota(rate)));
        Self { rate, limiter, last_call: now }
    }

    /// Whether its burst is whole again, so that forgetting it changes nothing.
    fn is_rested(&self, now: Instant) -> bool {
        let rest = f64::from(self.rate.burst) / f64::from(self.rate.per_second.max(1));
        Duration::from_secs_f64(rest) <= now.duration_since(self.last_call)
    }
}

fn quota(rate: Rate) -> Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(rate.per_second)).allow_burst(at_least_one(rate.burst))
}

impl GovernorRates {
    /// Counts nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn limiter(&self, route: &NewRoute, rate: Rate) -> Arc<DefaultDirectRateLimiter> {
        let now = Instant::now();
        let key = (route.method.clone(), route.path.clone());
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if ROUTES_MAX <= routes.len() && !routes.contains_key(&key) {
            make_room(&mut routes, now);
        }
        let counted = routes.entry(key).or_insert_with(|| Counted::new(rate, now));
        if counted.rate != rate {
            *counted = Counted::new(rate, now);
        }
        counted.last_call = now;
        Arc::clone(&counted.limiter)
    }
}

fn make_room(routes: &mut HashMap<(String, WebhookPath), Counted>, now: Instant) {
    routes.retain(|_, counted| !counted.is_rested(now));
    if ROUTES_MAX <= routes.len() {
        let oldest = routes.iter().min_by_key(|(_, counted)| counted.last_call);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            routes.remove(&key);
        }
    }
}

impl RateLimit for GovernorRates {
    fn take(&self, route: &NewRoute, rate: Rate) -> Result<(), Duration> {
        let limiter = self.limiter(route, rate);
        limiter.check().map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> NewRoute {
        NewRoute {
            method: "POST".to_owned(),
            path: WebhookPath::registered(path),
            node_id: "t".to_owned(),
        }
    }

    #[test]
    fn each_route_has_its_own_burst_and_a_new_rate_starts_afresh() {
        let rates = GovernorRates::new();
        let slow = Rate { per_second: 1, burst: 2 };
        assert_eq!(rates.take(&route("a"), slow), Ok(()));
        assert_eq!(rates.take(&route("a"), slow), Ok(()));
        let wait = rates.take(&route("a"), slow).expect_err("the burst is used up");
        assert!(Duration::ZERO < wait && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(rates.take(&route("b"), slow), Ok(()));
        assert_eq!(rates.take(&route("a"), Rate { per_second: 1, burst: 3 }), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_table_forgets_rested_routes_first_and_then_the_oldest() {
        let counted = |burst| Counted::new(Rate { per_second: 1, burst }, Instant::now());
        let key = |n: usize| ("POST".to_owned(), WebhookPath::registered(&n.to_string()));
        let mut routes = HashMap::from([(key(0), counted(1)), (key(1), counted(100))]);
        tokio::time::advance(Duration::from_secs(1)).await;
        make_room(&mut routes, Instant::now());
        assert!(!routes.contains_key(&key(0)) && routes.contains_key(&key(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        routes.extend((2..=ROUTES_MAX).map(|n| (key(n), counted(100))));
        make_room(&mut routes, Instant::now());
        assert!(!routes.contains_key(&key(1)) && routes.len() == ROUTES_MAX - 1);
    }
}
