-- Keys of callers, by digest: no text is kept. A revoked one stays, and so does its name.
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

-- One row, counted up in each transaction that writes keys.
CREATE TABLE api_keys_revision (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT INTO api_keys_revision (one, revision) VALUES (1, 0);

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
