"""Ids that sort by time: UUID version 7, which the standard library has from Python 3.14 only.

Source: RFC 9562, section 5.7.
"""

import os
import random
import time

_random = random.Random()
# A child that went on with its parent's random numbers would give out its parent's ids.
os.register_at_fork(after_in_child=_random.seed)

_LOW_62_BITS = (1 << 62) - 1


def uuid7(stamp_ms: int, bits: int) -> str:
    """The id of that time and those random bits.

    Args:
        stamp_ms: milliseconds since 1970, 48 bits.
        bits: 74 random bits.

    >>> uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F)
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f'
    """
    number = stamp_ms << 80 | 0x7 << 76 | bits >> 62 << 64 | 0b10 << 62 | bits & _LOW_62_BITS
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id() -> str:
    """An id nobody else has."""
    return uuid7(time.time_ns() // 1_000_000, _random.getrandbits(74))
