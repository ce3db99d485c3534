r"""How assistants decline, as patterns over the normalised head of an answer.

A head is lower case, has single blanks and straight quotes, and holds no line break (``refusal.head``). The
patterns must mean the same to ``re`` and to Hyperscan: no look-around, no back-reference, no bare dot, and of
``\b`` and ``\w`` only what is true of ASCII.

English phrases come from the ways chat models are known to decline: they cannot or will not, they are not
able or allowed to, they regret and then do not, they cite what they are or whom they follow, they call the
request wrong, or they reject what it takes for granted. The other languages have a dozen phrases each, and
nobody has measured how well they do.
"""

_I = r"(?:i|we)"
_AM = r"(?:i'?m|i am|we're|we are)"
_CANNOT = (
    r"(?:can(?:not|'?t)|can not|could(?:n't| not)|won'?t|will not|would(?:n't| not)|"
    r"must not|shouldn't|should not)"
)
_UNABLE = (
    r"(?:unable|incapable|not (?:\w+ )?(?:able|allowed|permitted|authori[sz]ed|comfortable|going|willing|"
    r"prepared|equipped|capable|programmed|designed|trained|at liberty|in a position|here))"
)
_HOW = r"(?:(?:\w+ly|just|also|even|ever|either|in good conscience|and will not|or will not|nor will i),? )?"
# Verbs of serving somebody. Without them "I cannot stress enough" and "I can't wait" would be refusals.
_SERVE = (
    r"(?:help|assist|aid|provide|give|offer|comply|ful ?fill?|answer|share|create|write|generate|do (?:that|this"
    r"|so|it)\b|discuss|support|engage|participate|recommend|advise|suggest|endorse|encourage|condone|promote|"
    r"justify|complete|continue|proceed|tell you|say|explain|describe|produce|make|respond|reply|teach|process|"
    r"satisfy|access|show|facilitate|disclose|reveal|speak|speculate|predict|confirm|verify|express|diagnose|"
    r"be (?:a )?(?:part|able|of|used|involved)|in good conscience|list|allow|agree|entertain|accommodate|"
    r"browse|open|view|draft|compose|role-?play|pretend|act as|advocate|glorify|contribute|supply|reproduce|"
    r"translate|summari[sz]e|search|look up|retrieve|perform|execute|carry out|go into|guide|instruct)"
)
_FIRMLY = r"(?:(?:respectfully|politely|firmly|strongly|kindly|regretfully|have to|must|will|would) )*"
# What only a judgement of the request is called, and what a plain answer may be called as well ("it is not
# safe to eat raw"); the second kind counts only where saying or doing what was asked is what is judged.
_IMPROPER = r"(?:appropriate|ethical|acceptable|moral|morally \w+|respectful|justifi(?:ed|able)|within my)"
_AMISS = (
    r"(?:accurate|fair|correct|right|okay|ok|legal|productive|helpful|true|advisable|responsible|a good idea)"
)
_BAD = (
    r"(?:inappropriate|unethical|immoral|irresponsible|unacceptable|"
    r"(?:illegal|unlawful|harmful|dangerous),? (?:and|or|but also) (?:\w+ )?(?:unethical|immoral|harmful|dangerous|wrong))"
)
_SAY = (
    r"(?:say|suggest|assume|claim|ask|discuss|make|promote|encourage|generali[sz]e|deny|exclude|discriminate|"
    r"perpetuate|imply|use|provide|engage|judge|harm|treat|take away|restrict)"
)
_THIS = (
    r"(?:it|that|this|doing (?:so|that|this)|such \w+|"
    r"(?:this|that|the|your) (?:\w+ )?(?:question|request|topic|prompt|task)(?: itself)?)"
)
_IS = r"(?:'s| is| was| would be| may be| seems)"
_ASK = r"(?:question|request|prompt|premise|assumption)"

