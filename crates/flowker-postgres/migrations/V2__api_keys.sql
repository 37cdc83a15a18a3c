-- Keys of callers, by digest: no text is kept. A revoked one stays, and so does its name.
CREATE TABLE api_keys (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    scopes text NOT NULL, -- words with blanks between them
    digest bytea NOT NULL, -- SHA-256
    previous_digest bytea, -- of the text before the last rotation
    previous_until timestamptz,
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    rotated_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_keys_name UNIQUE (name)
);

CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);
CREATE INDEX api_keys_by_update ON api_keys (updated_at, id);
CREATE INDEX api_keys_unrevoked ON api_keys (id) WHERE revoked_at IS NULL;

-- One row, counted up in each transaction that writes keys.
CREATE TABLE api_keys_revision (
    one integer NOT NULL PRIMARY KEY CHECK (one = 1),
    revision bigint NOT NULL
);

INSERT INTO api_keys_revision (one, revision) VALUES (1, 0);
