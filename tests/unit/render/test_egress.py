"""How model servers reach what they download."""

from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.render import render


def rendered(engine: str = "vllm", **egress: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Variables of the container, and the spec of its pod."""
    spec = {"model": {"name": "m"}, "runtime": {"engine": engine, "egress": egress}}
    service = InferenceService.model_validate({"metadata": {"name": "llama"}, "spec": spec})
    pod = next(c for c in render(service, {}, served=()) if c["kind"] == "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}, pod


def test_a_proxy_is_told_in_both_spellings_and_never_for_the_cluster_itself() -> None:
    env, _ = rendered(httpsProxy="http://proxy:3128", noProxy=["registry.example.com"])
    assert env["HTTPS_PROXY"] == env["https_proxy"] == "http://proxy:3128"
    assert env["no_proxy"] == "localhost,127.0.0.1,.svc,.cluster.local,registry.example.com"
    assert "HTTP_PROXY" not in env


def test_certificates_come_from_a_config_map_that_is_mounted() -> None:
    env, pod = rendered(caBundle={"configMap": "site", "key": "bundle.pem"})
    path = env["SSL_CERT_FILE"]
    assert path == env["REQUESTS_CA_BUNDLE"]
    (volume,) = [volume for volume in pod["volumes"] if "configMap" in volume]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]
    assert volume["configMap"] == {"name": "site"}
    assert path == f"{mount['mountPath']}/bundle.pem"
    assert mount["readOnly"]


def test_without_a_proxy_nothing_is_said_of_one() -> None:
    env, _ = rendered(caBundle={"configMap": "site"})
    assert not any("PROXY" in name.upper() for name in env)


def test_a_nim_uses_the_systems_own_tls_then() -> None:
    assert rendered("nim", httpProxy="http://proxy:3128")[0]["NIM_SDK_USE_NATIVE_TLS"] == "1"
    assert "NIM_SDK_USE_NATIVE_TLS" not in rendered("vllm", httpProxy="http://proxy:3128")[0]
