"""`aifactory simulate`."""

import json
from pathlib import Path

import pytest
from aifactory.cli import app
from aifactory.simulate import command
from aifactory.simulate.capacity import Capacity, profile
from aifactory.simulate.registry import POLICIES
from aifactory.simulate.scenario import Scenario
from typer.testing import CliRunner, Result

from tests.simulate.scenes import manifest, split_manifest, write_service

FIGURES = {
    "attainment",
    "worst5m",
    "gpu_hours",
    "gpu_hours_vs_oracle",
    "goodput_per_gpu_hour",
    "ttft_p99_seconds",
    "itl_p99_seconds",
    "request_p99_seconds",
    "tokens_per_gpu_hour",
    "scale_actions_per_hour",
    "aborted",
}


CAPACITIES: dict[object, Capacity] = {}
OF_THE_OPERATOR = ("--json", "--policy", "aifactory", "--startup", "30s")


@pytest.fixture(autouse=True)
def _profiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of a scenario are alike here, so that a replica of the same service always carries the same."""

    def once(scenario: Scenario) -> Capacity:
        (lengths,) = {(one.prompt_tokens, one.output_tokens) for one in scenario.requests}
        key = (scenario.role.name, scenario.role.service.model_dump_json(), scenario.engine, lengths)
        if key not in CAPACITIES:
            CAPACITIES[key] = profile(scenario)
        return CAPACITIES[key]

    monkeypatch.setattr(command, "profile", once)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the operator makes of the trace when it is told nothing else."""
    folder = tmp_path_factory.mktemp("usual")
    return simulate(folder, write_trace(folder), *OF_THE_OPERATOR)[1]


def write_trace(folder: Path) -> Path:
    path = folder / "trace.csv"
    path.write_text("seconds,requests_per_second\n0,2\n120,6\n240,2\n")
    return path


LENGTHS = ("--input-tokens", "64", "--output-tokens", "32")


def simulate(folder: Path, trace: Path, *more: str, lengths: tuple[str, ...] = LENGTHS) -> tuple[int, str]:
    service = write_service(folder)
    options = ("--trace", str(trace), *lengths, "--engine", "demo", *more)
    result = CliRunner().invoke(app, ["simulate", "-f", str(service), *options])
    return result.exit_code, result.output


def simulated(folder: Path, trace: Path, changed: dict[str, object], *more: str) -> Result:
    """One fixed number of replicas, for a service of this manifest."""
    path = folder / "service.json"
    path.write_text(json.dumps(changed))
    options = ("--trace", str(trace), *LENGTHS, "--policy", "static-mean", *more)
    return CliRunner().invoke(app, ["simulate", "-f", str(path), *options])


def test_json_is_one_object_with_every_policy(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "--json")
    assert code == 0
    found = json.loads(output)
    assert found.keys() == {"engine", "startup_seconds", "policies"}
    assert list(found["policies"]) == list(POLICIES)
    assert all(figures.keys() == FIGURES for figures in found["policies"].values())
    assert found["policies"]["oracle"]["gpu_hours_vs_oracle"] == 1.0
    assert all(0 <= figures["worst5m"] <= figures["attainment"] <= 1 for figures in found["policies"].values())


def test_the_table_has_the_policies_that_were_asked_for(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "--policy", "aifactory", "--policy", "kpa")
    assert code == 0
    assert "aifactory" in output
    assert "kpa" in output
    assert "static-peak" not in output
    assert "GPU-hours" in output


def test_the_table_says_by_which_engine_and_start_up_it_is(tmp_path: Path, trace: Path) -> None:
    result = simulated(tmp_path, trace, manifest(), "--startup", "2m")
    assert result.exit_code == 0
    caption = " ".join(result.stdout.split())
    assert "engine llama-3.1-8b-h100: Llama-3.1-8B on 1 H100 (inference-sim defaults.yaml" in caption
    assert "; start-up 2m" in caption


def test_json_says_by_which_engine_and_start_up_it_is(tmp_path: Path, trace: Path) -> None:
    found = json.loads(simulated(tmp_path, trace, manifest(), "--engine", "llama-3.1-8b-a100", "--json").stdout)
    source = found["engine"].pop("source")
    assert found["engine"] == {"name": "llama-3.1-8b-a100", "model": "Llama-3.1-8B", "gpu": "A100", "gpus": 1}
    assert "vLLM 0.8.4" in source
    assert found["startup_seconds"] == 90


