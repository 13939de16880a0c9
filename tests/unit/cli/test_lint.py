"""`aifactory lint` says offline what the API server would say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aifactory.api.checks import EXTENSION
from aifactory.api.schema import DEFINITIONS, object_schema
from aifactory.cli import app
from aifactory.lint import problems
from aifactory.manifest import read_documents
from pydantic import ValidationError
from typer.testing import CliRunner

from tests.bad_objects import Bad, Good
from tests.bad_objects.bad import BAD
from tests.bad_objects.good import GOOD

SMALLEST = GOOD[0].manifest
# A billion values.
BOMB = "0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


def lint(*arguments: str, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lint", *arguments], input=stdin)
    return result.exit_code, result.output


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.case)
def test_a_bad_object_has_a_problem_at_its_field(bad: Bad) -> None:
    found = [problem for problem in problems(bad.manifest) if problem.path.startswith(bad.path)]
    assert any(bad.says in problem.message for problem in found), problems(bad.manifest)


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.case)
def test_a_good_object_has_no_problem(good: Good) -> None:
    assert problems(good.manifest) == []


def test_every_rule_of_the_crd_is_broken_by_some_bad_object() -> None:
    """So that none of them can differ between the API server and offline without a test that notices."""
    found = {rule for bad in BAD for rule in broken_rules(bad)}
    rules = {message for one in DEFINITIONS.values() for message in rule_messages(object_schema(one))}
    assert rules <= found


def broken_rules(bad: Bad) -> Iterator[str]:
    """Messages of the rules, also of those that say something else of a value."""
    try:
        DEFINITIONS[bad.kind].model.model_validate(bad.manifest)
    except ValidationError as refusal:
        yield from (error["ctx"]["rule"] for error in refusal.errors() if "rule" in error.get("ctx", {}))


def rule_messages(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get(EXTENSION, ()))
        for value in schema.values():
            yield from rule_messages(value)


def test_an_error_shows_file_line_field_and_the_value_to_change(tmp_path: Path) -> None:
    file = tmp_path / "chat.yaml"
    file.write_text(
        "apiVersion: aifactory.dev/v1alpha1\n"
        "kind: InferenceService\n"
        "metadata: {name: chat}\n"
        "spec:\n"
        "  model: {name: llama}\n"
        "  runtime:\n"
        "    engine: vllm\n"
        "    port: 80\n"
    )
    code, output = lint("-f", str(file))
    assert code == 1
    assert output.startswith(f"{file}:8: spec.runtime.port: must be greater than or equal to 1024, not 80.")


def test_a_mistyped_field_is_named_with_the_one_that_was_meant() -> None:
    manifest = {**SMALLEST, "spec": {**SMALLEST["spec"], "acelerator": {"count": 2}}}
    code, output = lint("-f", "-", stdin=yaml.safe_dump(manifest))
    assert code == 1
    assert "spec.acelerator: unknown field; did you mean accelerator?" in output


def test_every_problem_of_every_file_and_document_is_shown(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump_all([{**named("no"), "spec": {}}, SMALLEST, {**SMALLEST, "metadata": {}}]))
    second.write_text(yaml.safe_dump({"kind": "List", "items": [{**named("old"), "apiVersion": "aifactory.dev/v1"}]}))
    code, output = lint("-f", str(first), "-f", str(second))
    assert code == 1
    fields = [line.split(": ")[1] for line in output.splitlines()]
    assert fields == ["spec.model", "spec.runtime", "metadata.name", "apiVersion"]


def test_a_clean_manifest_passes_beside_objects_of_other_kinds() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    code, output = lint("-f", "-", stdin=yaml.safe_dump_all([other, named("chat"), None, named("other")]))
    assert (code, output) == (0, "2 InferenceServices: no problems\n")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("InferenceServce", "did you mean InferenceService?"),
        ("ModelCaches", "did you mean ModelCache?"),
        ("Fleet", "known here: InferenceService, ModelCache, AIFactory"),
    ],
)
@pytest.mark.parametrize("command", ["lint", "render", "diff"])
def test_an_object_of_ours_of_an_unknown_kind_is_a_problem_beside_good_ones(command: str, kind: str, says: str) -> None:
    text = yaml.safe_dump_all([SMALLEST, {**SMALLEST, "kind": kind}])
    result = CliRunner().invoke(app, [command, "-f", "-"], input=text)
    assert result.exit_code == (2 if command == "diff" else 1)
    assert f"kind: unknown kind; {says}\n" in result.output


def test_kinds_are_counted_in_words() -> None:
    factory = next(good for good in GOOD if good.kind == "AIFactory").manifest
    assert lint("-f", "-", stdin=yaml.safe_dump(factory)) == (0, "1 AIFactory: no problems\n")
    both = yaml.safe_dump_all([named("chat"), factory, named("other")])
    assert lint("-f", "-", stdin=both) == (0, "2 InferenceServices, 1 AIFactory: no problems\n")


def test_an_object_that_is_there_twice_is_an_error_with_both_places(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump_all([named("chat"), named("chat", "prod")]))
    second.write_text(yaml.safe_dump_all([named("other"), named("chat", "dev"), named("chat", "prod")]))
    code, output = lint("-f", str(first), "-f", str(second))
    places = f"{second}:{line(second, 2)}: metadata.name: ", f"first at {first}:{line(first, 2)}; keep one"
    assert code == 1
    assert output.count("\n") == 1
    assert output.startswith(f"{places[0]}InferenceService prod/chat is given twice, {places[1]}")


def test_objects_of_different_kinds_or_names_are_not_the_same() -> None:
    cache = next(good for good in GOOD if good.kind == "ModelCache").manifest
    of_one_name = [named("chat"), {**cache, "metadata": {"name": "chat"}}]
    assert lint("-f", "-", stdin=yaml.safe_dump_all(of_one_name))[0] == 0
    assert lint("-f", "-", stdin=yaml.safe_dump_all([{**SMALLEST, "metadata": {}}] * 2))[1].count("\n") == 2


def named(name: str, namespace: str | None = None) -> dict[str, Any]:
    return {**SMALLEST, "metadata": {"name": name} | ({"namespace": namespace} if namespace else {})}


def line(file: Path, number: int) -> int:
    """Where the name of an object called chat stands, of the first or the second one in the file; from 1."""
    return [at for at, text in enumerate(file.read_text().splitlines(), 1) if text == "  name: chat"][number - 1]


def test_a_null_is_a_field_left_out() -> None:
    assert problems({**SMALLEST, "spec": {**SMALLEST["spec"], "slo": None}}) == []


def test_a_time_of_day_needs_no_quotes() -> None:
    (document,) = read_documents("-", "{early: 08:00, late: 20:00, share: 1:30.5, replicas: 0x10, part: .5}")
    assert document.data == {"early": "08:00", "late": "20:00", "share": "1:30.5", "replicas": 16, "part": 0.5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("spec: [", "-:1: not YAML"),
        ("kind: InferenceService\nspec:\n  replicas: 1\n  replicas: 2\n", "-:4: the key 'replicas' is given twice"),
        ("kind: ConfigMap\napiVersion: v1\n", "no InferenceService, ModelCache or AIFactory of aifactory.dev in -"),
        ("", "no InferenceService, ModelCache or AIFactory of aifactory.dev in -"),
        ("- just\n- a list\n", "-:1: not an object"),
        ("? [a]\n: b\n", "-:1: a key must be a word"),
        ("spec: &a [*a]\n", "-: nested too deeply"),
        pytest.param("[" * 100_000, "-: nested too deeply", id="deep"),
        (BOMB, "-:1: its anchors repeat more than 100,000 values"),
        ("kind: InferenceService\nspec:\n  replicas: 2020-13-45\n", "-:3: not YAML: month must be in 1..12"),
        ("kind: InferenceService\nspec: \0\n", "-:2: not text: the character U+0000 is in it"),
    ],
)
def test_text_that_is_no_manifest_is_an_error_and_not_a_success(text: str, says: str) -> None:
    code, output = lint("-f", "-", stdin=text)
    assert code == 1
    assert says in output


def test_a_file_that_is_not_there_is_named() -> None:
    code, output = lint("-f", "nowhere.yaml")
    assert (code, output) == (1, "error: nowhere.yaml: No such file or directory\n")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"\xff\xfe\x00")
    code, output = lint("-f", str(weights))
    assert code == 1
    assert f"error: {weights}: not UTF-8 text" in output