ENGLISH = (
    # It cannot, or will not, serve.
    rf"\b{_I} (?:am sorry,? )?(?:but )?(?:simply |really |absolutely )?{_CANNOT} {_HOW}{_SERVE}",
    rf"\b{_AM} (?:\w+ )?(?:but )?{_UNABLE} (?:to|with|for)\b",
    r"\b(?:i'd|i would|i'll|i will) (?:rather not|prefer not to|have to (?:decline|pass)|not be|never)\b",
    rf"\bi'?(?:m|ll| am| will| have|ve)? ?(?:going to |have to |need to |choose to |must )?{_FIRMLY}"
    r"(?:decline\b|refuse to|pass on (?:this|that)|refrain from|abstain from)",
    rf"\b(?:that|this|it)(?:'s| is) (?:not )?(?:something|a (?:request|topic|question|task)|one thing) "
    rf"(?:that )?{_I}(?:'m| am|'re| are)? ?(?:{_CANNOT}|{_UNABLE}|not|don't|do not)",
    r"\b(?:is|are|falls?|goes) (?:outside|beyond) (?:of )?(?:what i|my|the scope of (?:what i|my))\b",
    # It regrets, and then does not.
    rf"^(?:oh,? |hi,? |hello,? )?(?:{_AM} )?(?:so |very |really |deeply |truly |terribly )?"
    r"(?:sorry|afraid|my (?:sincere )?apologies|i (?:do )?(?:sincerely )?apologi[sz]e|apologi[sz]e|apologies|"
    r"unfortunately|regrettably)\b"
    rf"[^.]{{0,60}}?\b(?:{_I} (?:\w+ )?{_CANNOT}|{_UNABLE}|(?:do|did|does)(?:n't| not) (?:have|feel|think|provide|"
    r"support|engage)|isn't|is not (?:something|possible|appropriate|a)|against|prohibited|question contains|no information)",
    r"\b(?:sorry|apologies),? (?:but )?(?:no\b|that(?:'s| is) (?:not|off)|not (?:going|something))",
    # It cites what it is, or whom it follows.
    r"\bas (?:an?|your) (?:\w+ (?:and \w+ )?){0,3}(?:ai|a\.i\.|artificial intelligence|language model|llm|assistant|"
    rf"chatbot)\b[^.]{{0,80}}?\b(?:{_CANNOT} {_HOW}{_SERVE}|{_UNABLE}|(?:do not|don't) (?:{_SERVE}|have (?:access|"
    rf"the (?:ability|capability)))|{_BAD}|it(?:'s| is| would be) not|must (?:\w+ )?(?:emphasi[sz]e|stress|clarify|"
    r"inform|decline|adhere|prioriti[sz]e|remind|point|advise)|committed to|programmed to (?:follow|promote|avoid|adhere))",
    r"\b(?:goes|go|going|is|would be|are|be|it's|runs) (?:completely |entirely |strictly )?"
    r"(?:against|contrary to|in violation of|in conflict with) (?:my|our|the|openai|ethical|all|any|basic|both)\b",
    r"\b(?:violates?|violating|conflicts? with|contravenes?|against) (?:my|our|openai's|the use|ethical|content|"
    r"safety|usage|community)\b",
    r"\bmy (?:purpose|role|goal|programming|guidelines|training|primary function|design|creators?|ethical)[^.]{0,80}?"
    r"\b(?:not|prohibit\w*|prevent\w*|restrict\w*|forbid\w*|do(?:es)?n't)\b",
    r"\bi(?:'m| am) (?:here|designed|programmed|trained|built|made|only|just|committed)(?: here)? to [^.]{0,90}?"
    rf"\b(?:but|so|not|rather than|and (?:can(?:no|')t|won't))\b[^.]{{0,60}}?\b(?:{_CANNOT}|{_UNABLE}|not)\b",
    r"\bi(?:'m| am) (?:just|only) an? (?:\w+ )?(?:ai|language model|assistant)\b[^.]{0,80}?"
    rf"\b(?:it(?:'s| is) not|not within|{_CANNOT}|{_UNABLE})",
    rf"\bi do(?:n't| not) (?:feel comfortable|(?:think|believe) (?:it|that)(?:{_IS})? (?:{_IMPROPER}|{_AMISS} (?:or \w+ )?to {_SAY})|have the (?:ability|"
    rf"capability) to|(?:{_SERVE}))",
    # It calls the request, or the deed, wrong.
    rf"\b{_THIS}{_IS} (?:\w+ )?(?:not|never|neither) (?:\w+ )?(?:\w+,? (?:or|and|nor) )?{_IMPROPER}\b",
    rf"\b{_THIS}{_IS} (?:\w+ )?(?:not|never|neither) (?:\w+ )?(?:\w+,? (?:or|and|nor) )?{_AMISS} to {_SAY}\b",
    rf"\b{_THIS}{_IS} (?:highly |both |deeply |extremely |not only )?{_BAD}\b",
    r"\bi must (?:\w+ )?(?:emphasi[sz]e|stress|inform you|advise|caution|insist)\b[^.]{0,60}?"
    rf"\b(?:not|never|{_BAD})\b",
    r"\bi (?:must |have to |would |want to )?(?:strongly |firmly |highly |respectfully |politely )?"
    r"(?:condemn|disagree|advise (?:you )?against|advise you not|urge you (?:not|to (?:seek|reconsider))|object to|"
    rf"discourage|denounce|challenge the {_ASK})\b",
    r"\b(?:is|are|was|were) (?:never|not ever|not|in no way|not only) (?:an? )?(?:\w+ or )?(?:morally |ethically )?"
    r"(?:acceptable|okay|justified|justifiable|the answer|right to \w+|illegal|unethical)\b",
    rf"\bthe {_ASK}(?: itself)?(?: you(?:'ve| have)? (?:\w+ )?\w+)? (?:contains|promotes|perpetuates|"
    r"is (?:based on (?:a )?(?:harmful|false|stereo\w+)|harmful|offensive|inappropriate))",
    # It rejects what the question takes for granted.
    r"^no(?:,|\.| )+(?:i|it|that|this|you should not|you shouldn't|absolutely)\b"
    r"[^.]{0,60}?\b(?:not|can't|cannot|won't|never|illegal|unethical)\b",
    r"^(?:first(?:ly)?,? |i understand [^.]{0,80}, but )?it(?:'s| is) (?:very |extremely |crucial and )?"
    r"(?:important|essential|crucial|vital) to (?:note|remember|understand|recogni[sz]e|clarify) that [^.]{0,130}?"
    rf"\b(?:{_BAD}|never|not (?:an? )?(?:\w+ (?:or )?)?(?:appropriate|acceptable|ethical|justified))\b",
    r"^i (?:do not|don't) (?:personally )?(?:believe|agree|think|support|condone|endorse) [^.]{0,60}?"
    r"\b(?:should|taking away|accurate|fair|appropriate|right) (?:\w+ )?(?:not|to|anyone's|or)\b",
)

