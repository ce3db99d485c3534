-- A database at migration 4 with a few rows in every table, as pg_dump --inserts wrote it, without comments.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;
COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.action_log (
    id text NOT NULL,
    revision bigint NOT NULL,
    action text NOT NULL,
    status text NOT NULL,
    alert_id text NOT NULL,
    segment text NOT NULL,
    metric text NOT NULL,
    severity text NOT NULL,
    ts timestamp with time zone NOT NULL,
    dry_run boolean NOT NULL,
    reason text NOT NULL,
    receipt jsonb,
    alert jsonb NOT NULL,
    claimed_by text NOT NULL,
    published_revision bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.action_log IS 'The ledger: one row per action, at its latest revision.';
COMMENT ON COLUMN public.action_log.ts IS 'Event time of the alert revision it answers; cooldowns are counted in it.';
COMMENT ON COLUMN public.action_log.claimed_by IS 'The process that inserted or last changed the row.';
COMMENT ON COLUMN public.action_log.published_revision IS 'What drift.actions.v1 has; behind revision, it is still to be sent.';
CREATE TABLE public.documents (
    id text NOT NULL,
    source text NOT NULL,
    content text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    embedding public.halfvec,
    embedding_model text,
    content_hash text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.documents IS 'The collection an application retrieves from; reindex embeds it anew.';
COMMENT ON COLUMN public.documents.embedding IS 'Of embedding_model; null until it has been embedded.';
CREATE TABLE public.drift_events (
    id text NOT NULL,
    revision bigint NOT NULL,
    status text NOT NULL,
    severity text NOT NULL,
    kind text NOT NULL,
    metric text NOT NULL,
    detector text NOT NULL,
    channel text,
    segment text NOT NULL,
    baseline text,
    onset timestamp with time zone NOT NULL,
    ts timestamp with time zone NOT NULL,
    current double precision NOT NULL,
    baseline_value double precision,
    score double precision NOT NULL,
    threshold double precision NOT NULL,
    evidence double precision,
    paging boolean NOT NULL,
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    window_events bigint NOT NULL,
    summary text NOT NULL,
    suggested_actions text[] NOT NULL,
    alert jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.drift_events IS 'One row per alert, at the highest revision seen.';
COMMENT ON COLUMN public.drift_events.alert IS 'The whole alert as it was published.';
CREATE TABLE public.drift_metrics (
    segment text NOT NULL,
    metric text NOT NULL,
    detector text NOT NULL,
    channel text,
    pane_start timestamp with time zone NOT NULL,
    pane_end timestamp with time zone NOT NULL,
    state text NOT NULL,
    events bigint NOT NULL,
    current double precision,
    baseline_value double precision,
    score double precision,
    threshold double precision,
    evidence double precision,
    fired boolean NOT NULL,
    message text
)
PARTITION BY RANGE (pane_start);
COMMENT ON TABLE public.drift_metrics IS 'What each detector saw of a metric at the end of each pane; the last word wins.';
CREATE TABLE public.drift_metrics_20260228 (
    segment text CONSTRAINT drift_metrics_segment_not_null NOT NULL,
    metric text CONSTRAINT drift_metrics_metric_not_null NOT NULL,
    detector text CONSTRAINT drift_metrics_detector_not_null NOT NULL,
    channel text,
    pane_start timestamp with time zone CONSTRAINT drift_metrics_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT drift_metrics_pane_end_not_null NOT NULL,
    state text CONSTRAINT drift_metrics_state_not_null NOT NULL,
    events bigint CONSTRAINT drift_metrics_events_not_null NOT NULL,
    current double precision,
    baseline_value double precision,
    score double precision,
    threshold double precision,
    evidence double precision,
    fired boolean CONSTRAINT drift_metrics_fired_not_null NOT NULL,
    message text
);
CREATE TABLE public.drift_metrics_20260301 (
    segment text CONSTRAINT drift_metrics_segment_not_null NOT NULL,
    metric text CONSTRAINT drift_metrics_metric_not_null NOT NULL,
    detector text CONSTRAINT drift_metrics_detector_not_null NOT NULL,
    channel text,
    pane_start timestamp with time zone CONSTRAINT drift_metrics_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT drift_metrics_pane_end_not_null NOT NULL,
    state text CONSTRAINT drift_metrics_state_not_null NOT NULL,
    events bigint CONSTRAINT drift_metrics_events_not_null NOT NULL,
    current double precision,
    baseline_value double precision,
    score double precision,
    threshold double precision,
    evidence double precision,
    fired boolean CONSTRAINT drift_metrics_fired_not_null NOT NULL,
    message text
);
CREATE TABLE public.drift_metrics_default (
    segment text CONSTRAINT drift_metrics_segment_not_null NOT NULL,
    metric text CONSTRAINT drift_metrics_metric_not_null NOT NULL,
    detector text CONSTRAINT drift_metrics_detector_not_null NOT NULL,
    channel text,
    pane_start timestamp with time zone CONSTRAINT drift_metrics_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT drift_metrics_pane_end_not_null NOT NULL,
    state text CONSTRAINT drift_metrics_state_not_null NOT NULL,
    events bigint CONSTRAINT drift_metrics_events_not_null NOT NULL,
    current double precision,
    baseline_value double precision,
    score double precision,
    threshold double precision,
    evidence double precision,
    fired boolean CONSTRAINT drift_metrics_fired_not_null NOT NULL,
    message text
);
CREATE TABLE public.embeddings_log (
    ts timestamp with time zone NOT NULL,
    id text NOT NULL,
    interaction_id text,
    kind text NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    dim integer NOT NULL,
    dtype text NOT NULL,
    embedding public.halfvec NOT NULL,
    src_partition integer NOT NULL,
    src_offset bigint NOT NULL,
    src_index integer NOT NULL
)
PARTITION BY RANGE (ts);
COMMENT ON TABLE public.embeddings_log IS 'One row per vector; never compare rows of two models or of two dims.';
COMMENT ON COLUMN public.embeddings_log.embedding IS 'Float16, half the disk of float32, whatever dtype was published.';
CREATE TABLE public.embeddings_log_20260228 (
    ts timestamp with time zone CONSTRAINT embeddings_log_ts_not_null NOT NULL,
    id text CONSTRAINT embeddings_log_id_not_null NOT NULL,
    interaction_id text,
    kind text CONSTRAINT embeddings_log_kind_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    dim integer CONSTRAINT embeddings_log_dim_not_null NOT NULL,
    dtype text CONSTRAINT embeddings_log_dtype_not_null NOT NULL,
    embedding public.halfvec CONSTRAINT embeddings_log_embedding_not_null NOT NULL,
    src_partition integer CONSTRAINT embeddings_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT embeddings_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT embeddings_log_src_index_not_null NOT NULL
);
COMMENT ON COLUMN public.embeddings_log_20260228.embedding IS 'Float16, half the disk of float32, whatever dtype was published.';
CREATE TABLE public.embeddings_log_20260301 (
    ts timestamp with time zone CONSTRAINT embeddings_log_ts_not_null NOT NULL,
    id text CONSTRAINT embeddings_log_id_not_null NOT NULL,
    interaction_id text,
    kind text CONSTRAINT embeddings_log_kind_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    dim integer CONSTRAINT embeddings_log_dim_not_null NOT NULL,
    dtype text CONSTRAINT embeddings_log_dtype_not_null NOT NULL,
    embedding public.halfvec CONSTRAINT embeddings_log_embedding_not_null NOT NULL,
    src_partition integer CONSTRAINT embeddings_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT embeddings_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT embeddings_log_src_index_not_null NOT NULL
);
COMMENT ON COLUMN public.embeddings_log_20260301.embedding IS 'Float16, half the disk of float32, whatever dtype was published.';
CREATE TABLE public.embeddings_log_default (
    ts timestamp with time zone CONSTRAINT embeddings_log_ts_not_null NOT NULL,
    id text CONSTRAINT embeddings_log_id_not_null NOT NULL,
    interaction_id text,
    kind text CONSTRAINT embeddings_log_kind_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    dim integer CONSTRAINT embeddings_log_dim_not_null NOT NULL,
    dtype text CONSTRAINT embeddings_log_dtype_not_null NOT NULL,
    embedding public.halfvec CONSTRAINT embeddings_log_embedding_not_null NOT NULL,
    src_partition integer CONSTRAINT embeddings_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT embeddings_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT embeddings_log_src_index_not_null NOT NULL
);
CREATE TABLE public.evaluation_log (
    ts timestamp with time zone NOT NULL,
    eval_set text NOT NULL,
    run_id text NOT NULL,
    expected text,
    predicted text,
    correct boolean,
    score double precision,
    app text,
    model text,
    prompt_version text,
    tenant text,
    src_partition integer NOT NULL,
    src_offset bigint NOT NULL,
    src_index integer NOT NULL
)
PARTITION BY RANGE (ts);
COMMENT ON TABLE public.evaluation_log IS 'One row per graded item of an evaluation run.';
CREATE TABLE public.evaluation_log_20260228 (
    ts timestamp with time zone CONSTRAINT evaluation_log_ts_not_null NOT NULL,
    eval_set text CONSTRAINT evaluation_log_eval_set_not_null NOT NULL,
    run_id text CONSTRAINT evaluation_log_run_id_not_null NOT NULL,
    expected text,
    predicted text,
    correct boolean,
    score double precision,
    app text,
    model text,
    prompt_version text,
    tenant text,
    src_partition integer CONSTRAINT evaluation_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT evaluation_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT evaluation_log_src_index_not_null NOT NULL
);
CREATE TABLE public.evaluation_log_20260301 (
    ts timestamp with time zone CONSTRAINT evaluation_log_ts_not_null NOT NULL,
    eval_set text CONSTRAINT evaluation_log_eval_set_not_null NOT NULL,
    run_id text CONSTRAINT evaluation_log_run_id_not_null NOT NULL,
    expected text,
    predicted text,
    correct boolean,
    score double precision,
    app text,
    model text,
    prompt_version text,
    tenant text,
    src_partition integer CONSTRAINT evaluation_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT evaluation_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT evaluation_log_src_index_not_null NOT NULL
);
CREATE TABLE public.evaluation_log_default (
    ts timestamp with time zone CONSTRAINT evaluation_log_ts_not_null NOT NULL,
    eval_set text CONSTRAINT evaluation_log_eval_set_not_null NOT NULL,
    run_id text CONSTRAINT evaluation_log_run_id_not_null NOT NULL,
    expected text,
    predicted text,
    correct boolean,
    score double precision,
    app text,
    model text,
    prompt_version text,
    tenant text,
    src_partition integer CONSTRAINT evaluation_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT evaluation_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT evaluation_log_src_index_not_null NOT NULL
);
CREATE TABLE public.feedback_log (
    ts timestamp with time zone NOT NULL,
    interaction_id text NOT NULL,
    score double precision,
    thumbs text,
    task_success boolean,
    comment text,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    src_partition integer NOT NULL,
    src_offset bigint NOT NULL,
    src_index integer NOT NULL
)
PARTITION BY RANGE (ts);
COMMENT ON TABLE public.feedback_log IS 'One row per opinion of a person on an answer.';
CREATE TABLE public.feedback_log_20260228 (
    ts timestamp with time zone CONSTRAINT feedback_log_ts_not_null NOT NULL,
    interaction_id text CONSTRAINT feedback_log_interaction_id_not_null NOT NULL,
    score double precision,
    thumbs text,
    task_success boolean,
    comment text,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    src_partition integer CONSTRAINT feedback_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT feedback_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT feedback_log_src_index_not_null NOT NULL
);
CREATE TABLE public.feedback_log_20260301 (
    ts timestamp with time zone CONSTRAINT feedback_log_ts_not_null NOT NULL,
    interaction_id text CONSTRAINT feedback_log_interaction_id_not_null NOT NULL,
    score double precision,
    thumbs text,
    task_success boolean,
    comment text,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    src_partition integer CONSTRAINT feedback_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT feedback_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT feedback_log_src_index_not_null NOT NULL
);
CREATE TABLE public.feedback_log_default (
    ts timestamp with time zone CONSTRAINT feedback_log_ts_not_null NOT NULL,
    interaction_id text CONSTRAINT feedback_log_interaction_id_not_null NOT NULL,
    score double precision,
    thumbs text,
    task_success boolean,
    comment text,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    src_partition integer CONSTRAINT feedback_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT feedback_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT feedback_log_src_index_not_null NOT NULL
);
CREATE TABLE public.interaction_log (
    ts timestamp with time zone NOT NULL,
    id text NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    turn bigint,
    user_query text,
    model_response text,
    intent text,
    refusal boolean,
    toxicity double precision,
    error boolean,
    error_text text,
    finish_reason text,
    latency_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double precision,
    labels jsonb,
    src_partition integer NOT NULL,
    src_offset bigint NOT NULL,
    src_index integer NOT NULL
)
PARTITION BY RANGE (ts);
COMMENT ON TABLE public.interaction_log IS 'One row per question and answer, as published.';
COMMENT ON COLUMN public.interaction_log.error IS 'Whether the call failed; error_text has the words, if there were any.';
CREATE TABLE public.interaction_log_20260228 (
    ts timestamp with time zone CONSTRAINT interaction_log_ts_not_null NOT NULL,
    id text CONSTRAINT interaction_log_id_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    turn bigint,
    user_query text,
    model_response text,
    intent text,
    refusal boolean,
    toxicity double precision,
    error boolean,
    error_text text,
    finish_reason text,
    latency_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double precision,
    labels jsonb,
    src_partition integer CONSTRAINT interaction_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT interaction_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT interaction_log_src_index_not_null NOT NULL
);
COMMENT ON COLUMN public.interaction_log_20260228.error IS 'Whether the call failed; error_text has the words, if there were any.';
CREATE TABLE public.interaction_log_20260301 (
    ts timestamp with time zone CONSTRAINT interaction_log_ts_not_null NOT NULL,
    id text CONSTRAINT interaction_log_id_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    turn bigint,
    user_query text,
    model_response text,
    intent text,
    refusal boolean,
    toxicity double precision,
    error boolean,
    error_text text,
    finish_reason text,
    latency_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double precision,
    labels jsonb,
    src_partition integer CONSTRAINT interaction_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT interaction_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT interaction_log_src_index_not_null NOT NULL
);
COMMENT ON COLUMN public.interaction_log_20260301.error IS 'Whether the call failed; error_text has the words, if there were any.';
CREATE TABLE public.interaction_log_default (
    ts timestamp with time zone CONSTRAINT interaction_log_ts_not_null NOT NULL,
    id text CONSTRAINT interaction_log_id_not_null NOT NULL,
    app text,
    model text,
    prompt_version text,
    tenant text,
    session_id text,
    turn bigint,
    user_query text,
    model_response text,
    intent text,
    refusal boolean,
    toxicity double precision,
    error boolean,
    error_text text,
    finish_reason text,
    latency_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double precision,
    labels jsonb,
    src_partition integer CONSTRAINT interaction_log_src_partition_not_null NOT NULL,
    src_offset bigint CONSTRAINT interaction_log_src_offset_not_null NOT NULL,
    src_index integer CONSTRAINT interaction_log_src_index_not_null NOT NULL
);
CREATE TABLE public.kafka_offset (
    consumer text NOT NULL,
    topic text NOT NULL,
    part integer NOT NULL,
    next bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.kafka_offset IS 'The next offset to read, which decides; what Kafka knows as committed only shows lag.';
CREATE TABLE public.pane_totals (
    segment text NOT NULL,
    pane_start timestamp with time zone NOT NULL,
    pane_end timestamp with time zone NOT NULL,
    totals jsonb NOT NULL
)
PARTITION BY RANGE (pane_start);
COMMENT ON TABLE public.pane_totals IS 'The plain counts of a segment that came with the readings of a pane.';
CREATE TABLE public.pane_totals_20260228 (
    segment text CONSTRAINT pane_totals_segment_not_null NOT NULL,
    pane_start timestamp with time zone CONSTRAINT pane_totals_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT pane_totals_pane_end_not_null NOT NULL,
    totals jsonb CONSTRAINT pane_totals_totals_not_null NOT NULL
);
CREATE TABLE public.pane_totals_20260301 (
    segment text CONSTRAINT pane_totals_segment_not_null NOT NULL,
    pane_start timestamp with time zone CONSTRAINT pane_totals_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT pane_totals_pane_end_not_null NOT NULL,
    totals jsonb CONSTRAINT pane_totals_totals_not_null NOT NULL
);
CREATE TABLE public.pane_totals_default (
    segment text CONSTRAINT pane_totals_segment_not_null NOT NULL,
    pane_start timestamp with time zone CONSTRAINT pane_totals_pane_start_not_null NOT NULL,
    pane_end timestamp with time zone CONSTRAINT pane_totals_pane_end_not_null NOT NULL,
    totals jsonb CONSTRAINT pane_totals_totals_not_null NOT NULL
);
CREATE TABLE public.schema_migration (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.schema_migration IS 'Which migrations were applied, and the checksum of their text then.';
ALTER TABLE ONLY public.drift_metrics ATTACH PARTITION public.drift_metrics_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.drift_metrics ATTACH PARTITION public.drift_metrics_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.drift_metrics ATTACH PARTITION public.drift_metrics_default DEFAULT;
ALTER TABLE ONLY public.embeddings_log ATTACH PARTITION public.embeddings_log_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.embeddings_log ATTACH PARTITION public.embeddings_log_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.embeddings_log ATTACH PARTITION public.embeddings_log_default DEFAULT;
ALTER TABLE ONLY public.evaluation_log ATTACH PARTITION public.evaluation_log_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.evaluation_log ATTACH PARTITION public.evaluation_log_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.evaluation_log ATTACH PARTITION public.evaluation_log_default DEFAULT;
ALTER TABLE ONLY public.feedback_log ATTACH PARTITION public.feedback_log_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.feedback_log ATTACH PARTITION public.feedback_log_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.feedback_log ATTACH PARTITION public.feedback_log_default DEFAULT;
ALTER TABLE ONLY public.interaction_log ATTACH PARTITION public.interaction_log_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.interaction_log ATTACH PARTITION public.interaction_log_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.interaction_log ATTACH PARTITION public.interaction_log_default DEFAULT;
ALTER TABLE ONLY public.pane_totals ATTACH PARTITION public.pane_totals_20260228 FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00');
ALTER TABLE ONLY public.pane_totals ATTACH PARTITION public.pane_totals_20260301 FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-03-02 00:00:00+00');
ALTER TABLE ONLY public.pane_totals ATTACH PARTITION public.pane_totals_default DEFAULT;
INSERT INTO public.drift_events VALUES ('a1', 1, 'firing', 'warning', 'behavior', 'refusal_rate', 'evidence', NULL, 'app=shop,model=gpt', NULL, '2026-03-01 11:59:00+00', '2026-03-01 12:00:00+00', 0.12, 0.03, 40, 20, NULL, true, '2026-03-01 11:50:00+00', '2026-03-01 12:00:00+00', 1234, 'refusals rose from 3 % to 12 %', '{}', '{"id": "a1", "ts": 1772366400000, "kind": "behavior", "onset": 1772366340000, "score": 40.0, "words": [], "metric": "refusal_rate", "paging": true, "status": "firing", "window": {"end": 1772366400000, "start": 1772365800000, "events": 1234}, "channel": null, "current": 0.12, "segment": "app=shop,model=gpt", "summary": "refusals rose from 3 % to 12 %", "baseline": null, "detector": "evidence", "evidence": null, "examples": ["i1", "i2"], "revision": 1, "severity": "warning", "threshold": 20.0, "contributions": [], "baseline_value": 0.03, "suggested_actions": []}', '2026-11-21 16:42:19.60966+00', '2026-11-21 16:42:19.60966+00');
INSERT INTO public.drift_metrics_20260301 VALUES ('all', 'refusal_rate', 'evidence', NULL, '2026-03-01 12:00:00+00', '2026-03-01 12:00:10+00', 'ok', 50, 0.03, NULL, NULL, NULL, NULL, false, NULL);
INSERT INTO public.embeddings_log_20260228 VALUES ('2026-02-28 12:00:00+00', 'e1', 'i1', 'query', 'shop', 'small', NULL, NULL, NULL, 8, 'float16', '[0.34570312,0.82177734,0.33032227,-1.3027344,0.90527344,0.44628906,-0.5371094,0.5810547]', 0, 1, 1);
INSERT INTO public.embeddings_log_20260301 VALUES ('2026-03-01 12:00:00+00', 'e0', 'i0', 'query', 'shop', 'small', NULL, NULL, NULL, 8, 'float16', '[0.12573242,-0.13208008,0.640625,0.10491943,-0.53564453,0.36157227,1.3037109,0.9472656]', 0, 1, 0);
INSERT INTO public.embeddings_log_default VALUES ('2026-02-27 12:00:00+00', 'e2', 'i2', 'query', 'shop', 'small', NULL, NULL, NULL, 8, 'float16', '[0.18908691,-0.5229492,-0.41308594,-2.4414062,1.7998047,1.1445312,-0.32543945,0.7739258]', 0, 1, 2);
INSERT INTO public.embeddings_log_default VALUES ('2026-02-26 12:00:00+00', 'e3', 'i3', 'query', 'shop', 'small', NULL, NULL, NULL, 3, 'float16', '[2.0410156,-2.5566406,0.4182129]', 0, 2, 0);
INSERT INTO public.embeddings_log_default VALUES ('2026-02-25 12:00:00+00', 'e4', 'i4', 'query', 'shop', 'small', NULL, NULL, NULL, 3, 'float16', '[-0.65185547,-0.17468262,1.6640625]', 0, 2, 1);
INSERT INTO public.evaluation_log_20260301 VALUES ('2026-03-01 12:00:00+00', 'golden', 'r0', 'a', 'b', false, 0.5, NULL, NULL, NULL, NULL, 0, 4, 0);
INSERT INTO public.evaluation_log_20260301 VALUES ('2026-03-01 12:00:00.001+00', 'golden', 'r1', 'a', 'b', false, 0.5, NULL, NULL, NULL, NULL, 0, 4, 1);
INSERT INTO public.feedback_log_20260301 VALUES ('2026-03-01 12:00:00+00', 'i0', 4, 'up', true, 'thanks', NULL, NULL, NULL, NULL, NULL, 0, 3, 0);
INSERT INTO public.feedback_log_20260301 VALUES ('2026-03-01 12:00:00.001+00', 'i1', 4, 'up', true, 'thanks', NULL, NULL, NULL, NULL, NULL, 0, 3, 1);
INSERT INTO public.interaction_log_20260228 VALUES ('2026-02-28 12:00:00+00', 'i1', 'shop', 'gpt', '7', 'acme', 's0', 1, 'where is my order?', 'on its way', 'status', false, 0.25, true, 'timeout', 'stop', 12.5, 7, 3, 0.001, '{"region": "eu"}', 0, 0, 1);
INSERT INTO public.interaction_log_20260301 VALUES ('2026-03-01 12:00:00+00', 'i0', 'shop', 'gpt', '7', 'acme', 's0', 0, 'where is my order?', 'on its way', 'status', false, 0.25, true, 'timeout', 'stop', 12.5, 7, 3, 0.001, '{"region": "eu"}', 0, 0, 0);
INSERT INTO public.interaction_log_default VALUES ('2026-02-27 12:00:00+00', 'i2', 'shop', 'gpt', '7', 'acme', 's0', 2, 'where is my order?', 'on its way', 'status', false, 0.25, true, 'timeout', 'stop', 12.5, 7, 3, 0.001, '{"region": "eu"}', 0, 0, 2);
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.feedback.v1', 0, 4, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.alerts.v1', 0, 6, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.embeddings.v1', 0, 3, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.evaluations.v1', 0, 5, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.interactions.v1', 0, 1, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.kafka_offset VALUES ('persist', 'drift.readings.v1', 0, 7, '2026-11-21 16:42:19.60966+00');
INSERT INTO public.pane_totals_20260301 VALUES ('all', '2026-03-01 12:00:00+00', '2026-03-01 12:00:10+00', '{"interactions": 50}');
INSERT INTO public.schema_migration VALUES (1, 'event_logs', '549ad7f92aa0950ebf49f5b7968ea07121a15b9de7f5a3c8c895bebca15ecf0c', '2026-11-21 16:42:19.539798+00');
INSERT INTO public.schema_migration VALUES (2, 'drift', '92e226d172e51219908cccb89f9b08e1342ced41c6c896777ebb9c994e97a2f2', '2026-11-21 16:42:19.56134+00');
INSERT INTO public.schema_migration VALUES (3, 'documents_and_actions', '763a45f7974934925a110bcb884520964a2825d9fda3d4f9876bda785f2b7f51', '2026-11-21 16:42:19.566707+00');
INSERT INTO public.schema_migration VALUES (4, 'kafka_offset', '5b6b8d0a04c129ddda4599509e8fa9f3ff3b04a62468f6d9fa44aa7cc227f20d', '2026-11-21 16:42:19.569767+00');
ALTER TABLE ONLY public.action_log
    ADD CONSTRAINT action_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.drift_events
    ADD CONSTRAINT drift_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.drift_metrics
    ADD CONSTRAINT drift_metrics_segment_metric_detector_channel_pane_start_key UNIQUE NULLS NOT DISTINCT (segment, metric, detector, channel, pane_start);
ALTER TABLE ONLY public.drift_metrics_20260228
    ADD CONSTRAINT drift_metrics_20260228_segment_metric_detector_channel_pane_key UNIQUE NULLS NOT DISTINCT (segment, metric, detector, channel, pane_start);
ALTER TABLE ONLY public.drift_metrics_20260301
    ADD CONSTRAINT drift_metrics_20260301_segment_metric_detector_channel_pane_key UNIQUE NULLS NOT DISTINCT (segment, metric, detector, channel, pane_start);
ALTER TABLE ONLY public.drift_metrics_default
    ADD CONSTRAINT drift_metrics_default_segment_metric_detector_channel_pane__key UNIQUE NULLS NOT DISTINCT (segment, metric, detector, channel, pane_start);
ALTER TABLE ONLY public.kafka_offset
    ADD CONSTRAINT kafka_offset_pkey PRIMARY KEY (consumer, topic, part);
ALTER TABLE ONLY public.pane_totals
    ADD CONSTRAINT pane_totals_pkey PRIMARY KEY (segment, pane_start);
ALTER TABLE ONLY public.pane_totals_20260228
    ADD CONSTRAINT pane_totals_20260228_pkey PRIMARY KEY (segment, pane_start);
ALTER TABLE ONLY public.pane_totals_20260301
    ADD CONSTRAINT pane_totals_20260301_pkey PRIMARY KEY (segment, pane_start);
ALTER TABLE ONLY public.pane_totals_default
    ADD CONSTRAINT pane_totals_default_pkey PRIMARY KEY (segment, pane_start);
ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (version);
CREATE INDEX action_log_created_at_idx ON public.action_log USING btree (created_at) WHERE (published_revision < revision);
CREATE INDEX action_log_ts_idx ON public.action_log USING btree (ts);
CREATE INDEX documents_source_idx ON public.documents USING btree (source);
CREATE INDEX drift_events_status_severity_idx ON public.drift_events USING btree (status, severity);
CREATE INDEX drift_events_ts_idx ON public.drift_events USING btree (ts);
CREATE INDEX drift_metrics_pane_start_idx ON ONLY public.drift_metrics USING btree (pane_start);
CREATE INDEX drift_metrics_20260228_pane_start_idx ON public.drift_metrics_20260228 USING btree (pane_start);
CREATE INDEX drift_metrics_20260301_pane_start_idx ON public.drift_metrics_20260301 USING btree (pane_start);
CREATE INDEX drift_metrics_default_pane_start_idx ON public.drift_metrics_default USING btree (pane_start);
CREATE INDEX embeddings_log_interaction_id_idx ON ONLY public.embeddings_log USING btree (interaction_id);
CREATE INDEX embeddings_log_20260228_interaction_id_idx ON public.embeddings_log_20260228 USING btree (interaction_id);
CREATE INDEX embeddings_log_20260301_interaction_id_idx ON public.embeddings_log_20260301 USING btree (interaction_id);
CREATE INDEX embeddings_log_default_interaction_id_idx ON public.embeddings_log_default USING btree (interaction_id);
CREATE INDEX evaluation_log_run_id_idx ON ONLY public.evaluation_log USING btree (run_id);
CREATE INDEX evaluation_log_20260228_run_id_idx ON public.evaluation_log_20260228 USING btree (run_id);
CREATE INDEX evaluation_log_20260301_run_id_idx ON public.evaluation_log_20260301 USING btree (run_id);
CREATE INDEX evaluation_log_default_run_id_idx ON public.evaluation_log_default USING btree (run_id);
CREATE INDEX feedback_log_interaction_id_idx ON ONLY public.feedback_log USING btree (interaction_id);
CREATE INDEX feedback_log_20260228_interaction_id_idx ON public.feedback_log_20260228 USING btree (interaction_id);
CREATE INDEX feedback_log_20260301_interaction_id_idx ON public.feedback_log_20260301 USING btree (interaction_id);
CREATE INDEX feedback_log_default_interaction_id_idx ON public.feedback_log_default USING btree (interaction_id);
CREATE INDEX interaction_log_id_idx ON ONLY public.interaction_log USING btree (id);
CREATE INDEX interaction_log_20260228_id_idx ON public.interaction_log_20260228 USING btree (id);
CREATE INDEX interaction_log_20260301_id_idx ON public.interaction_log_20260301 USING btree (id);
CREATE INDEX interaction_log_default_id_idx ON public.interaction_log_default USING btree (id);
ALTER INDEX public.drift_metrics_pane_start_idx ATTACH PARTITION public.drift_metrics_20260228_pane_start_idx;
ALTER INDEX public.drift_metrics_segment_metric_detector_channel_pane_start_key ATTACH PARTITION public.drift_metrics_20260228_segment_metric_detector_channel_pane_key;
ALTER INDEX public.drift_metrics_pane_start_idx ATTACH PARTITION public.drift_metrics_20260301_pane_start_idx;
ALTER INDEX public.drift_metrics_segment_metric_detector_channel_pane_start_key ATTACH PARTITION public.drift_metrics_20260301_segment_metric_detector_channel_pane_key;
ALTER INDEX public.drift_metrics_pane_start_idx ATTACH PARTITION public.drift_metrics_default_pane_start_idx;
ALTER INDEX public.drift_metrics_segment_metric_detector_channel_pane_start_key ATTACH PARTITION public.drift_metrics_default_segment_metric_detector_channel_pane__key;
ALTER INDEX public.embeddings_log_interaction_id_idx ATTACH PARTITION public.embeddings_log_20260228_interaction_id_idx;
ALTER INDEX public.embeddings_log_interaction_id_idx ATTACH PARTITION public.embeddings_log_20260301_interaction_id_idx;
ALTER INDEX public.embeddings_log_interaction_id_idx ATTACH PARTITION public.embeddings_log_default_interaction_id_idx;
ALTER INDEX public.evaluation_log_run_id_idx ATTACH PARTITION public.evaluation_log_20260228_run_id_idx;
ALTER INDEX public.evaluation_log_run_id_idx ATTACH PARTITION public.evaluation_log_20260301_run_id_idx;
ALTER INDEX public.evaluation_log_run_id_idx ATTACH PARTITION public.evaluation_log_default_run_id_idx;
ALTER INDEX public.feedback_log_interaction_id_idx ATTACH PARTITION public.feedback_log_20260228_interaction_id_idx;
ALTER INDEX public.feedback_log_interaction_id_idx ATTACH PARTITION public.feedback_log_20260301_interaction_id_idx;
ALTER INDEX public.feedback_log_interaction_id_idx ATTACH PARTITION public.feedback_log_default_interaction_id_idx;
ALTER INDEX public.interaction_log_id_idx ATTACH PARTITION public.interaction_log_20260228_id_idx;
ALTER INDEX public.interaction_log_id_idx ATTACH PARTITION public.interaction_log_20260301_id_idx;
ALTER INDEX public.interaction_log_id_idx ATTACH PARTITION public.interaction_log_default_id_idx;
ALTER INDEX public.pane_totals_pkey ATTACH PARTITION public.pane_totals_20260228_pkey;
ALTER INDEX public.pane_totals_pkey ATTACH PARTITION public.pane_totals_20260301_pkey;
ALTER INDEX public.pane_totals_pkey ATTACH PARTITION public.pane_totals_default_pkey;
