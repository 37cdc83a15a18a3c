//! Which active workflows use which provider configurations.

use flowker_core::id::{ProviderConfigId, WorkflowId};
use flowker_core::ports::{CONFIG_USERS_MAX, ConfigUser, StoreError};
use rusqlite::{Connection, params};

use crate::error::Of;
use crate::row;

const IS_USABLE: &str = "SELECT 1 FROM provider_configs WHERE id = ?1 AND status = 'active'";

/// The first configuration that no workflow can be activated with.
pub(super) fn unusable(
    db: &Connection,
    configs: &[ProviderConfigId],
) -> Result<Option<ProviderConfigId>, StoreError> {
    for id in configs {
        let is_usable = db
            .prepare_cached(IS_USABLE)
            .and_then(|mut statement| statement.exists([id.as_uuid().as_bytes()]))
            .of("provider_configs", id)?;
        if !is_usable {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

const ADD: &str = "INSERT INTO config_uses (config_id, workflow_id) VALUES (?1, ?2)";

pub(super) fn add(
    db: &Connection,
    id: WorkflowId,
    configs: &[ProviderConfigId],
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(ADD).of("config_uses", id)?;
    for config in configs {
        let params = params![config.as_uuid().as_bytes(), id.as_uuid().as_bytes()];
        statement.execute(params).of("config_uses", id)?;
    }
    Ok(())
}

const REMOVE: &str = "DELETE FROM config_uses WHERE workflow_id = ?1";

pub(super) fn remove(db: &Connection, id: WorkflowId) -> Result<(), StoreError> {
    db.prepare_cached(REMOVE)
        .and_then(|mut statement| statement.execute([id.as_uuid().as_bytes()]))
        .of("config_uses", id)
        .map(drop)
}

const USERS: &str = "\
    SELECT workflows.id, workflows.name
      FROM config_uses JOIN workflows ON workflows.id = config_uses.workflow_id
     WHERE config_uses.config_id = ?1
     ORDER BY config_uses.workflow_id
     LIMIT ?2";

/// The first active workflows that use a configuration.
pub(crate) fn users(db: &Connection, id: ProviderConfigId) -> Result<Vec<ConfigUser>, StoreError> {
    let mut statement = db.prepare_cached(USERS).of("config_uses", id)?;
    let params = params![id.as_uuid().as_bytes(), row::limit(CONFIG_USERS_MAX)];
    let users = statement.query_map(params, |row| {
        let id = WorkflowId::from_uuid(row::uuid(row, "id")?);
        Ok(ConfigUser { id, name: row.get("name")? })
    });
    users.and_then(Iterator::collect).of("config_uses", id)
}
