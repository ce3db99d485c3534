"""Ids that sort by time: UUID version 7, which the standard library has from Python 3.14 only.

Source: RFC 9562, section 5.7.
"""

import os
import random
import time

_random = random.Random()
# A child that went on with its parent's random numbers would give out its parent's ids.
os.register_at_fork(after_in_child=_random.seed)

_VERSION_AND_VARIANT = 0x7000_8000_0000_0000_0000
_FREE_BITS = 0x0FFF_3FFF_FFFF_FFFF_FFFF


def uuid7(stamp_ms: int, bits: int) -> str:
    """The id of that time and those random bits.

    Args:
        stamp_ms: milliseconds since 1970, 48 bits.
        bits: 76 random bits, of which two make way for the variant.

    >>> uuid7(0x017F22E279B0, 0xCC3_98C4_DC0C_0C07_398F)
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f'
    """
    number = stamp_ms << 80 | _VERSION_AND_VARIANT | bits & _FREE_BITS
    digits = number.to_bytes(16, "big").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id() -> str:
    """An id nobody else has."""
    return uuid7(time.time_ns() // 1_000_000, _random.getrandbits(76))
