-- Moments are timestamptz, documents are JSON text, byte for byte as they were written. Texts that a
-- client chose may hold U+0000, which text cannot: it is stored as U+0001 U+0001, and U+0001 as
-- U+0001 U+0002, so that texts keep their order.
--
-- Everything here stays inside what engines that speak Postgres's language accept too: uuid keys, no
-- sequences, no triggers, no foreign keys between what grows.

-- The one clock that ownership, retention and due moments are measured with. Inlined by the planner.
CREATE FUNCTION flowker_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT statement_timestamp()';

CREATE TABLE workflows (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    status text NOT NULL,
    revision bigint NOT NULL,
    version bigint NOT NULL, -- the one that was frozen last, 0 before the first
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    description text,
    metadata text NOT NULL,
    definition text NOT NULL,
    CONSTRAINT workflows_name UNIQUE (name)
);

CREATE INDEX workflows_by_creation ON workflows (created_at, id);
CREATE INDEX workflows_by_update ON workflows (updated_at, id);

-- A version outlives its workflow, for the executions that run it.
CREATE TABLE workflow_versions (
    workflow_id uuid NOT NULL,
    version bigint NOT NULL,
    frozen_at timestamptz NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (workflow_id, version)
);

CREATE TABLE routes (
    method text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL, -- without the leading slash
    node_id text NOT NULL,
    workflow_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (method, path)
);

CREATE INDEX routes_by_workflow ON routes (workflow_id);

-- One row, counted up in each transaction that writes routes.
CREATE TABLE routes_revision (
    one integer NOT NULL PRIMARY KEY CHECK (one = 1),
    revision bigint NOT NULL
);

INSERT INTO routes_revision (one, revision) VALUES (1, 0);

CREATE TABLE provider_configs (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    status text NOT NULL,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    description text,
    metadata text NOT NULL,
    config text NOT NULL, -- holds secrets
    CONSTRAINT provider_configs_name UNIQUE (name)
);

CREATE INDEX provider_configs_by_creation ON provider_configs (created_at, id);
CREATE INDEX provider_configs_by_update ON provider_configs (updated_at, id);

-- Made once and never changed, some of them secret.
CREATE TABLE shared_values (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

-- When each replica was last heard of: the one row that says whether all it owns is still its own.
CREATE TABLE replicas (
    id uuid NOT NULL PRIMARY KEY,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Written once and never changed. Ids are UUIDs of version 7, which rise with time: partitions are
-- weeks, a look-up by id needs one of them, and old ones are dropped whole.
CREATE TABLE executions (
    id uuid NOT NULL PRIMARY KEY,
    workflow_id uuid NOT NULL,
    version bigint NOT NULL,
    total_steps bigint NOT NULL,
    accepted_at timestamptz NOT NULL,
    retry_of uuid,
    start_node text NOT NULL,
    input text NOT NULL
) PARTITION BY RANGE (id);

-- One narrow row for each execution that has not ended; it goes when the outcome comes. What has
-- ended leaves nothing in the indexes that adoption reads.
CREATE TABLE ready (
    execution_id uuid NOT NULL PRIMARY KEY,
    workflow_id uuid NOT NULL, -- as in executions, for lists
    accepted_at timestamptz NOT NULL, -- as in executions, for lists
    owner uuid, -- the replica that drives it
    fence bigint NOT NULL, -- how many owners it had; 0 is pending, more is running
    due timestamptz NOT NULL -- when it may be adopted, if nobody drives it
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX ready_by_acceptance ON ready (accepted_at, execution_id);
CREATE INDEX ready_by_owner ON ready (owner, due, execution_id);

-- How executions ended. With `ready` it covers every execution exactly once.
CREATE TABLE outcomes (
    execution_id uuid NOT NULL PRIMARY KEY,
    workflow_id uuid NOT NULL, -- as in executions, for lists
    status text NOT NULL,
    accepted_at timestamptz NOT NULL, -- as in executions, for lists
    completed_at timestamptz NOT NULL,
    failure_code text,
    message text,
    output text
) PARTITION BY RANGE (execution_id);

CREATE INDEX outcomes_by_acceptance ON outcomes (status, accepted_at, execution_id);
CREATE INDEX outcomes_by_completion ON outcomes (status, completed_at, execution_id);
CREATE INDEX outcomes_by_workflow_acceptance
    ON outcomes (workflow_id, status, accepted_at, execution_id);
CREATE INDEX outcomes_by_workflow_completion
    ON outcomes (workflow_id, status, completed_at, execution_id);

CREATE TABLE journal (
    execution_id uuid NOT NULL,
    seq bigint NOT NULL, -- from 1
    fence bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    node text,
    attempt bigint,
    due timestamptz,
    started_at timestamptz, -- of steps that ended
    duration_us bigint,
    failure_code text,
    message text,
    output text,
    PRIMARY KEY (execution_id, seq)
) PARTITION BY RANGE (execution_id);

CREATE TABLE idempotency_keys (
    workflow_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    execution_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workflow_id, key)
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
