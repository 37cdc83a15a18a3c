-- Which active workflows use which provider configurations. Written with the activation, and gone
-- with the end of it.
CREATE TABLE config_uses (
    config_id BLOB NOT NULL,
    workflow_id BLOB NOT NULL REFERENCES workflows (id),
    PRIMARY KEY (config_id, workflow_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX config_uses_by_workflow ON config_uses (workflow_id);

-- What was activated before this table was there, as far as its ids are spelled as we show them.
INSERT INTO config_uses (config_id, workflow_id)
SELECT DISTINCT unhex(json_extract(node.value, '$.data.providerConfigId'), '-'), workflows.id
FROM workflows, json_each(CAST(workflows.definition AS TEXT), '$.nodes') AS node
WHERE
    workflows.status = 'active'
    AND json_extract(node.value, '$.type') = 'executor'
    AND length(unhex(json_extract(node.value, '$.data.providerConfigId'), '-')) = 16;
