//! What this replica holds: an execution that it owns is driven or parked, and never both.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowker_core::execution::Fence;
use flowker_core::id::ExecutionId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::parking::{Parked, ParkingLot};

/// The executions that this replica drives or has parked.
///
/// One that begins to wait, or wakes, moves in one step: whoever looks for it finds it, so it is
/// not taken for forgotten and not driven by two tasks. Of two fences the newer one counts, and what
/// is held under the older one is dropped: it is lost.
#[derive(Debug)]
pub(crate) struct Held {
    /// Locked as long as something moves.
    driven: Mutex<Driven>,
    parked: ParkingLot,
}

/// What is driven, with what stops it.
type Driven = HashMap<ExecutionId, (Fence, CancellationToken)>;

impl Held {
    pub fn new(parked_max: usize) -> Self {
        Self { driven: Mutex::default(), parked: ParkingLot::new(parked_max) }
    }

    pub fn n_driven(&self) -> usize {
        self.lock().len()
    }

    pub fn n_parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether an execution is here, under whatever fence.
    pub fn has(&self, id: ExecutionId) -> bool {
        let driven = self.lock();
        driven.contains_key(&id) || self.parked.fence(id).is_some()
    }

    /// Whether an execution is here under this fence, or a newer one.
    pub fn has_under(&self, id: ExecutionId, fence: Fence) -> bool {
        self.is_in(&self.lock(), id, fence)
    }

    /// Takes in what is to be driven, and answers what stops it. `None`: it is here already.
    pub fn drive(&self, id: ExecutionId, fence: Fence) -> Option<CancellationToken> {
        let mut driven = self.lock();
        if self.is_in(&driven, id, fence) {
            return None;
        }
        self.drop_older(&mut driven, id);
        Some(begin(&mut driven, id, fence))
    }

    /// Begins to drive one that is parked and whose moment has come, with what stops it.
    pub fn drive_due(&self, now: Instant) -> Option<(Parked, CancellationToken)> {
        let mut driven = self.lock();
        let parked = self.parked.take_due(now)?;
        let abandoned = begin(&mut driven, parked.id, parked.fence);
        Some((parked, abandoned))
    }

    /// Parks what is not here already.
    ///
    /// # Errors
    ///
    /// The same one, if all places are taken.
    pub fn park(&self, parked: Parked) -> Result<(), Parked> {
        let mut driven = self.lock();
        if self.is_in(&driven, parked.id, parked.fence) {
            return Ok(());
        }
        self.drop_older(&mut driven, parked.id);
        self.parked.park(parked)
    }

    /// Takes off what was driven, and parks it if it waits.
    ///
    /// # Errors
    ///
    /// What waits, if all places are taken.
    pub fn leave(
        &self,
        id: ExecutionId,
        fence: Fence,
        waits: Option<Parked>,
    ) -> Result<(), Parked> {
        let mut driven = self.lock();
        if driven.get(&id).is_none_or(|(current, _)| *current != fence) {
            return Ok(());
        }
        driven.remove(&id);
        waits.map_or(Ok(()), |parked| self.parked.park(parked))
    }

    /// Drops what was ended by someone else.
    pub fn abandon(&self, id: ExecutionId) {
        let driven = self.lock();
        self.parked.remove(id);
        if let Some((_, abandoned)) = driven.get(&id) {
            abandoned.cancel();
        }
    }

    /// Hands out all that is parked.
    pub fn take_parked(&self) -> Vec<Parked> {
        let _driven = self.lock();
        self.parked.take_all()
    }

    /// Waits until the moment of one that is parked has come.
    pub async fn wait_for_due(&self) {
        self.parked.wait_for_due().await;
    }

    fn is_in(&self, driven: &Driven, id: ExecutionId, fence: Fence) -> bool {
        let is_driven = driven.get(&id).is_some_and(|(current, _)| fence <= *current);
        is_driven || self.parked.fence(id).is_some_and(|current| fence <= current)
    }

    /// Adopted anew while its last owner here has not noticed yet that it lost it.
    fn drop_older(&self, driven: &mut Driven, id: ExecutionId) {
        self.parked.remove(id);
        if let Some((_, older)) = driven.remove(&id) {
            older.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Driven> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin(driven: &mut Driven, id: ExecutionId, fence: Fence) -> CancellationToken {
    let abandoned = CancellationToken::new();
    driven.insert(id, (fence, abandoned.clone()));
    abandoned
}
