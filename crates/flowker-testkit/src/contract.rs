//! The promises of the store ports, one function each, over the traits.
//!
//! Every function takes an empty store as a [`Subject`] and panics if the promise is not kept. The
//! macros list them: an adapter runs the macro, and so runs them all.

#![expect(
    clippy::missing_panics_doc,
    reason = "they panic if a promise is broken: that is what they are for"
)]

pub mod api_key;
pub mod archive;
pub mod audit;
pub mod dashboard;
pub mod execution;
pub mod idempotency;
pub mod provider_config;
pub mod shared_values;
pub mod workflow;

use flowker_core::ports::{Activation, Direction, Transition, WorkflowWritten};
use flowker_core::workflow::{Lifecycle, Workflow};
use tokio::task::JoinSet;

use crate::sample;
use crate::subject::Subject;

/// How many callers race.
pub const RACERS: usize = 32;

const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// Runs [`RACERS`] callers at once and answers what they got.
async fn race<F>(caller: impl Fn(u64) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for idx in 0..RACERS as u64 {
        racers.spawn(caller(idx));
    }
    racers.join_all().await
}

/// Stores the `n`-th sample as a draft.
async fn draft(subject: &Subject, n: u64) -> Workflow {
    let workflow = sample::workflow(n);
    let answer =
        subject.stores.workflows.create(workflow.clone(), sample::event()).await.expect("create");
    assert_eq!(answer, WorkflowWritten::Done(workflow.clone()));
    workflow
}

#[track_caller]
fn done(answer: WorkflowWritten) -> Workflow {
    match answer {
        WorkflowWritten::Done(workflow) => workflow,
        other => panic!("it is written, not {other:?}"),
    }
}

/// The activation of a workflow with the route of the sample of the same number.
fn activation(workflow: &Workflow, n: u64) -> Activation {
    Activation {
        id: workflow.id,
        revision: workflow.revision,
        routes: vec![sample::route(n)],
        configs: Vec::new(),
        at: sample::moment(1_000),
    }
}

/// Activates the first sample.
async fn activate(subject: &Subject, workflow: &Workflow) -> Workflow {
    let answer = subject.stores.workflows.activate(activation(workflow, 1), sample::event()).await;
    done(answer.expect("activate"))
}

/// Stores the `n`-th sample and activates it with its own route.
async fn active_workflow(subject: &Subject, n: u64) -> Workflow {
    let workflow = draft(subject, n).await;
    let answer = subject.stores.workflows.activate(activation(&workflow, n), sample::event()).await;
    done(answer.expect("activate"))
}

fn transition(workflow: &Workflow, to: Lifecycle) -> Transition {
    Transition { id: workflow.id, revision: workflow.revision, to, at: sample::moment(2_000) }
}

async fn deactivate(subject: &Subject, workflow: &Workflow) -> Workflow {
    let transition = transition(workflow, Lifecycle::Inactive);
    done(
        subject.stores.workflows.transition(transition, sample::event()).await.expect("transition"),
    )
}

/// One test for each promise of a suite. Not for use by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($suite:ident, $make:expr, [$($promise:ident)+]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                $crate::contract::$suite::$promise(($make)().await).await;
            }
        )+
    };
}

