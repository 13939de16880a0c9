"""Who asks for a service that is not there is told what there is."""

import pytest
from aifactory.cluster.kinds import INFERENCE_SERVICE
from aifactory.cluster.single import NotFoundError, service


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (200, "no InferenceService llama in namespace chat: the namespace has none"),
        (403, "no InferenceService llama in namespace chat: the namespace has none"),
        (404, "no InferenceService llama: there is no namespace chat"),
    ],
    ids=["there", "may not be looked at", "not there"],
)
async def test_an_empty_namespace_is_told_from_one_that_is_not_there(server, client, status, says):
    server.refuse("GET", INFERENCE_SERVICE.path("chat", "llama"), 404, "NotFound")
    server.answers["GET", INFERENCE_SERVICE.prefix] = (200, {"resources": [{"name": INFERENCE_SERVICE.plural}]})
    server.answers["GET", INFERENCE_SERVICE.collection("chat")] = (200, {"items": []})
    server.answers["GET", "/api/v1/namespaces/chat"] = (status, {"kind": "Namespace"})
    with pytest.raises(NotFoundError, match=f"^{says}$"):
        await service(client, ("chat", "llama"))
