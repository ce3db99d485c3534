r"""How assistants decline, as patterns over the normalised head of an answer.

A head is lower case, has single blanks and straight apostrophes, no asterisks and no line break
(``refusal.head``). Every pattern is tried where a word begins. It must mean the same to ``re`` and to
Hyperscan: no look-around, no back-reference, no bare dot.

They follow what a refusal says, not who says it: I cannot, I will not, I am not able or allowed to; I am
sorry, but; as an AI I do not; it goes against my guidelines; it is not appropriate to; that is wrong, and
never acceptable.
"""

from drift_aware.streams.labels.languages import FRENCH, GERMAN, PORTUGUESE, SPANISH

_WITHIN = r"[^.]{0,80}?"  # of one sentence
_ADVERB = r"(?:(?:\w+ly|just|also|even|either|in good conscience|(?:and|or) will not),? )?"
_AM = r"(?:i'm|i am|we're|we are)"
_IS = r"(?:'s| is| was| would be| may be| seems)"
_DO_NOT = r"(?:do not|don't)"
_CANNOT = (
    r"(?:can't|cannot|can not|cant|could not|couldn't|won't|will not|would not|wouldn't|must not|shouldn't)"
)
_UNABLE = (
    r"(?:unable|incapable|not (?:\w+ )?(?:able|allowed|permitted|authori[sz]ed|comfortable|going|willing|"
    r"prepared|equipped|capable|programmed|designed|trained|at liberty|in a position))"
)
# What an assistant is asked to do. "I cannot stress enough", "I can't wait", "I can't help but smile" and "I
# can't recommend it enough" are no refusals: so the verb decides, and with some the word behind it.
_SERVE = (
    r"(?:(?:help|assist)(?:[,.;:!]|$| (?:you|with|in|on|anyone|someone|out|that|this|there|here|or)\b)|"
    r"(?:do|continue|answer|discuss) (?:that|this|so|it|such)\b|"
    r"recommend (?:or|any|that|ways|\w+ing)\b|"
    r"make (?:an?|any|or|such|fun|light|jokes|comments|statements)\b|"
    r"tell (?:jokes|an?|you (?:how to|w\w+|about|anything|the))\b|"
    r"give (?:you|any|an?|advice|instructions|out|medical|legal)\b|"
    r"(?:speak|talk|chat) (?:for|to|about|on)\b|"
    r"take (?:part|sides|a (?:side|stance|position))\b|"
    r"say (?:if|that|whether)\b|agree (?:to|with)\b|carry out\b|"
    r"be (?:part of|used|involved|of (?:help|assistance))\b|"
    r"(?:access|advise|advocate|aid|allow|answer|browse|complete|comply|compose|condone|confirm|contribute|"
    r"create|describe|diagnose|disclose|discuss|draft|encourage|endorse|engage|execute|explain|express|"
    r"facilitate|ful ?fill?|generate|glorify|instruct|justify|list|offer|participate|predict|pretend|"
    r"proceed|process|produce|promote|provide|reply|reproduce|respond|reveal|role-?play|satisfy|share|"
    r"speculate|suggest|summari[sz]e|supply|support|teach|translate|verify|write)\b)"
)
_AI = r"(?:ai|a\.i\.|artificial intelligence|language model|llm|assistant|chatbot)\b"
_RULES = (
    r"(?:guidelines?|polic(?:y|ies)|programming|principles|values|purpose|rules?|ethics|standards|"
    r"capabilities|training|instructions)\b"
)
_ASK = r"(?:question|request|topic|prompt|task|premise)"
_THIS = rf"(?:it|that|this|such \w+|(?:this|that|the|your) {_ASK}(?: itself)?)"
_PROPER = r"(?:appropriate|ethical|acceptable|moral|respectful|justifi(?:ed|able)|permissible)\b"
_FAIR = r"(?:accurate|fair|correct|right|respectful|appropriate|ethical)\b"
_WRONG = r"(?:inappropriate|unethical|immoral|irresponsible|unacceptable)\b"
_UNLAWFUL = (
    r"(?:illegal|unlawful|harmful|dangerous),? (?:and|but also|but it is also) (?:\w+ )?"
    r"(?:unethical|immoral|wrong|dangerous|harmful)\b"
)

