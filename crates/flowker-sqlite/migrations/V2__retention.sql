-- Which key an execution was started with, if one is kept: what has a key that has not expired is not
-- removed, however old it is.
CREATE INDEX idempotency_keys_by_execution ON idempotency_keys (execution_id, expires_at);
