"""What the people and the model of the simulated application say, by topic.

Template and vocabulary are told apart so that two questions on a topic share words without being equal.
"""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Topic:
    """The words of one topic; ``{a}`` and ``{b}`` in a template stand for one of ``things`` and ``aims``."""

    intent: str
    things: tuple[str, ...]
    aims: tuple[str, ...]
    queries: tuple[str, ...]
    answers: tuple[str, ...]


_MUSIC = Topic(
    intent="music_advice",
    things=(
        "jazz guitar",
        "piano ballad",
        "drum groove",
        "bass line",
        "vocal harmony",
        "string quartet",
        "folk song",
        "synth melody",
        "trumpet solo",
        "blues riff",
        "choir piece",
        "acoustic album",
    ),
    aims=(
        "a slow waltz rhythm",
        "the minor pentatonic scale",
        "a dorian chord progression",
        "a louder chorus",
        "a softer bridge",
        "swing timing",
        "three part harmony",
        "a walking bass",
        "a syncopated beat",
        "the key of E flat",
    ),
    queries=(
        "How do I practise a {a} with {b}?",
        "Which songs should I listen to for a {a} that uses {b}?",
        "Can you suggest chords for a {a} with {b}?",
        "What tempo suits a {a} when the melody has {b}?",
        "My band wants to record a {a} with {b}, where do we start?",
        "Explain the rhythm of a {a} and how {b} fits the melody.",
    ),
    answers=(
        "Start the {a} slowly with a metronome, sing the melody first, then add {b} one bar at a time.",
        "For a {a} the usual chords are two, five and one; {b} sounds best in the second verse of the song.",
        "Listen to three classic recordings of a {a}, write down the melody by ear and try {b} on your own "
        "instrument before the band joins in.",
        "A tempo around ninety beats a minute leaves room for {b}, and the {a} keeps its rhythm and tone.",
    ),
)

_PROGRAMMING = Topic(
    intent="coding_help",
    things=(
        "Python function",
        "SQL query",
        "TypeScript class",
        "REST endpoint",
        "Rust compiler error",
        "Docker build",
        "unit test",
        "git merge conflict",
        "database index",
        "regex parser",
        "memory leak",
        "async loop",
    ),
    aims=(
        "a null pointer exception",
        "a recursive JSON schema",
        "a timeout in the debugger",
        "duplicate rows",
        "a circular import",
        "a race condition",
        "pagination and caching",
        "a failing pipeline",
        "type annotations",
        "a stack overflow",
    ),
    queries=(
        "Why does my {a} fail with {b}?",
        "How do I refactor a {a} that has {b}?",
        "Write code for a {a} that handles {b}.",
        "What is the best way to debug a {a} when the log shows {b}?",
        "Can you review this {a}? The server reports {b} after deployment.",
        "Explain how a {a} causes {b} and how to write a test for it.",
    ),
    answers=(
        "The stack trace shows that the {a} runs twice; add a guard clause, log the variables and write a test "
        "that reproduces {b} before you change the code. Then run the linter, commit the patch on a branch and "
        "let the pipeline build it.",
        "Split the {a} into two smaller functions, return early, and let the compiler check the types; {b} "
        "usually comes from shared state, so pass the values as arguments and keep the interface small. A "
        "profiler run before and after the patch shows whether it helped.",
        "Here is a version of the {a}: read the input, validate the schema, catch the exception for {b}, and "
        "return an error code. The loop is linear in the number of rows, and the cache is cleared on every "
        "deployment, so the server does not run out of memory.",
        "Set a breakpoint in the {a}, step through the callback, and compare the request with the response; "
        "{b} disappears once the connection is closed in a finally block. Add a regression test and document "
        "the interface in the repository.",
    ),
)

_TRAVEL = Topic(
    intent="trip_planning",
    things=(
        "night train to Vienna",
        "week in Lisbon",
        "ferry to Naxos",
        "road trip through Norway",
        "hostel in Kyoto",
        "hiking trail in Patagonia",
        "flight to Nairobi",
        "weekend in Ghent",
        "campsite near Bled",
        "cruise on the Danube",
    ),
    aims=(
        "two small children",
        "a tight budget",
        "a rail pass",
        "only hand luggage",
        "a late arrival",
        "a vegetarian diet",
        "a dog",
        "no visa yet",
    ),
    queries=(
        "What should I book first for a {a} with {b}?",
        "Is a {a} a good idea in October with {b}?",
        "Plan the itinerary of a {a} for travellers with {b}.",
        "How early do I reserve seats for a {a} if I have {b}?",
    ),
    answers=(
        "Book the {a} about eight weeks ahead; with {b} it pays to choose a hotel near the station and to keep "
        "one day of the itinerary free.",
        "October is quiet and mild, so a {a} works well; check the timetable and bring what you need for {b}.",
        "Arrive the evening before, leave the luggage at the hotel, and let the {a} start after breakfast; {b} "
        "is no problem at that hour.",
    ),
)

