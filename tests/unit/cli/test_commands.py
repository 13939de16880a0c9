"""The commands that need no cluster."""

from pathlib import Path

import pytest
import yaml
from aifactory.api.schema import crds
from aifactory.cli import app
from typer.testing import CliRunner

from tests.bad_objects.bad import BAD
from tests.bad_objects.good import GOOD

ROOT = Path(__file__).parents[3]


def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.output


def test_crds_prints_every_definition() -> None:
    code, output = run("crds")
    assert code == 0
    assert list(yaml.safe_load_all(output)) == list(crds().values())


def test_crds_writes_the_files_that_the_repository_carries(tmp_path: Path) -> None:
    assert run("crds", "--output", str(tmp_path)) == (0, "")
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in (ROOT / "crds").iterdir()}


def test_crds_names_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.write_text("")
    assert run("crds", "--output", str(folder)) == (1, f"error: --output {folder}: File exists\n")


def test_render_prints_the_children_of_every_service() -> None:
    scaled = next(good for good in GOOD if good.case == "scaling with every knob").manifest
    scaled["metadata"]["name"] = "scaled"
    code, output = run("render", "-f", "-", stdin=yaml.safe_dump_all([GOOD[0].manifest, scaled]))
    assert code == 0
    children = list(yaml.safe_load_all(output))
    replicas = {
        child["metadata"]["name"]: child["spec"]["replicas"] for child in children if child["kind"] == "Deployment"
    }
    assert replicas == {"chat": 1, "scaled": 2}
    assert "PodMonitor" not in {child["kind"] for child in children}


def test_render_shows_a_pod_monitor_when_asked() -> None:
    code, output = run("render", "--pod-monitor", "-f", "-", stdin=yaml.safe_dump(GOOD[0].manifest))
    assert code == 0
    assert "PodMonitor" in {child["kind"] for child in yaml.safe_load_all(output)}


def test_render_refuses_a_bad_service_and_prints_nothing_else() -> None:
    code, output = run("render", "-f", "-", stdin=yaml.safe_dump(BAD[0].manifest))
    assert code == 1
    assert "metadata.name: must be at most 52" in output
    assert "Deployment" not in output


def test_render_prints_the_children_of_a_cache() -> None:
    cache = next(good for good in GOOD if good.kind == "ModelCache").manifest
    code, output = run("render", "-f", "-", stdin=yaml.safe_dump_all([cache, GOOD[0].manifest]))
    assert code == 0
    kinds = [child["kind"] for child in yaml.safe_load_all(output)]
    assert kinds[:4] == ["PersistentVolumeClaim", "ServiceAccount", "NetworkPolicy", "Job"]
    assert "Deployment" in kinds


def test_render_gives_a_cache_the_mirror_of_an_aifactory_beside_it() -> None:
    cache = next(good for good in GOOD if good.case == "a cache of an NGC model").manifest
    factory = next(good for good in GOOD if good.kind == "AIFactory").manifest
    manifests = [cache, factory]
    code, output = run("render", "-f", "-", stdin=yaml.safe_dump_all(manifests))
    assert code == 0
    assert '"endpoint":"https://ngc.mirror.example.com"' in output
    assert "AIFactory" not in output


def test_render_says_why_it_prints_nothing() -> None:
    factory = next(good for good in GOOD if good.kind == "AIFactory").manifest
    assert run("render", "-f", "-", stdin=yaml.safe_dump(factory)) == (
        0,
        "note: an AIFactory has no objects of its own\n",
    )


@pytest.mark.parametrize(("command", "code"), [(("diff",), 2), (("simulate", "--trace", "load.csv"), 1)])
def test_a_file_without_a_service_is_told_from_one_without_changes(command: tuple[str, ...], code: int) -> None:
    cache = next(good for good in GOOD if good.kind == "ModelCache").manifest
    assert run(*command, "-f", "-", stdin=yaml.safe_dump(cache)) == (code, "error: no InferenceService in -\n")


@pytest.mark.parametrize("text", ["a: [", "kind: Pod", "kind: InferenceService\nmetadata: {name: x}\nspec: {model: 1}"])
def test_a_script_tells_a_bad_file_from_differences(text: str) -> None:
    assert run("diff", "-f", "-", stdin=text)[0] == 2


def test_version_is_a_version() -> None:
    code, output = run("version")
    assert code == 0
    assert output.strip().split(".")[0].isdigit()
