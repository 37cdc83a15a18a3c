-- Which active workflows use which provider configurations. Written with the activation, and gone
-- with the end of it.
CREATE TABLE config_uses (
    config_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    PRIMARY KEY (config_id, workflow_id)
);

CREATE INDEX config_uses_by_workflow ON config_uses (workflow_id);

-- What was activated before this table was there, as far as its ids are spelled as we show them. By
-- text and not as JSON: a document may hold U+0000, at which Postgres's own JSON stops.
INSERT INTO config_uses (config_id, workflow_id)
SELECT config.id, workflow.id
FROM workflows AS workflow, provider_configs AS config
WHERE
    workflow.status = 'active'
    AND strpos(workflow.definition, '"providerConfigId":"' || config.id::text || '"') > 0;