/// Proves that an adapter keeps the promises of
/// [`ExecutionStore`](flowker_core::ports::ExecutionStore), with one test each.
///
/// `$make` is an async function, or a closure that answers a future, of an empty
/// [`Subject`](crate::Subject). The calling crate needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! execution_store_contract {
    ($make:expr) => {
        mod execution_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(execution, $make, [
                what_was_accepted_comes_back_exactly
                an_unknown_execution_is_not_found
                an_owner_makes_an_execution_running
                a_known_key_replays_what_it_started
                a_key_with_another_request_is_refused
                keys_that_differ_in_a_byte_are_different_keys
                a_key_of_one_workflow_means_nothing_to_another
                a_known_key_answers_before_the_workflow_is_looked_at
                only_the_active_version_accepts
                without_a_precondition_no_workflow_is_needed
                racers_with_one_key_get_one_execution
                racers_with_one_key_and_two_requests_carry_out_one
                racers_with_different_keys_do_not_meet
                a_key_is_free_after_its_retention_and_the_end
                a_key_is_kept_for_its_retention
                a_key_outlives_its_retention_until_the_end
                the_same_acceptance_again_is_accepted
                what_was_acknowledged_outlives_its_owner
                every_entry_comes_back_exactly
                entries_keep_the_order_of_the_calls
                the_same_append_again_writes_nothing
                the_same_append_by_racers_is_written_once_and_whole
                an_append_elsewhere_than_at_the_end_is_refused_whole
                entries_and_the_end_are_written_together
                every_end_comes_back_exactly
                the_current_step_counts_steps_that_ended
                a_write_with_another_fence_is_refused_whole
                nothing_is_written_after_the_end
                racers_end_an_execution_once
                what_nobody_owned_is_adopted
                the_oldest_are_adopted_first
                racers_adopt_each_execution_once
                a_living_owner_keeps_what_it_owns
                nobody_adopts_from_itself
                what_a_lapsed_owner_drove_is_adopted
                an_old_owner_is_refused_after_an_adoption
                an_adoption_and_a_write_do_not_cross
                what_has_ended_is_not_adopted
                what_was_given_back_goes_to_anyone
                what_was_given_back_waits_for_its_moment
                an_owner_finds_what_it_owns
                what_waits_is_counted_and_has_an_age
                only_the_owner_loads
                an_execution_is_cancelled_whoever_owns_it
                what_has_ended_is_not_cancelled
                an_unknown_execution_is_not_cancelled
                a_cancellation_and_the_end_do_not_cross
                pages_hold_every_execution_once
                lists_show_what_get_shows
                filters_hold_over_all_pages
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`IdempotencyStore`](flowker_core::ports::IdempotencyStore), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! idempotency_store_contract {
    ($make:expr) => {
        mod idempotency_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(idempotency, $make, [
                a_claimed_key_is_found_as_it_stands_now
                a_key_that_was_not_claimed_is_not_found
                an_expired_key_is_not_found
                the_key_of_an_unfinished_execution_is_found
                only_expired_keys_are_forgotten
                the_key_of_an_unfinished_execution_is_not_forgotten
                no_more_keys_are_forgotten_than_asked_for
                a_forgotten_key_can_be_claimed_again
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`WorkflowStore`](flowker_core::ports::WorkflowStore), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! workflow_store_contract {
    ($make:expr) => {
        mod workflow_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(workflow, $make, [
                a_workflow_comes_back_exactly
                an_unknown_workflow_is_not_found
                names_are_unique
                racers_with_one_name_make_one_workflow
                an_update_replaces_what_can_be_edited
                a_stale_update_is_refused
                racing_updates_overtake_each_other_in_turn
                an_update_does_not_take_a_name
                a_deleted_workflow_is_gone_and_its_name_free
                an_active_workflow_is_not_deleted
                a_stale_deletion_is_refused
                an_activation_freezes_the_next_version
                a_frozen_version_never_changes
                an_activation_registers_its_routes
                a_stale_activation_is_refused
                a_route_that_is_held_refuses_the_whole_activation
                a_route_twice_refuses_the_whole_activation
                racers_for_one_route_activate_one
                racing_activations_freeze_one_version
                a_transition_removes_all_routes
                a_stale_transition_is_refused
                after_a_transition_nothing_is_accepted
                the_routes_revision_grows_with_every_change
                pages_hold_every_workflow_once
                filters_hold_over_all_pages
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`ProviderConfigStore`](flowker_core::ports::ProviderConfigStore), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! provider_config_store_contract {
    ($make:expr) => {
        mod provider_config_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(provider_config, $make, [
                a_configuration_comes_back_exactly
                an_unknown_configuration_is_not_found
                names_are_unique
                racers_with_one_name_make_one_configuration
                an_update_replaces_the_configuration
                a_stale_update_is_refused
                racing_updates_overtake_each_other_in_turn
                an_update_does_not_take_a_name
                a_deleted_configuration_is_gone_and_its_name_free
                what_active_workflows_use_stays
                what_nobody_uses_goes
                an_activation_needs_its_configurations
                an_activation_and_a_removal_exclude_each_other
                pages_hold_every_configuration_once
                filters_hold_over_all_pages
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`ApiKeyStore`](flowker_core::ports::ApiKeyStore), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! api_key_store_contract {
    ($make:expr) => {
        mod api_key_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(api_key, $make, [
                a_key_comes_back_exactly
                an_unknown_key_is_not_found
                names_are_unique_for_ever
                racers_with_one_name_make_one_key
                an_update_replaces_what_may_change
                a_stale_update_of_a_key_is_refused
                racing_updates_of_a_key_overtake_each_other_in_turn
                a_revoked_key_is_kept_and_not_listed_as_usable
                the_keys_revision_grows_with_every_change
                pages_hold_every_key_once
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`DashboardStore`](flowker_core::ports::DashboardStore), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! dashboard_store_contract {
    ($make:expr) => {
        mod dashboard_store_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(dashboard, $make, [
                workflows_are_counted_by_status
                every_execution_is_counted_once
                a_series_has_the_figures_of_its_executions
                a_series_of_one_workflow_has_no_others
                a_series_that_asks_for_too_much_is_refused
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of
/// [`SharedValues`](flowker_core::ports::SharedValues), with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! shared_values_contract {
    ($make:expr) => {
        mod shared_values_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(shared_values, $make, [
                a_value_that_was_not_kept_is_not_there
                the_first_value_stays
                racers_for_one_name_agree
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of [`AuditLog`](flowker_core::ports::AuditLog), and what
/// the other ports promise to write into it, with one test each. As
/// [`execution_store_contract!`](crate::execution_store_contract).
#[macro_export]
macro_rules! audit_log_contract {
    ($make:expr) => {
        mod audit_log_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::contract_tests!(audit, $make, [
                an_empty_log_holds_nothing
                a_sealed_event_comes_back_exactly
                the_chain_has_the_order_of_the_commits
                moments_never_fall_along_the_chain
                racers_seal_every_event_once
                pages_hold_every_matching_entry_once
                bounds_are_where_they_are_said_to_be
                changes_of_workflows_are_written
                changes_of_provider_configurations_are_written
                changes_of_unused_provider_configurations_are_written
                changes_of_api_keys_are_written
                executions_are_written_from_their_start_to_their_end
                repetitions_write_nothing
                eight_writers_leave_a_whole_chain
            ]);
        }
    };
}

/// Proves that an adapter keeps the promises of [`Archive`](flowker_core::ports::Archive), with one
/// test each, by moving everything from one store into another.
///
/// `$from` and `$to` are async functions, or closures that answer a future, of an empty
/// [`ArchiveSubject`](crate::ArchiveSubject); one of them is of the adapter, or both are. The calling
/// crate needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! archive_contract {
    ($from:expr, $to:expr) => {
        mod archive_contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::archive_tests!($from, $to, [
                an_empty_store_holds_nothing
                everything_comes_back_exactly
                pages_hold_every_record_once_and_in_order
                a_moved_key_replays_its_execution
                a_moved_key_expires_when_it_would_have
                what_was_driven_is_adopted_with_a_higher_fence_and_completes
                what_nobody_owned_begins_with_the_first_fence
                what_waits_keeps_its_moment
                lists_and_results_show_the_same
                a_moved_workflow_accepts
                followers_notice_moved_routes
                names_stay_taken
                moved_keys_are_noticed_and_their_names_stay_taken
                configurations_in_use_stay
                shared_values_stay
                a_moved_chain_is_whole_and_goes_on
                only_an_empty_store_takes_an_import
                nothing_is_written_without_an_import
                a_batch_that_is_written_again_changes_nothing
                an_interrupted_import_goes_on
                a_batch_that_contradicts_what_is_there_is_refused_whole
                a_finished_import_is_remembered
            ]);
        }
    };
}

/// One test for each promise of the archive suite. Not for use by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! archive_tests {
    ($from:expr, $to:expr, [$($promise:ident)+]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                $crate::contract::archive::$promise(($from)().await, ($to)().await).await;
            }
        )+
    };
}
