//! What a failed step says, to clients and to people.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use flowker_core::execution::{Failure, FailureCode};

/// What clients are told of a bug of ours.
pub(super) const INTERNAL: &str = "FLK-9999: an unexpected failure of the service";

/// Why a step failed, led by the code for failed nodes and the node's id.
pub(super) fn of_node(code: FailureCode, node: &str, what: impl std::fmt::Display) -> Failure {
    let number = match code {
        FailureCode::CircuitOpen => "FLK-0507",
        FailureCode::StepFailed
        | FailureCode::TimedOut
        | FailureCode::Uncertain
        | FailureCode::Quarantined
        | FailureCode::DefinitionError
        | FailureCode::Internal => "FLK-0504",
    };
    Failure::new(code, format!("{number}: node {node:?}: {what}"))
}

/// A step that met a bug of ours, or of a provider.
pub(super) fn internal(node: &str) -> Failure {
    of_node(FailureCode::Internal, node, "an unexpected failure of the service")
}

/// Calls a function that must not panic, and must not take anything with it if it does.
///
/// # Errors
///
/// The text of the panic.
pub(super) fn guarded<T>(function: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(function)).map_err(|panic| panic_text(&*panic).to_owned())
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text")
}
