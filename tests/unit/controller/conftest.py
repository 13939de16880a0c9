from tests.unit.cluster.conftest import client, server

__all__ = ["client", "server"]
