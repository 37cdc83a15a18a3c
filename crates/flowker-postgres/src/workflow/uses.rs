//! Which active workflows use which provider configurations.

use flowker_core::id::{ProviderConfigId, WorkflowId};
use flowker_core::ports::{CONFIG_USERS_MAX, ConfigUser, StoreError};
use tokio_postgres::Error;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::db::{Session, Undo};
use crate::row::{self, Columns};
use crate::statement::Statement;

/// Locks the configurations that can be used, in an order that everybody keeps: until the transaction
/// ends nobody disables or removes them, and who wants to waits and then finds the use.
static LOCK_USABLE: Statement = Statement {
    text: "\
        SELECT id FROM provider_configs
         WHERE id = ANY ($1) AND status = 'active'
         ORDER BY id
           FOR SHARE",
    types: &[Type::UUID_ARRAY],
};

/// Does nothing for a use that is known.
pub(super) static ADD: Statement = Statement {
    text: "\
        INSERT INTO config_uses (config_id, workflow_id)
        SELECT config_id, $2 FROM unnest($1) AS named (config_id)
        ON CONFLICT (config_id, workflow_id) DO NOTHING",
    types: &[Type::UUID_ARRAY, Type::UUID],
};

/// Writes what a workflow uses. Answers the first configuration that it cannot use.
pub(super) async fn add<T>(
    session: &Session,
    id: WorkflowId,
    configs: &[ProviderConfigId],
) -> Result<Option<ProviderConfigId>, Undo<T>> {
    if configs.is_empty() {
        return Ok(None);
    }
    let wanted: Vec<Uuid> = configs.iter().map(|id| *id.as_uuid()).collect();
    let rows = session.query(&LOCK_USABLE, &[&wanted]).await?;
    let locked = rows.iter().map(|row| Columns { table: "provider_configs", row }.get("id"));
    let locked: Vec<Uuid> = locked.collect::<Result<_, StoreError>>()?;
    if let Some(unusable) = configs.iter().find(|id| !locked.contains(id.as_uuid())) {
        return Ok(Some(*unusable));
    }
    session.query(&ADD, &[&wanted, id.as_uuid()]).await?;
    Ok(None)
}

static REMOVE: Statement =
    Statement { text: "DELETE FROM config_uses WHERE workflow_id = $1", types: &[Type::UUID] };

pub(super) async fn remove(session: &Session, id: WorkflowId) -> Result<(), Error> {
    session.query(&REMOVE, &[id.as_uuid()]).await.map(drop)
}

static USERS: Statement = Statement {
    text: "\
        SELECT workflows.id, workflows.name
          FROM config_uses JOIN workflows ON workflows.id = config_uses.workflow_id
         WHERE config_uses.config_id = $1
         ORDER BY config_uses.workflow_id
         LIMIT $2",
    types: &[Type::UUID, Type::INT8],
};

/// The first active workflows that use a configuration. Whoever asks has locked the configuration.
pub(crate) async fn users<T>(
    session: &Session,
    id: ProviderConfigId,
) -> Result<Vec<ConfigUser>, Undo<T>> {
    let rows = session.query(&USERS, &[id.as_uuid(), &row::limit(CONFIG_USERS_MAX)]).await?;
    let users = rows.iter().map(|row| {
        let row = Columns { table: "workflows", row };
        Ok(ConfigUser { id: WorkflowId::from_uuid(row.get("id")?), name: row.text("name")? })
    });
    Ok(users.collect::<Result<_, StoreError>>()?)
}
