-- Events that are written down and not yet sealed: one narrow row for each change, in the change's own
-- transaction. Sealed, a row goes.
CREATE TABLE audit_pending (
    -- When it was written, by the server's clock: what is begun after a commit is later.
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    workflow_id uuid, -- of executions: it joins the metadata when the event is sealed
    event text NOT NULL,
    PRIMARY KEY (noted_at, id)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);

-- The chain. Action, result and the kind of resource follow from the type of event.
CREATE TABLE audit_entries (
    sequence bigint NOT NULL PRIMARY KEY, -- from 1, without a gap
    id uuid NOT NULL,
    at timestamptz NOT NULL, -- never falls
    event_type text NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    actor_ip text NOT NULL,
    previous_hash bytea, -- of the first entry there is none
    hash bytea NOT NULL,
    context text NOT NULL,
    metadata text NOT NULL,
    CONSTRAINT audit_entries_id UNIQUE (id)
);

CREATE INDEX audit_entries_by_moment ON audit_entries (at, sequence);
CREATE INDEX audit_entries_by_type ON audit_entries (event_type, sequence);
CREATE INDEX audit_entries_by_resource ON audit_entries (resource_id, event_type, sequence);

-- The end of the chain. Whoever seals holds its row, so that there is one sealer at a time.
CREATE TABLE audit_head (
    one integer NOT NULL PRIMARY KEY CHECK (one = 1),
    sequence bigint NOT NULL, -- 0 before the first entry
    at timestamptz,
    hash bytea
);

INSERT INTO audit_head (one, sequence) VALUES (1, 0);

CREATE FUNCTION flowker_refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;

CREATE TRIGGER audit_entries_are_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION flowker_refuse_audit_change();