def test_the_table_has_end_to_end_latencies_where_there_is_such_an_objective(tmp_path: Path, trace: Path) -> None:
    title = "E2E s p50/95/99"
    with_it = simulated(tmp_path, trace, manifest(slo={"objectives": {"endToEndLatency": {"target": "30s"}}}))
    assert title in with_it.stdout
    assert title not in simulated(tmp_path, trace, manifest()).stdout


SCHEDULE = {"name": "night", "start": "22:00", "end": "06:00", "maxReplicas": 1}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"accelerator": {"count": 4}}, "the service has 4 GPUs a replica, but engine llama-3.1-8b-h100 is"),
        ({"model": {"name": "meta/llama-3.3-70b-instruct"}}, "the service has model meta/llama-3.3-70b-instruct, but"),
        ({"accelerator": {"product": "NVIDIA-B200"}}, "the service has GPUs NVIDIA-B200, but engine"),
        ({"scaling": {"minReplicas": 0, "maxReplicas": 2}}, "spec.scaling.minReplicas is 0, but one replica always"),
        ({"scaling": {"maxReplicas": 2, "schedules": [SCHEDULE]}}, "spec.scaling.schedules count for nothing here"),
        ({"scaling": {"maxReplicas": 2, "mode": "Recommend"}}, "spec.scaling.mode is Recommend, but decisions are"),
        ({"mode": "Plan"}, "spec.mode is Plan, but decisions are carried out here"),
    ],
    ids=["GPUs", "model", "product", "zero", "schedules", "Recommend", "Plan"],
)
def test_what_is_simulated_otherwise_than_the_service_is_noted_beside_the_result(
    tmp_path: Path, trace: Path, spec: dict[str, object], said: str
) -> None:
    changed = manifest()
    changed["spec"] |= {"accelerator": {"count": 1}, **spec}
    result = simulated(tmp_path, trace, changed, "--json")
    assert json.loads(result.stdout)["policies"].keys() == {"static-mean"}
    assert result.stderr.startswith(f"note: {said}")
    assert result.stderr.count("note: ") == 1


def test_nothing_is_noted_of_an_engine_that_is_like_the_service(tmp_path: Path, trace: Path) -> None:
    changed = manifest()
    accelerator = {"product": "NVIDIA-H100-80GB-HBM3", "count": 1}
    changed["spec"] |= {"model": {"name": "meta-llama/Llama-3.1-8B-Instruct"}, "accelerator": accelerator}
    assert simulated(tmp_path, trace, changed).stderr == ""


def test_policies_may_follow_one_option(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "--json", "--policy", "hpa-queue", "static-mean")
    assert code == 0
    assert list(json.loads(output)["policies"]) == ["hpa-queue", "static-mean"]


def test_policies_may_have_commas_between(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "--json", "--policy", "hpa-queue, static-mean,kpa")
    assert code == 0
    assert list(json.loads(output)["policies"]) == ["hpa-queue", "static-mean", "kpa"]


