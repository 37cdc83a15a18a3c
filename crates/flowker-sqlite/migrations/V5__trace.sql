-- The trace that the request belonged to, as the header `traceparent` has it, and behind a space what
-- `tracestate` had. Without one there is nothing.
ALTER TABLE executions ADD COLUMN trace TEXT;
