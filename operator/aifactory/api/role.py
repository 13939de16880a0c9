"""The roles that make up a service."""

from enum import StrEnum


class RoleName(StrEnum):
    """What a set of equal pods does."""

    MODEL_SERVER = "model-server"  # holds the model and computes whole requests
    FRONTEND = "frontend"  # takes requests and gives them to others
    PREFILL = "prefill"  # computes prompts
    DECODE = "decode"  # generates tokens
    ACTIVATOR = "activator"  # holds requests while no model server runs
    ENDPOINT_PICKER = "epp"  # says which replica is to answer a request; a Service's name has room for no more
