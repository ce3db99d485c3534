/** What each metric is called, what one asks when looking at it, and what its values are counted in. */

/** @typedef {{title: string, question: string, unit: string}} Metric */

/** In the order in which one wants to look at them. @type {Map<string, [string, string, string]>} */
const KNOWN = new Map([
  ["refusal_rate", ["the refusal rate", "Does it refuse more often?", "share"]],
  ["accuracy", ["the accuracy", "Is it right less often?", "share"]],
  ["task_success_rate", ["the share of tasks done", "Do people get less done with it?", "share"]],
  ["feedback_mean", ["the mean rating", "Do people like the answers less?", "stars"]],
  ["toxicity_rate", ["the share of toxic answers", "Are more answers toxic?", "share"]],
  ["query_embedding", ["the topics of questions", "Do people ask about other things?", "distance"]],
  ["response_embedding", ["the topics of answers", "Does it talk about other things?", "distance"]],
  ["document_embedding", ["the topics of documents", "Are other documents found?", "distance"]],
  ["intent", ["the mix of intents", "Do people want other things?", "share"]],
  ["error_rate", ["the error rate", "Do more requests fail?", "share"]],
  ["latency_ms", ["the latency", "Does it take longer?", "ms"]],
  ["cost_usd", ["the cost of an interaction", "Does an answer cost more?", "usd"]],
  ["response_length", ["the length of an answer", "Are answers longer or shorter?", "characters"]],
  ["input_tokens", ["the number of tokens read", "Does it read more?", "tokens"]],
  ["output_tokens", ["the number of tokens written", "Does it write more?", "tokens"]],
  ["toxicity", ["the toxicity of answers", "Has the tone of answers moved?", "score"]],
  ["precision", ["the precision", "Is what it says right less often?", "score"]],
  ["recall", ["the recall", "Does it miss more?", "score"]],
  ["f1", ["the F1 score", "Does it grade worse?", "score"]],
  ["events", ["the traffic", "Does anything come at all?", "count"]],
]);

const FAMILIES = new Map([
  ["interaction", "interactions"],
  ["feedback", "ratings"],
  ["evaluation", "graded answers"],
]);

const PLACES = new Map([...KNOWN.keys()].map((name, index) => [name, index]));

/** @returns {Metric} of any name, also one of a detector that somebody else wrote */
export function metric(name) {
  const [title, question, unit] = KNOWN.get(name) ?? [
    `“${spaced(name)}”`,
    `Has ${spaced(name)} changed?`,
    "",
  ];
  return { title, question, unit };
}

/** @returns {string} what the events of a family are called, as in "query embeddings of MiniLM" */
export function family(name) {
  const [, kind, ...model] = name.split("/");
  return kind
    ? `${kind} embeddings of ${model.slice(0, -1).join("/")}`
    : (FAMILIES.get(name) ?? metric(name).title);
}

/** Sorts names of metrics: those one asks about first come first. */
export function byInterest(one, other) {
  const ranks = [one, other].map((name) => PLACES.get(name) ?? PLACES.size);
  return ranks[0] - ranks[1] || one.localeCompare(other);
}

function spaced(name) {
  return name.replaceAll("_", " ");
}
