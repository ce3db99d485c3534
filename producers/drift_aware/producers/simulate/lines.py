"""Events as lines of a file, for ``drift-aware replay``: JSON, the type first, vectors in base64."""

import msgspec

from drift_aware.schema.events import KINDS, Event

_json = msgspec.json.Encoder()


def line(event: Event) -> bytes:
    r"""The event's line, with its end.

    >>> from drift_aware.schema.events import Evaluation
    >>> line(Evaluation(eval_set="golden", run_id="r1", ts=1700000000000, correct=True))
    b'{"type":"evaluation","eval_set":"golden","run_id":"r1","ts":1700000000000,"correct":true}\n'
    """
    return b'{"type":"%s",%s\n' % (KINDS[type(event)].encode(), _json.encode(event)[1:])
