"""The cluster's AIFactory, as last read."""

import logging

from pydantic import ValidationError

from aifactory.api.factory import NOTHING, SINGLETON, AIFactory
from aifactory.api.schema import AI_FACTORY as DEFINITION
from aifactory.cluster.client import ApiError, Client
from aifactory.cluster.kinds import AI_FACTORY
from aifactory.lint import explain

logger = logging.getLogger(__name__)
_FORBIDDEN = (401, 403)


class FactoryReader:
    """Knows what it says. What cannot be read or used changes nothing, and is told once."""

    def __init__(self) -> None:
        self.spec = NOTHING
        self._told = ""

    async def read(self, client: Client) -> bool:
        """Ask the API server; whether it says something else than before.

        It says nothing where there is no AIFactory, or no such kind.

        Raises:
            ApiError: if no answer came that says what there is; nothing changes then.
        """
        before, problem = self.spec, ""
        try:
            found = await client.request("GET", AI_FACTORY.path("", SINGLETON), AI_FACTORY.plural)
            self.spec = AIFactory.model_validate(found).spec
        except ValidationError as error:
            problem = "; ".join(map(str, explain(error, DEFINITION)))
        except ApiError as error:
            if error.status == 404:
                self.spec = NOTHING
            elif error.status in _FORBIDDEN:
                problem = error.message
            else:
                raise
        self._tell(problem)
        return self.spec != before

    def _tell(self, problem: str) -> None:
        if problem not in ("", self._told):
            logger.warning("AIFactory %s is not used, what it said before stays in force: %s", SINGLETON, problem)
        self._told = problem