def test_a_seed_decides_everything(tmp_path: Path, trace: Path) -> None:
    first, again, other = (simulate(tmp_path, trace, *OF_THE_OPERATOR, "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert first == again != other


@pytest.mark.parametrize(
    "more",
    [("--scrape-interval", "5s"), ("--tick", "5s"), ("--metrics-window", "30s"), ("--initial-replicas", "1")],
    ids=lambda more: more[0],
)
def test_what_the_operator_sees_and_begins_with_can_be_told(
    tmp_path: Path, trace: Path, usual: str, more: tuple[str, ...]
) -> None:
    assert simulate(tmp_path, trace, *OF_THE_OPERATOR, *more)[1] != usual


def test_a_cluster_that_is_too_small_is_paid_for_up_to_its_size_and_misses_objectives(
    tmp_path: Path, trace: Path
) -> None:
    trace.write_text("seconds,requests_per_second\n0,2\n60,20\n150,20\n")

    def figures(*more: str) -> dict[str, float]:
        output = simulate(tmp_path, trace, *OF_THE_OPERATOR, *more)[1]
        found: dict[str, float] = json.loads(output)["policies"]["aifactory"]
        return found

    small, large = figures("--gpus", "2"), figures()
    assert small["gpu_hours"] < large["gpu_hours"]
    assert small["attainment"] < large["attainment"]


def test_a_cluster_without_room_for_one_replica_is_refused(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "--gpus", "1")
    assert code == 1
    assert "--gpus must be at least 2, as one replica has so many, not 1" in output


def test_a_bad_trace_is_refused_with_file_and_line(tmp_path: Path, trace: Path) -> None:
    trace.write_text("seconds,input_tokens,output_tokens\n0,1,1\n1,many,1\n")
    code, output = simulate(tmp_path, trace, lengths=())
    assert code == 1
    assert f"error: {trace}:3: input_tokens must be a whole number of tokens, not 'many'" in output


def test_lengths_for_a_trace_that_has_its_own_are_refused(tmp_path: Path, trace: Path) -> None:
    trace.write_text("seconds,input_tokens,output_tokens\n0,1,1\n1,2,1\n")
    code, output = simulate(tmp_path, trace)
    assert code == 1
    assert f"error: {trace}: has tokens of each request: leave out --input-tokens and --output-tokens" in output


def test_an_argument_that_belongs_to_no_option_is_told_from_a_policy(tmp_path: Path, trace: Path) -> None:
    code, output = simulate(tmp_path, trace, "other.yaml")
    assert code == 1
    assert "error: unexpected argument 'other.yaml'; a manifest is given with -f" in output


def test_help_has_the_columns_of_traces_in_full_on_a_usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = CliRunner().invoke(app, ["simulate", "--help"]).output
    assert "seconds,input_tokens,output_tokens" in output
    assert "seconds,requests_per_second" in output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--policy", "hpa"), "--policy 'hpa' is unknown; did you mean hpa-queue or hpa-kv?"),
        (("--policy", "hpa-que"), "--policy 'hpa-que' is unknown; did you mean hpa-queue?"),
        (("--engine", "tpu"), "--engine 'tpu' is unknown; known are llama-3.1-8b-h100"),
        (("--startup", "soon"), "--startup: 'soon' is not a duration"),
        (("--tick", "0s"), "--tick must be at least 0.1s, not 0s"),
        (("--scrape-interval", "15"), "--scrape-interval: '15' is not a duration"),
        (("--scrape-interval", "1h"), "--scrape-interval must be at most 300s, not 1h"),
        (("--rate-scale", "0.0001"), "--rate-scale 0.0001 leaves none of"),
        (("--plot", "."), "--plot .: the name must end in .png, .svg, .pdf or what else"),
        (("--plot", "run.xyz"), "--plot run.xyz: the name must end in .png"),
        (("--plot", "nowhere/run.png"), "--plot nowhere/run.png: there is no folder nowhere"),
        (("--output-tokens", "99999999999"), "at least 1 and at most 10,000,000"),
        (("--metrics-window", "20s"), "--metrics-window must be at least twice --scrape-interval, 30s, not 20s"),
        (("--scrape-interval", "60s"), "--metrics-window must be at least twice --scrape-interval, 120s, not 60s"),
        (("--initial-replicas", "11"), "--initial-replicas must be from 1 to 10, as minReplicas, maxReplicas and"),
        (("--metrics-window", "11m"), "--metrics-window must be at most 600s, not 11m"),
        (("--rate-scale", "0"), "--rate-scale must be above 0"),
        (("--input-tokens", "0"), "--input-tokens and --output-tokens belong together and are at least 1"),
    ],
)
def test_a_wrong_option_is_named_with_what_would_do(
    tmp_path: Path, trace: Path, more: tuple[str, ...], said: str
) -> None:
    code, output = simulate(tmp_path, trace, *more)
    assert code == 1
    assert said in output


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"scaling": None, "replicas": 2}, "spec.scaling: is required"),
        (
            {"slo": {"workload": "offline", "objectives": {"throughput": {"tokensPerSecond": 100}}}},
            "spec.slo: give a latency objective, or workload offline without objectives",
        ),
    ],
)
def test_a_service_that_cannot_be_simulated_is_told_why(
    tmp_path: Path, trace: Path, spec: dict[str, object], said: str
) -> None:
    changed = manifest()
    changed["spec"] = {name: value for name, value in {**changed["spec"], **spec}.items() if value is not None}
    path = tmp_path / "service.json"
    path.write_text(json.dumps(changed))
    lengths = ("--input-tokens", "64", "--output-tokens", "32")
    result = CliRunner().invoke(app, ["simulate", "-f", str(path), "--trace", str(trace), *lengths])
    assert result.exit_code == 1
    assert said in result.output


def offline(folder: Path, *more: str) -> tuple[int, str]:
    """Three bursts of 600 requests, which take one replica two minutes each."""
    changed = manifest()
    changed["spec"]["slo"] = {"workload": "offline", "completeWithin": "5m"}
    path, trace = folder / "offline.json", folder / "bursts.csv"
    path.write_text(json.dumps(changed))
    trace.write_text(
        "seconds,input_tokens,output_tokens\n" + "".join(f"{600 * burst},64,32\n" * 600 for burst in range(3))
    )
    result = CliRunner().invoke(app, ["simulate", "-f", str(path), "--trace", str(trace), "--engine", "demo", *more])
    return result.exit_code, result.output