SPANISH = (
    r"\b(?:lo siento|lo lamento|disculpa|disculpe|perd[oó]n)[^.]{0,40}?\bno (?:puedo|podemos|me es posible|estoy)\b",
    r"\bno puedo (?:ayudar|asistir|proporcionar|ofrecer|dar|responder|cumplir|compartir|generar|escribir|crear|"
    r"participar|realizar|hacer eso)",
    r"\bno (?:me es posible|soy capaz de|tengo permitido|estoy autorizad[oa]|estoy en condiciones)\b",
    r"\b(?:debo|tengo que) (?:negarme|declinar|rechazar)\b",
    r"\b(?:va|iría|est[aá]) en contra de (?:mis|nuestras|las|la)\b",
    r"\bcomo (?:modelo de lenguaje|asistente|inteligencia artificial|una? ia)\b[^.]{0,60}?\bno (?:puedo|tengo|debo)\b",
    r"\bno (?:es|ser[ií]a) (?:apropiado|[eé]tico|adecuado|legal|correcto) \w+",
)

FRENCH = (
    r"\b(?:je suis (?:vraiment )?d[eé]sol[eé]e?|d[eé]sol[eé]e?|je m'excuse|je regrette|malheureusement)\b"
    r"[^.]{0,40}?\bje ne (?:peux|puis|suis)\b",
    r"\bje ne (?:peux|puis) (?:pas |malheureusement pas |donc pas )?(?:vous |t'|te |r[eé]pondre|aider|fournir|donner|"
    r"acc[eé]der|partager|cr[eé]er|g[eé]n[eé]rer|[eé]crire|satisfaire)",
    r"\bje ne suis pas (?:en mesure|capable|autoris[eé]e?|habilit[eé]e?)\b",
    r"\bje (?:dois|pr[eé]f[eè]re) (?:refuser|d[eé]cliner|ne pas)\b",
    r"\b(?:va|irait|est) [aà] l'encontre de\b",
    r"\ben tant qu(?:e mod[eè]le|e? ?'?(?:ia|intelligence artificielle|assistant))\b[^.]{0,60}?\bne (?:peux|puis|suis|dois)\b",
    r"\bil (?:n'est|ne serait) pas (?:appropri[eé]|[eé]thique|possible pour moi|l[eé]gal|acceptable)\b",
)

