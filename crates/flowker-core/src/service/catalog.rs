//! Trying settings out before a workflow has them.

use serde_json::Value;

use crate::catalog::CatalogExecutor;
use crate::code::Code;
use crate::members::Members;
use crate::refusal::Refusal;

/// Checks the `config` of a body against an executor's schema; an absent one counts as empty.
pub fn check_executor_config(executor: &CatalogExecutor, body: Value) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let config = Members::of(body, "", &mut faults).object("config").unwrap_or_default();
    if !faults.is_empty() {
        return Err(Refusal::of_members(Code::BodyUnreadable, faults));
    }
    let faults = executor.schema.check(&Value::Object(config));
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.into_iter().map(|fault| fault.below("config")).collect();
    Err(Refusal::of_members(Code::ConfigRefusedByExecutor, faults))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::testing::{answer, catalog};

    #[test]
    fn a_config_is_checked_by_the_executors_schema() {
        let catalog = catalog();
        let executor = catalog.executor("demo.call").expect("an executor");
        let check = |body: Value, wanted: &str| {
            assert_eq!(answer(check_executor_config(executor, body.clone())), wanted, "{body}");
        };
        check(json!({"config": {"account": "a"}}), "ok");
        check(json!({"config": {"account": 7}}), "FLK-0201 config.account");
        check(json!({"config": {}}), "FLK-0201 config");
        check(json!({}), "FLK-0201 config");
        check(Value::Null, "FLK-0201 config");
        check(json!({"config": []}), "FLK-0001 config");
        check(json!([]), "FLK-0001 ");
    }
}
