"""Fingerprints of what is rendered."""

import hashlib
import json

SHORT = 10
"""Digits of a fingerprint that is part of a name."""


def digest(content: object, digits: int = 16) -> str:
    """So many hexadecimal digits, which differ where the content does, but not by the order of its fields."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:digits]