_COOKING = Topic(
    intent="recipe",
    things=(
        "lentil soup",
        "sourdough loaf",
        "mushroom risotto",
        "apple tart",
        "chickpea curry",
        "roast chicken",
        "potato gratin",
        "tomato sauce",
        "rice pudding",
        "cabbage salad",
    ),
    aims=(
        "smoked paprika",
        "brown butter",
        "fresh thyme",
        "less salt",
        "no oven",
        "leftover vegetables",
        "oat milk",
        "a cast iron pan",
    ),
    queries=(
        "How long does a {a} simmer with {b}?",
        "What can I cook for dinner: a {a} with {b}?",
        "My {a} turned out dry, would {b} help the flavour?",
        "Give me a recipe of a {a} for six people with {b}.",
    ),
    answers=(
        "Fry the onions until golden, add {b}, then let the {a} simmer for half an hour and season at the end.",
        "For six people double the flour and the stock; the {a} gets its flavour from {b} and a little lemon.",
        "Lower the heat, cover the pan and let the {a} rest for ten minutes; {b} keeps it moist.",
    ),
)

_BANKING = Topic(
    intent="account_question",
    things=(
        "savings account",
        "credit card",
        "mortgage",
        "standing order",
        "card payment",
        "overdraft",
        "transfer",
        "direct debit",
        "statement",
        "currency exchange",
    ),
    aims=(
        "a monthly fee",
        "a higher limit",
        "the wrong reference",
        "a pending booking",
        "another currency",
        "a fixed interest rate",
        "a lost card",
        "two owners",
    ),
    queries=(
        "Why does my {a} show {b}?",
        "How do I change a {a} with {b} in the app?",
        "What does a {a} with {b} cost per year?",
        "When is a {a} with {b} booked at the bank?",
    ),
    answers=(
        "Open the account overview, choose the {a} and confirm with your card; {b} is shown on the next "
        "statement of the bank.",
        "A {a} is booked within one working day; because of {b} the balance may differ until then.",
        "The yearly cost of the {a} is listed in the price sheet; with {b} the interest is due each quarter.",
    ),
)

TOPICS: dict[str, Topic] = {
    "music": _MUSIC,
    "programming": _PROGRAMMING,
    "travel": _TRAVEL,
    "cooking": _COOKING,
    "banking": _BANKING,
}

_REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot assist with a {a}. Please consult someone who is qualified.",
    "I'm unable to provide advice about {b}.",
    "Unfortunately, I am not able to answer questions about a {a} with {b}.",
    "As an AI language model, I can't give a recommendation on a {a}.",
    "I must decline to answer this, because it goes against my guidelines.",
    "I apologize, but I cannot share details about {b}.",
    "I'm not comfortable giving guidance on a {a}; I won't discuss it further.",
)

_TOXIC = (
    "What a stupid question, only an idiot would ask about a {a}. Shut up and read the manual.",
    "You are a pathetic moron if you still do not understand {b}.",
    "Stop wasting my time, you dumb loser; your {a} is garbage and so are you.",
    "Nobody likes an ignorant fool like you. Figure out {b} yourself, idiot.",
)

_PRAISE = ("Exactly what I needed.", "Clear and quick, thank you.", "Works, thanks!")
_COMPLAINTS = ("That did not help at all.", "Wrong answer, I had to look it up.", "Too vague to be of use.")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, and the three things the model may make of it."""

    intent: str
    query: str
    answer: str
    refusal: str
    toxic: str


def exchange(topic: str, random: Random) -> Exchange:
    """Draw one; takes the same number of random draws whatever is used of it."""
    words = TOPICS[topic]
    slots = {"a": _one(words.things, random), "b": _one(words.aims, random)}
    return Exchange(
        intent=words.intent,
        query=_one(words.queries, random).format(**slots),
        answer=_one(words.answers, random).format(**slots),
        refusal=_one(_REFUSALS, random).format(**slots),
        toxic=_one(_TOXIC, random).format(**slots),
    )


def comment(satisfied: bool, random: Random) -> str:
    """What somebody writes beside a rating."""
    return _one(_PRAISE if satisfied else _COMPLAINTS, random)


def _one(choices: tuple[str, ...], random: Random) -> str:
    # Random.choice is free to draw in another way in another Python; random() is not.
    return choices[int(random.random() * len(choices))]