def test_an_offline_service_is_judged_by_what_is_completed_in_time_and_by_tokens(tmp_path: Path) -> None:
    code, output = offline(tmp_path, "--json")
    assert code == 0
    found = json.loads(output)["policies"]
    assert set(found) == {*POLICIES} - {"keda-slo", "dynamo"}
    assert all(figures["attainment"] == 1.0 for figures in found.values())
    assert 10 < found["aifactory"]["request_p99_seconds"] < 300
    hours = found["aifactory"]["gpu_hours"]
    assert found["aifactory"]["tokens_per_gpu_hour"] == pytest.approx(3 * 600 * 96 / hours)
    assert hours < 0.5 * found["hpa-queue"]["gpu_hours"]


def test_the_table_of_an_offline_service_has_tokens_and_the_time_that_requests_take(tmp_path: Path) -> None:
    code, output = offline(tmp_path, "--policy", "static-mean")
    assert code == 0
    assert "tokens/GPU-h" in output
    assert "taken s p50/95/99" in output
    assert "ITL" not in output


def test_a_policy_that_follows_latencies_is_refused_for_an_offline_service(tmp_path: Path) -> None:
    code, output = offline(tmp_path, "--policy", "dynamo")
    assert code == 1
    assert "--policy 'dynamo' follows latency objectives, and an offline service has none" in output


def split(folder: Path, trace: Path, *more: str) -> tuple[int, str]:
    """Prefill and decode apart."""
    path = folder / "split.json"
    path.write_text(json.dumps(split_manifest()))
    options = ("--input-tokens", "64", "--output-tokens", "32", "--engine", "demo", "--startup", "30s", *more)
    result = CliRunner().invoke(app, ["simulate", "-f", str(path), "--trace", str(trace), *options])
    return result.exit_code, result.output


def test_json_has_the_share_of_each_role_where_prefill_and_decode_are_apart(tmp_path: Path, trace: Path) -> None:
    code, output = split(tmp_path, trace, "--json")
    assert code == 0
    found = json.loads(output)["policies"]
    assert list(found) == ["aifactory", "dynamo", "static-peak", "static-mean", "oracle"]
    for figures in found.values():
        assert figures.keys() == {*FIGURES, "roles"}
        assert figures["roles"].keys() == {"prefill", "decode"}
        for name in ("gpu_hours", "scale_actions_per_hour"):
            assert sum(one[name] for one in figures["roles"].values()) == pytest.approx(figures[name])


def test_the_table_has_the_totals_of_both_roles(tmp_path: Path, trace: Path) -> None:
    code, output = split(tmp_path, trace, "--policy", "static-mean")
    assert code == 0
    hours = json.loads(split(tmp_path, trace, "--policy", "static-mean", "--json")[1])["policies"]["static-mean"]
    assert f" {hours['gpu_hours']:.2f} " in output


def test_a_policy_for_equal_replicas_is_refused_where_prefill_and_decode_are_apart(tmp_path: Path, trace: Path) -> None:
    code, output = split(tmp_path, trace, "--policy", "kpa")
    assert code == 1
    assert "--policy 'kpa' is for equal replicas, and this service has prefill and decode apart" in output


def test_a_picture_of_both_roles_is_drawn(tmp_path: Path, trace: Path) -> None:
    code, _ = split(tmp_path, trace, "--policy", "aifactory", "--plot", str(tmp_path / "run.svg"))
    assert code == 0
    drawn = (tmp_path / "run.svg").read_text()
    assert all(f"{role} replicas" in drawn for role in ("prefill", "decode"))


def test_a_picture_is_drawn(tmp_path: Path, trace: Path) -> None:
    code, _ = simulate(tmp_path, trace, "--policy", "aifactory", "--plot", str(tmp_path / "run.png"))
    assert code == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_has_the_objective_and_of_a_long_trace_hours(tmp_path: Path, trace: Path) -> None:
    def drawn() -> str:
        code, _ = simulate(tmp_path, trace, "--policy", "static-mean", "--plot", str(tmp_path / "run.svg"))
        assert code == 0
        return (tmp_path / "run.svg").read_text()

    short = drawn()
    assert all(f"<!-- {words} -->" in short for words in ("objective", "static-mean", "minutes"))
    trace.write_text("seconds,requests_per_second\n0,0.01\n40000,0.01\n")
    assert "<!-- hours -->" in drawn()
