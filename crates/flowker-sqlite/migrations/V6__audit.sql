-- Events that are written down and not yet sealed: one narrow row for each change, in the change's own
-- transaction. Sealed, a row goes.
CREATE TABLE audit_pending (
    number INTEGER NOT NULL PRIMARY KEY, -- in the order of the commits
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    workflow_id BLOB, -- of executions: it joins the metadata when the event is sealed
    event BLOB NOT NULL
) STRICT;

-- The chain. Action, result and the kind of resource follow from the type of event.
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
CREATE INDEX audit_entries_by_type ON audit_entries (event_type, sequence);
CREATE INDEX audit_entries_by_resource ON audit_entries (resource_id, event_type, sequence);

-- The end of the chain, so that one that was cut short does not grow on unnoticed. No row before the
-- first entry.
CREATE TABLE audit_head (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

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
