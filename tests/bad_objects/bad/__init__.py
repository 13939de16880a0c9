"""Objects that must be refused, grouped by what is wrong with them."""

from .bounds import BOUNDS
from .caches import CACHES, FACTORIES
from .contradictions import ASLEEP, CONTRADICTIONS
from .dynamo import DYNAMO
from .engines import ENGINES
from .intrusions import INTRUSIONS
from .nodes import GROUPS
from .shapes import MISSING, NAMES, TYPES, WORDS

BAD = (
    *NAMES,
    *TYPES,
    *MISSING,
    *WORDS,
    *BOUNDS,
    *CONTRADICTIONS,
    *ASLEEP,
    *INTRUSIONS,
    *ENGINES,
    *GROUPS,
    *DYNAMO,
    *CACHES,
    *FACTORIES,
)
