-- What all migrations of the SQLite store lead to. Generated: run its tests with
-- `UPDATE_DOCS=1` to write it anew.

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL, -- words with blanks between them
    digest BLOB NOT NULL, -- SHA-256
    previous_digest BLOB, -- of the text before the last rotation
    previous_until INTEGER,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    rotated_at INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);

CREATE INDEX api_keys_by_update ON api_keys (updated_at, id);

CREATE INDEX api_keys_unrevoked ON api_keys (id) WHERE revoked_at IS NULL;

CREATE TABLE api_keys_revision (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TABLE audit_entries (
    sequence INTEGER NOT NULL PRIMARY KEY, -- from 1, without a gap
    id BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL, -- never falls
    event_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_ip TEXT NOT NULL,
    previous_hash BLOB, -- of the first entry there is none
    hash BLOB NOT NULL,
    context BLOB NOT NULL,
    metadata BLOB NOT NULL
) STRICT;

CREATE INDEX audit_entries_by_moment ON audit_entries (at, sequence);

CREATE INDEX audit_entries_by_resource ON audit_entries (resource_id, event_type, sequence);

CREATE INDEX audit_entries_by_type ON audit_entries (event_type, sequence);

CREATE TABLE audit_head (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

CREATE TABLE audit_pending (
    number INTEGER NOT NULL PRIMARY KEY, -- in the order of the commits
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    workflow_id BLOB, -- of executions: it joins the metadata when the event is sealed
    event BLOB NOT NULL
) STRICT;

CREATE TABLE config_uses (
    config_id BLOB NOT NULL,
    workflow_id BLOB NOT NULL REFERENCES workflows (id),
    PRIMARY KEY (config_id, workflow_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX config_uses_by_workflow ON config_uses (workflow_id);

CREATE TABLE executions (
    id BLOB NOT NULL PRIMARY KEY,
    workflow_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    total_steps INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    retry_of BLOB,
    start_node TEXT NOT NULL,
    input BLOB NOT NULL
, trace TEXT) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    workflow_id BLOB NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    execution_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_execution ON idempotency_keys (execution_id, expires_at);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE journal (
    execution_id BLOB NOT NULL,
    seq INTEGER NOT NULL, -- from 1
    steps INTEGER NOT NULL, -- how many steps have ended, with this entry
    fence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    node TEXT,
    attempt INTEGER,
    due INTEGER,
    started_at INTEGER,
    duration_us INTEGER,
    failure_code TEXT,
    message TEXT,
    output BLOB,
    PRIMARY KEY (execution_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcomes (
    execution_id BLOB NOT NULL PRIMARY KEY,
    workflow_id BLOB NOT NULL, -- as in executions, for lists
    status TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, -- as in executions, for lists
    completed_at INTEGER NOT NULL,
    failure_code TEXT,
    message TEXT,
    output BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX outcomes_by_acceptance ON outcomes (status, accepted_at, execution_id);

CREATE INDEX outcomes_by_completion ON outcomes (status, completed_at, execution_id);

CREATE INDEX outcomes_by_workflow_acceptance
    ON outcomes (workflow_id, status, accepted_at, execution_id);

CREATE INDEX outcomes_by_workflow_completion
    ON outcomes (workflow_id, status, completed_at, execution_id);

CREATE TABLE provider_configs (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    provider_id TEXT NOT NULL,
    status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    description TEXT,
    metadata BLOB NOT NULL,
    config BLOB NOT NULL -- holds secrets
) STRICT;

CREATE INDEX provider_configs_by_creation ON provider_configs (created_at, id);

CREATE INDEX provider_configs_by_update ON provider_configs (updated_at, id);

CREATE TABLE ready (
    execution_id BLOB NOT NULL PRIMARY KEY,
    workflow_id BLOB NOT NULL, -- as in executions, for lists
    accepted_at INTEGER NOT NULL, -- as in executions, for lists
    owner BLOB, -- the replica that drives it
    fence INTEGER NOT NULL, -- how many owners it had; 0 is pending, more is running
    due INTEGER NOT NULL -- when it may be adopted, if nobody drives it
) STRICT, WITHOUT ROWID;

CREATE INDEX ready_by_acceptance ON ready (accepted_at, execution_id);

CREATE INDEX ready_by_workflow ON ready (workflow_id, accepted_at, execution_id);

CREATE INDEX ready_unowned ON ready (due, execution_id) WHERE owner IS NULL;

CREATE TABLE routes (
    method TEXT NOT NULL,
    path TEXT NOT NULL, -- without the leading slash
    node_id TEXT NOT NULL,
    workflow_id BLOB NOT NULL REFERENCES workflows (id),
    version INTEGER NOT NULL,
    PRIMARY KEY (method, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX routes_by_workflow ON routes (workflow_id);

CREATE TABLE routes_revision (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;

CREATE TABLE shared_values (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE workflow_versions (
    workflow_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    frozen_at INTEGER NOT NULL,
    definition BLOB NOT NULL,
    PRIMARY KEY (workflow_id, version)
) STRICT;

CREATE TABLE workflows (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version INTEGER NOT NULL, -- the one that was frozen last, 0 before the first
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    description TEXT,
    metadata BLOB NOT NULL,
    definition BLOB NOT NULL
) STRICT;

CREATE INDEX workflows_by_creation ON workflows (created_at, id);

CREATE INDEX workflows_by_update ON workflows (updated_at, id);

CREATE VIEW v_api_keys AS
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    name,
    scopes,
    revision,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000000.0, 'unixepoch') AS updated_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', rotated_at / 1000000.0, 'unixepoch') AS rotated_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1000000.0, 'unixepoch') AS expires_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', revoked_at / 1000000.0, 'unixepoch') AS revoked_at
FROM api_keys;

CREATE VIEW v_audit_entries AS
SELECT
    sequence,
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS at,
    event_type,
    resource_id,
    actor_type,
    actor_id,
    actor_ip,
    lower(hex(hash)) AS hash,
    CAST(context AS TEXT) AS context,
    CAST(metadata AS TEXT) AS metadata
FROM audit_entries;

CREATE VIEW v_executions AS
SELECT
    lower(substr(hex(e.id), 1, 8) || '-' || substr(hex(e.id), 9, 4) || '-' || substr(hex(e.id), 13, 4)
        || '-' || substr(hex(e.id), 17, 4) || '-' || substr(hex(e.id), 21)) AS id,
    lower(substr(hex(e.workflow_id), 1, 8) || '-' || substr(hex(e.workflow_id), 9, 4) || '-' || substr(hex(e.workflow_id), 13, 4)
        || '-' || substr(hex(e.workflow_id), 17, 4) || '-' || substr(hex(e.workflow_id), 21)) AS workflow_id,
    e.version,
    coalesce(o.status, CASE WHEN r.fence = 0 THEN 'pending' WHEN 0 < r.fence THEN 'running' END)
        AS status,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.accepted_at / 1000000.0, 'unixepoch') AS accepted_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', o.completed_at / 1000000.0, 'unixepoch') AS completed_at,
    CASE WHEN r.owner IS NULL THEN NULL ELSE lower(substr(hex(r.owner), 1, 8) || '-' || substr(hex(r.owner), 9, 4) || '-' || substr(hex(r.owner), 13, 4)
        || '-' || substr(hex(r.owner), 17, 4) || '-' || substr(hex(r.owner), 21)) END AS owner,
    r.fence AS fence,
    o.failure_code,
    o.message,
    CASE WHEN e.retry_of IS NULL THEN NULL ELSE lower(substr(hex(e.retry_of), 1, 8) || '-' || substr(hex(e.retry_of), 9, 4) || '-' || substr(hex(e.retry_of), 13, 4)
        || '-' || substr(hex(e.retry_of), 17, 4) || '-' || substr(hex(e.retry_of), 21)) END AS retry_of,
    e.start_node,
    CAST(e.input AS TEXT) AS input,
    CAST(o.output AS TEXT) AS output
FROM executions AS e
LEFT JOIN ready AS r ON r.execution_id = e.id
LEFT JOIN outcomes AS o ON o.execution_id = e.id;

CREATE VIEW v_idempotency_keys AS
SELECT
    lower(substr(hex(workflow_id), 1, 8) || '-' || substr(hex(workflow_id), 9, 4) || '-' || substr(hex(workflow_id), 13, 4)
        || '-' || substr(hex(workflow_id), 17, 4) || '-' || substr(hex(workflow_id), 21)) AS workflow_id,
    key,
    lower(hex(fingerprint)) AS fingerprint,
    lower(substr(hex(execution_id), 1, 8) || '-' || substr(hex(execution_id), 9, 4) || '-' || substr(hex(execution_id), 13, 4)
        || '-' || substr(hex(execution_id), 17, 4) || '-' || substr(hex(execution_id), 21)) AS execution_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1000000.0, 'unixepoch') AS expires_at
FROM idempotency_keys;

CREATE VIEW v_journal AS
SELECT
    lower(substr(hex(execution_id), 1, 8) || '-' || substr(hex(execution_id), 9, 4) || '-' || substr(hex(execution_id), 13, 4)
        || '-' || substr(hex(execution_id), 17, 4) || '-' || substr(hex(execution_id), 21)) AS execution_id,
    seq,
    steps,
    fence,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS at,
    kind,
    node,
    attempt,
    strftime('%Y-%m-%dT%H:%M:%fZ', due / 1000000.0, 'unixepoch') AS due,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch') AS started_at,
    duration_us,
    failure_code,
    message,
    CAST(output AS TEXT) AS output
FROM journal;

CREATE VIEW v_provider_configs AS
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    name,
    provider_id,
    status,
    revision,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000000.0, 'unixepoch') AS updated_at,
    description,
    CAST(metadata AS TEXT) AS metadata
FROM provider_configs;

CREATE VIEW v_routes AS
SELECT
    method,
    path,
    node_id,
    lower(substr(hex(workflow_id), 1, 8) || '-' || substr(hex(workflow_id), 9, 4) || '-' || substr(hex(workflow_id), 13, 4)
        || '-' || substr(hex(workflow_id), 17, 4) || '-' || substr(hex(workflow_id), 21)) AS workflow_id,
    version
FROM routes;

CREATE VIEW v_workflow_versions AS
SELECT
    lower(substr(hex(workflow_id), 1, 8) || '-' || substr(hex(workflow_id), 9, 4) || '-' || substr(hex(workflow_id), 13, 4)
        || '-' || substr(hex(workflow_id), 17, 4) || '-' || substr(hex(workflow_id), 21)) AS workflow_id,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', frozen_at / 1000000.0, 'unixepoch') AS frozen_at,
    CAST(definition AS TEXT) AS definition
FROM workflow_versions;

CREATE VIEW v_workflows AS
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    name,
    status,
    revision,
    version,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000000.0, 'unixepoch') AS updated_at,
    description,
    CAST(metadata AS TEXT) AS metadata,
    CAST(definition AS TEXT) AS definition
FROM workflows;
