"""A changed spec replaces the replicas while they serve."""

from tests.e2e.conftest import Serve
from tests.e2e.service import IMAGE, Service, runtime

SAME_IMAGE_BY_ANOTHER_NAME = f"docker.io/{IMAGE}"


def test_a_changed_image_and_arguments_roll_out_without_a_lost_request(serve: Serve) -> None:
    service = serve(replicas=2)
    service.wait_ready()
    load = service.load("3@900s", "--output-tokens", "64")
    load.wait_running()
    before = _names(service)

    service.edit({"runtime": runtime(image=SAME_IMAGE_BY_ANOTHER_NAME, args=("--max-model-len=8192",))})
    service.wait_ready()
    service.wait("only new replicas", lambda: len(service.pods) == 2 and not _names(service) & before)
    way = [("True", "Available"), ("Unknown", "RollingOut"), ("True", "Available")]
    service.wait("all of its way is seen", lambda: service.conditions("Ready")[-3:] == way)
    assert all(_runs_new_spec(pod) for pod in service.pods)
    summary = load.stop()
    assert summary["failed"] == 0, summary
    assert summary["completed"] > 0


def _names(service: Service) -> set[str]:
    return {pod["metadata"]["name"] for pod in service.pods}


def _runs_new_spec(pod: dict[str, object]) -> bool:
    container = pod["spec"]["containers"][0]  # type: ignore[index]
    return container["image"] == SAME_IMAGE_BY_ANOTHER_NAME and "--max-model-len=8192" in container["args"]
