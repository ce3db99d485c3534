"""How assistants decline in Spanish, French, German and Portuguese: a dozen phrases each.

They follow the English ones (``phrases``), and nobody has measured how many refusals they find.
"""

SPANISH = (
    r"(?:lo siento|lo lamento|disculp[ae]|perd[oó]n|lamentablemente)[^.]{0,40}?"
    r"\bno (?:puedo|podemos|me es posible|estoy)\b",
    r"no puedo (?:ayudar|asistir|proporcionar|ofrecer|dar|responder|cumplir|compartir|generar|escribir|"
    r"crear|participar|realizar|hacer eso)",
    r"no (?:me es posible|soy capaz de|tengo permitido|estoy autorizad[oa]|estoy en condiciones)\b",
    r"(?:debo|tengo que) (?:negarme|declinar|rechazar)\b",
    r"en contra de (?:mis|nuestras|las) (?:directrices|pol[ií]ticas|normas|principios|pautas)\b",
    r"como (?:un )?(?:modelo de lenguaje|asistente|inteligencia artificial|una? ia)\b[^.]{0,60}?"
    r"\bno (?:puedo|tengo|debo)\b",
    r"no (?:es|ser[ií]a) (?:apropiado|[eé]tico|adecuado) \w+",
)

FRENCH = (
    r"(?:d[eé]sol[eé]e?|je m'excuse|je regrette|malheureusement)\b[^.]{0,40}?\bje ne (?:peux|puis|suis)\b",
    r"je ne (?:peux|puis) (?:(?:malheureusement |donc )?pas )?(?:vous |t'|te |r[eé]pondre|aider|fournir|"
    r"donner|acc[eé]der|partager|cr[eé]er|g[eé]n[eé]rer|[eé]crire|satisfaire)",
    r"je ne suis pas (?:en mesure|capable|autoris[eé]e?|habilit[eé]e?)\b",
    r"je (?:dois|pr[eé]f[eè]re) (?:refuser|d[eé]cliner|ne pas)\b",
    r"[aà] l'encontre de (?:mes|nos|ma|notre) \w+",
    r"en tant qu(?:e mod[eè]le|e? ?'?(?:ia|intelligence artificielle|assistant))\b[^.]{0,60}?"
    r"\bne (?:peux|puis|suis|dois)\b",
    r"il (?:n'est|ne serait) pas (?:appropri[eé]|[eé]thique|possible pour moi)",
)

GERMAN = (
    r"(?:tut mir (?:sehr )?leid|entschuldigung|leider|ich bedaure)\b[^.]{0,40}?"
    r"\b(?:kann|darf|m[oö]chte|werde) (?:ich|dir|ihnen|dabei|das)\b[^.]{0,60}?\b(?:nicht|keine?n?)\b",
    r"ich (?:kann|darf|werde) (?:\w+ ){0,3}(?:nicht|keine?n?) (?:\w+ ){0,4}(?:helfen|weiterhelfen|"
    r"unterst[uü]tzen|beantworten|bereitstellen|anbieten|geben|teilen|erstellen|schreiben|erf[uü]llen)\b",
    r"ich bin (?:leider )?nicht (?:in der lage|befugt|berechtigt|daf[uü]r)\b",
    r"ich (?:muss|m[oö]chte) (?:das |dies |diese anfrage |ihre anfrage |deine anfrage )?"
    r"(?:ablehnen|verweigern)\b",
    r"(?:verst[oö](?:ß|ss)t gegen|widerspricht) (?:meine[nr]?|unsere[nr]?|die (?:richtlinien|regeln))\b",
    r"als (?:ki|k[uü]nstliche intelligenz|sprachmodell|ki-\w+|assistent)\b[^.]{0,60}?"
    r"\b(?:kann|darf) ich[^.]{0,60}?\b(?:nicht|keine?n?)\b",
    r"es (?:ist|w[aä]re) (?:nicht (?:angemessen|ethisch|vertretbar)|unethisch|unangemessen)\b",
)

PORTUGUESE = (
    r"(?:desculp[ae]|sinto muito|lamento|infelizmente|perd[aã]o)\b[^.]{0,40}?"
    r"\bn[aã]o (?:posso|podemos|consigo|estou)\b",
    r"n[aã]o (?:posso|consigo) (?:(?:te )?ajudar|auxiliar|fornecer|oferecer|dar|responder|cumprir|gerar|"
    r"compartilhar|partilhar|escrever|criar|participar|fazer isso|atender)",
    r"n[aã]o (?:sou capaz de|me [eé] poss[ií]vel|estou autorizad[oa]|tenho permiss[aã]o)",
    r"(?:devo|preciso|tenho (?:que|de)) (?:recusar|declinar|negar)\b",
    r"contra (?:as )?(?:minhas|nossas|as) (?:diretrizes|pol[ií]ticas|regras|normas)\b",
    r"como (?:uma? )?(?:modelo de linguagem|assistente|intelig[eê]ncia artificial|ia)\b[^.]{0,60}?"
    r"\bn[aã]o (?:posso|tenho|devo|consigo)\b",
    r"n[aã]o (?:[eé]|seria) (?:apropriado|[eé]tico|adequado) ",
)
