-- What all migrations of the Postgres store lead to. Generated: type
-- `cargo xtask db schema` to write it anew.

CREATE FUNCTION public.flowker_now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$SELECT statement_timestamp()$$;

CREATE FUNCTION public.flowker_refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;

CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    scopes text NOT NULL,
    digest bytea NOT NULL,
    previous_digest bytea,
    previous_until timestamp with time zone,
    revision bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    rotated_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);

CREATE TABLE public.api_keys_revision (
    one integer NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT api_keys_revision_one_check CHECK ((one = 1))
);

CREATE TABLE public.audit_entries (
    sequence bigint NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event_type text NOT NULL,
    resource_id text NOT NULL COLLATE pg_catalog."C",
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    actor_ip text NOT NULL,
    previous_hash bytea,
    hash bytea NOT NULL,
    context text NOT NULL,
    metadata text NOT NULL
);

CREATE TABLE public.audit_head (
    one integer NOT NULL,
    sequence bigint NOT NULL,
    at timestamp with time zone,
    hash bytea,
    CONSTRAINT audit_head_one_check CHECK ((one = 1))
);

CREATE TABLE public.audit_pending (
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    workflow_id uuid,
    event text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.config_uses (
    config_id uuid NOT NULL,
    workflow_id uuid NOT NULL
);

CREATE TABLE public.executions (
    id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    version bigint NOT NULL,
    total_steps bigint NOT NULL,
    accepted_at timestamp with time zone NOT NULL,
    retry_of uuid,
    start_node text NOT NULL,
    input text NOT NULL,
    trace text
)
PARTITION BY RANGE (id);

CREATE TABLE public.idempotency_keys (
    workflow_id uuid NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    execution_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.journal (
    execution_id uuid NOT NULL,
    seq bigint NOT NULL,
    fence bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    node text,
    attempt bigint,
    due timestamp with time zone,
    started_at timestamp with time zone,
    duration_us bigint,
    failure_code text,
    message text,
    output text
)
PARTITION BY RANGE (execution_id);

CREATE TABLE public.outcomes (
    execution_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    status text NOT NULL,
    accepted_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone NOT NULL,
    failure_code text,
    message text,
    output text
)
PARTITION BY RANGE (execution_id);

CREATE TABLE public.provider_configs (
    id uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    provider_id text NOT NULL,
    status text NOT NULL,
    revision bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    description text,
    metadata text NOT NULL,
    config text NOT NULL
);

CREATE TABLE public.ready (
    execution_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    accepted_at timestamp with time zone NOT NULL,
    owner uuid,
    fence bigint NOT NULL,
    due timestamp with time zone NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.replicas (
    id uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.routes (
    method text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    node_id text NOT NULL,
    workflow_id uuid NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.routes_revision (
    one integer NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT routes_revision_one_check CHECK ((one = 1))
);

CREATE TABLE public.shared_values (
    name text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL
);

CREATE TABLE public.workflow_versions (
    workflow_id uuid NOT NULL,
    version bigint NOT NULL,
    frozen_at timestamp with time zone NOT NULL,
    definition text NOT NULL
);

CREATE TABLE public.workflows (
    id uuid NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL,
    revision bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    description text,
    metadata text NOT NULL,
    definition text NOT NULL
);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_name UNIQUE (name);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys_revision
    ADD CONSTRAINT api_keys_revision_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_id UNIQUE (id);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (sequence);

ALTER TABLE ONLY public.audit_head
    ADD CONSTRAINT audit_head_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.audit_pending
    ADD CONSTRAINT audit_pending_pkey PRIMARY KEY (noted_at, id);

ALTER TABLE ONLY public.config_uses
    ADD CONSTRAINT config_uses_pkey PRIMARY KEY (config_id, workflow_id);

ALTER TABLE ONLY public.executions
    ADD CONSTRAINT executions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (workflow_id, key);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (execution_id, seq);

ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (execution_id);

ALTER TABLE ONLY public.provider_configs
    ADD CONSTRAINT provider_configs_name UNIQUE (name);

ALTER TABLE ONLY public.provider_configs
    ADD CONSTRAINT provider_configs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ready
    ADD CONSTRAINT ready_pkey PRIMARY KEY (execution_id);

ALTER TABLE ONLY public.replicas
    ADD CONSTRAINT replicas_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_pkey PRIMARY KEY (method, path);

ALTER TABLE ONLY public.routes_revision
    ADD CONSTRAINT routes_revision_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.shared_values
    ADD CONSTRAINT shared_values_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.workflow_versions
    ADD CONSTRAINT workflow_versions_pkey PRIMARY KEY (workflow_id, version);

ALTER TABLE ONLY public.workflows
    ADD CONSTRAINT workflows_name UNIQUE (name);

ALTER TABLE ONLY public.workflows
    ADD CONSTRAINT workflows_pkey PRIMARY KEY (id);

CREATE INDEX api_keys_by_creation ON public.api_keys USING btree (created_at, id);

CREATE INDEX api_keys_by_update ON public.api_keys USING btree (updated_at, id);

CREATE INDEX api_keys_unrevoked ON public.api_keys USING btree (id) WHERE (revoked_at IS NULL);

CREATE INDEX audit_entries_by_moment ON public.audit_entries USING btree (at, sequence);

CREATE INDEX audit_entries_by_resource ON public.audit_entries USING btree (resource_id, event_type, sequence);

CREATE INDEX audit_entries_by_type ON public.audit_entries USING btree (event_type, sequence);

CREATE INDEX config_uses_by_workflow ON public.config_uses USING btree (workflow_id);

CREATE INDEX idempotency_keys_by_expiry ON public.idempotency_keys USING btree (expires_at);

CREATE INDEX outcomes_by_acceptance ON ONLY public.outcomes USING btree (status, accepted_at, execution_id);

CREATE INDEX outcomes_by_completion ON ONLY public.outcomes USING btree (status, completed_at, execution_id);

CREATE INDEX outcomes_by_workflow_acceptance ON ONLY public.outcomes USING btree (workflow_id, status, accepted_at, execution_id);

CREATE INDEX outcomes_by_workflow_completion ON ONLY public.outcomes USING btree (workflow_id, status, completed_at, execution_id);

CREATE INDEX provider_configs_by_creation ON public.provider_configs USING btree (created_at, id);

CREATE INDEX provider_configs_by_update ON public.provider_configs USING btree (updated_at, id);

CREATE INDEX ready_by_acceptance ON public.ready USING btree (accepted_at, execution_id);

CREATE INDEX ready_by_owner ON public.ready USING btree (owner, due, execution_id);

CREATE INDEX routes_by_workflow ON public.routes USING btree (workflow_id);

CREATE INDEX workflows_by_creation ON public.workflows USING btree (created_at, id);

CREATE INDEX workflows_by_update ON public.workflows USING btree (updated_at, id);

CREATE TRIGGER audit_entries_are_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_entries FOR EACH STATEMENT EXECUTE FUNCTION public.flowker_refuse_audit_change();