GERMAN = (
    r"\b(?:es tut mir (?:sehr )?leid|tut mir leid|entschuldigung|leider|ich bedaure)\b[^.]{0,40}?"
    r"\b(?:kann|darf|m[oö]chte|werde) (?:ich|dir|ihnen|dabei|das|ich dir|ich ihnen)[^.]{0,60}?\b(?:nicht|keine?n?)\b",
    r"\b(?:ich|das) (?:kann|darf|werde) (?:\w+ ){0,3}(?:nicht|keine?n?) (?:\w+ ){0,4}"
    r"(?:helfen|unterst[uü]tzen|beantworten|bereitstellen|anbieten|geben|teilen|erstellen|schreiben|erf[uü]llen|weiterhelfen)\b",
    r"\bich bin nicht (?:in der lage|befugt|berechtigt|daf[uü]r)\b",
    r"\bich (?:muss|m[oö]chte) (?:das |dies |diese anfrage |ihre anfrage |deine anfrage )?(?:ablehnen|verweigern)\b",
    r"\b(?:verst[oö](?:ß|ss)t gegen|widerspricht) (?:meine|meinen|unsere|die|den)\b",
    r"\bals (?:ki|k[uü]nstliche intelligenz|sprachmodell|ki-\w+|assistent)\b[^.]{0,60}?\b(?:kann|darf) ich[^.]{0,60}?\b(?:nicht|keine?n?)\b",
    r"\bes (?:ist|w[aä]re) (?:nicht (?:angemessen|ethisch|vertretbar|erlaubt|legal)|unethisch|unangemessen|illegal)\b",
)

PORTUGUESE = (
    r"\b(?:desculpe|desculpa|sinto muito|lamento|infelizmente|perd[aã]o)\b[^.]{0,40}?\bn[aã]o (?:posso|podemos|consigo|estou)\b",
    r"\bn[aã]o (?:posso|consigo) (?:ajudar|te ajudar|auxiliar|fornecer|oferecer|dar|responder|cumprir|compartilhar|partilhar|"
    r"gerar|escrever|criar|participar|fazer isso|atender)",
    r"\bn[aã]o (?:sou capaz de|me [eé] poss[ií]vel|estou autorizad[oa]|tenho permiss[aã]o|estou em condi[cç][oõ]es)",
    r"\b(?:devo|preciso|tenho que|tenho de) (?:recusar|declinar|negar)\b",
    r"\b(?:vai|iria|[eé]|est[aá]) contra (?:as|os|minhas|meus|a|o|nossas)\b",
    r"\bcomo (?:um |uma )?(?:modelo de linguagem|assistente|intelig[eê]ncia artificial|ia)\b[^.]{0,60}?\bn[aã]o (?:posso|tenho|devo|consigo)\b",
    r"\bn[aã]o (?:[eé]|seria) (?:apropriado|[eé]tico|adequado|legal|correto) ",
)

REFUSALS = (*ENGLISH, *SPANISH, *FRENCH, *GERMAN, *PORTUGUESE)
