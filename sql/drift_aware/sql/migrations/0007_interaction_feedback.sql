-- Feedback may come before its interaction, or days after it: the two are joined when they are read. Both logs
-- have an index on the interaction's id in every partition, so one interaction is found without a scan.

CREATE VIEW interaction_feedback AS
SELECT
    feedback.interaction_id,
    feedback.ts                                              AS feedback_ts,
    feedback.score,
    feedback.thumbs,
    feedback.task_success,
    feedback.comment,
    interaction.ts                                           AS interaction_ts,
    coalesce(interaction.app, feedback.app)                  AS app,
    coalesce(interaction.model, feedback.model)              AS model,
    coalesce(interaction.prompt_version, feedback.prompt_version) AS prompt_version,
    coalesce(interaction.tenant, feedback.tenant)            AS tenant,
    coalesce(interaction.session_id, feedback.session_id)    AS session_id,
    interaction.turn,
    interaction.user_query,
    interaction.model_response,
    interaction.intent,
    interaction.refusal,
    interaction.toxicity,
    interaction.error
FROM feedback_log AS feedback
LEFT JOIN interaction_log AS interaction ON interaction.id = feedback.interaction_id;
COMMENT ON VIEW interaction_feedback IS 'One row per feedback with the interaction it is about; interaction_ts is null until that has come.';
