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
  ["intent", ["the mix of intents", "Do people want other things?", "distance"]],
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
  ["canary_answers", ["the share of golden prompts answered differently", "Does the model answer as it did?", "share"]],
  ["canary_embedding", ["the embedder's vectors of fixed strings", "Is the embedder the same?", "distance"]],
]);

/** Of models that are asked the same again and again, not of traffic. */
const CANARIES = new Set(["canary_answers", "canary_embedding"]);

const FAMILIES = new Map([
  ["interaction", "interactions"],
  ["feedback", "ratings"],
  ["evaluation", "graded answers"],
]);

/** What `classic` measures of embeddings, by the end of the name. @type {Map<string, [string, string]>} */
const MEASURES = new Map([
  ["cosine", ["the centre of", "Has the centre of … moved?"]],
  ["euclidean", ["the centre (Euclidean) of", "How far is the centre of … from where it was?"]],
  ["variance_ratio", ["the scatter of", "Do … scatter more?"]],
  ["psi", ["the distances (PSI) of", "Are … as far from the centre as before (PSI)?"]],
  ["kl", ["the distances (KL) of", "Are … as far from the centre as before (KL)?"]],
  ["ks", ["the distances (KS) of", "Are … as far from the centre as before (KS)?"]],
  ["cluster_shift", ["the topics by clusters of", "Have … gone to other clusters?"]],
  ["silhouette", ["the silhouette of", "Are clusters of … as distinct as before?"]],
]);
const EMBEDDED = { query: "questions", response: "answers", document: "documents" };

const PLACES = new Map([...KNOWN.keys()].map((name, index) => [name, index]));

/** @returns {Metric} of any name, also one of a detector that somebody else wrote */
export function metric(name) {
  const [title, question, unit] = KNOWN.get(name) ??
    measured(name) ?? [`“${spaced(name)}”`, `Has ${spaced(name)} changed?`, ""];
  return { title, question, unit };
}

function measured(name) {
  const [, kind, measure] = /^(\w+?)_embedding_(\w+)$/.exec(name) ?? [];
  if (!MEASURES.has(measure)) return null;
  const [title, question] = MEASURES.get(measure);
  const what = EMBEDDED[kind] ?? `${kind} embeddings`;
  return [`${title} ${what}`, question.replace("…", what), ""];
}

/** @returns {boolean} whether it is of a model that is asked on a schedule, and of no traffic */
export function ofCanary(name) {
  return CANARIES.has(name);
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
  return interest(one) - interest(other) || one.localeCompare(other);
}

/** @returns {number} the less, the sooner one asks about it */
export function interest(name) {
  return PLACES.get(name) ?? PLACES.size;
}

function spaced(name) {
  return name.replaceAll("_", " ");
}