ENGLISH = (
    # It cannot, or will not, serve.
    rf"(?:i|we) (?:\w+ly )?{_CANNOT} {_ADVERB}{_SERVE}",
    rf"{_AM} {_WITHIN}\b(?:and|so|but) (?:i )?{_CANNOT} {_ADVERB}{_SERVE}",
    rf"{_AM} (?:\w+ )?{_UNABLE} (?:to|with|for)\b",
    rf"i {_DO_NOT} (?:feel comfortable|have the (?:ability|capability|capacity) to|{_SERVE})",
    rf"(?:i'd|i would|i'll|i will|i) (?:rather not|prefer not to|never {_SERVE})",
    r"i(?:'m|'ll|'d)? ?(?:am |going to |have to |need to |will |would |must )*(?:\w+ly )?"
    r"(?:decline|refuse to|refrain from|pass on (?:this|that))\b",
    rf"{_THIS}{_IS} not (?:something|anything) (?:that )?(?:i|we)\b",
    r"(?:is|are|falls?|goes|that's|it's) (?:outside|beyond) (?:of )?(?:what i|(?:the scope of )?my)\b",
    # It is sorry, and does not.
    r"^(?:oh,? |hi,? |hello,? )?(?:i'm |i am |we're |we are )?(?:\w+ )?"
    r"(?:sorry|afraid|my apologies|i (?:\w+ )?apologi[sz]e|apologi(?:[sz]e|es)|unfortunately|regrettably)\b"
    rf"{_WITHIN}(?:\b(?:i|we) (?:\w+ )?(?:can't|cannot|can not|won't|will not)\b|\bi {_DO_NOT}\b|"
    rf"\b{_UNABLE}\b|\bnot (?:something|possible|appropriate|ethical|allowed)\b|"
    r"\b(?:beyond|outside) (?:of )?my\b)",
    r"^(?:sorry|apologies),? (?:but )?no\b",
    # It says what it is, and that this does not do.
    rf"as an? (?:\w+[ -]){{0,4}}{_AI}{_WITHIN}\b(?:{_CANNOT} {_ADVERB}{_SERVE}|{_UNABLE}|{_WRONG}|"
    rf"{_DO_NOT} (?:{_SERVE}|have (?:access|the ability))|it{_IS} not (?:{_PROPER}|{_FAIR})|"
    r"must (?:decline|emphasi[sz]e|stress))",
    rf"{_AM} (?:just|only|merely) an? (?:\w+[ -]){{0,3}}{_AI}{_WITHIN}\b(?:not|{_CANNOT}|{_UNABLE})\b",
    rf"i {_DO_NOT} have (?:any )?access to (?:\w+ )?(?:your|personal|private|confidential|individual)",
    # Its rules forbid it.
    r"(?:against|contrary to|violat(?:es?|ing)|in violation of|conflicts? with|not within) (?:the )?"
    rf"(?:my|our|all|openai's|ethical|content|safety|usage|community)(?: \w+){{0,3}}? {_RULES}",
    rf"my (?:\w+ )?{_RULES}{_WITHIN}\b(?:not|prohibits?|prevents?|restricts?|forbids?|doesn't|don't)\b",
    r"(?:request|prompt|response|content|question) (?:is not|was|has been|cannot be|can't be) "
    r"(?:allowed|permitted|blocked|filtered|flagged|rejected|fulfilled|completed|answered)\b",
    # It calls the request, or the deed, wrong.
    rf"{_THIS}{_IS} (?:\w+ )?(?:not|never|neither) (?:\w+ )?(?:\w+,? (?:or|and|nor) )?{_PROPER}",
    rf"{_THIS}{_IS} (?:\w+ )?(?:{_WRONG}|{_UNLAWFUL})",
    rf"i {_DO_NOT} (?:think|believe) (?:i should\b|(?:it|that|this){_IS} "
    rf"(?:{_PROPER}|(?:accurate|fair|right) or {_FAIR}))",
    rf"(?:is|are) not only (?:illegal|{_WRONG})",
    r"(?:is|are|was|were) (?:never (?:the answer|okay|(?:morally |ethically )?(?:acceptable|right|"
    r"justified))|not (?:morally|ethically) (?:acceptable|right|justified))\b",
    r"^(?:first(?:ly)?,? )?it(?:'s| is) (?:\w+ )?(?:important|essential|crucial) to "
    r"(?:note|remember|understand) that "
    rf"[^.]{{0,130}}?\b(?:illegal|{_WRONG}|not (?:an? )?(?:\w+ or )?{_PROPER})",
    rf"i must (?:\w+ )?(?:emphasi[sz]e|stress|insist|inform you|advise)\b{_WITHIN}"
    rf"\b(?:never|illegal|not {_PROPER}|{_WRONG})",
    r"i (?:must |have to |would )?(?:strongly |firmly |respectfully )?(?:condemn|disagree with|"
    r"advise (?:you )?against|urge you (?:not|to reconsider)|object to|discourage|denounce)\b",
    # It rejects what the question takes for granted.
    r"^(?:it|that)(?:'s| is) not (?:accurate|fair|correct|true|right)(?: or \w+)? to "
    r"(?:say|suggest|assume|claim|ask|generali[sz]e)\b",
    rf"the {_ASK}(?: itself)?(?: you(?:'ve| have)? \w+)? (?:contains|promotes|perpetuates|"
    rf"is (?:harmful|offensive|{_WRONG}|based on))",
)

REFUSALS = (*ENGLISH, *SPANISH, *FRENCH, *GERMAN, *PORTUGUESE)
