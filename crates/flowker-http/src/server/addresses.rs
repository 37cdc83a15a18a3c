//! How many connections each address has open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Counts connections by address, if there is a limit.
#[derive(Debug)]
pub(super) struct Addresses {
    limit: Option<NonZeroUsize>,
    counts: Counts,
}

impl Addresses {
    pub(super) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self { limit, counts: Counts::default() }
    }

    /// Takes a place for a connection; `None` if its address has as many as it may.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Place> {
        let Some(limit) = self.limit else { return Some(Place(None)) };
        let ip = ip.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if limit.get() <= *count {
            return None;
        }
        *count += 1;
        Some(Place(Some((ip, Arc::clone(&self.counts)))))
    }
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(IpAddr, Counts)>);

impl Drop for Place {
    fn drop(&mut self) {
        let Some((ip, counts)) = self.0.take() else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gets_it_back() {
        let addresses = Addresses::new(NonZeroUsize::new(2));
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = addresses.enter(one).expect("a place");
        let _second = addresses.enter(one).expect("a place");
        assert!(addresses.enter(one).is_none());
        let _mapped = addresses.enter("::ffff:192.0.2.2".parse().expect("an address"));
        let _third = addresses.enter(other).expect("a place");
        assert!(addresses.enter(other).is_none());
        drop(first);
        drop(addresses.enter(one).expect("a place was given back"));
        assert_eq!(addresses.counts.lock().unwrap().get(&one), Some(&1));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let addresses = Addresses::new(None);
        let _place = addresses.enter(IpAddr::from([192, 0, 2, 1])).expect("a place");
        assert!(addresses.counts.lock().unwrap().is_empty());
    }
}
