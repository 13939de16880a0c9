"""The real Prometheus joins what DCGM exporter measures with the pods that hold the GPUs."""

from pathlib import Path

from aifactory.signals.power import QUERY, build

from .test_simulated_prometheus import evaluated

OLD, NEW = "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS"
EXPORTER = 'namespace="gpu-operator",pod="dcgm-exporter-x"'


def answers(file: Path, samples: dict[str, str], expected: dict[tuple[str, str], float]) -> None:
    inputs = [{"series": name, "values": values} for name, values in samples.items()]
    found = [{"labels": f'{{namespace="{of}",pod="{pod}"}}', "value": value} for (of, pod), value in expected.items()]
    evaluated(file / "test.yaml", inputs, [{"eval_time": "60s", "expr": build(60)[QUERY], "exp_samples": found}])


def test_gpus_of_a_pod_add_up_as_means_over_the_window(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {
            f'{OLD}{{namespace="chat",pod="a",gpu="0",UUID="GPU-0"}}': "0 100 200 300 400",
            f'{OLD}{{namespace="chat",pod="a",gpu="1",UUID="GPU-1"}}': "50x4",
            f'{OLD}{{namespace="other",pod="a",gpu="2",UUID="GPU-2"}}': "70x4",
        },
        {("chat", "a"): 300.0, ("other", "a"): 70.0},
    )


def test_labels_that_prometheus_has_renamed_are_those_of_the_workload(tmp_path: Path) -> None:
    of = 'exported_namespace="chat",exported_pod="a"'
    answers(
        tmp_path,
        {
            f'{OLD}{{{EXPORTER},{of},gpu="0",UUID="GPU-0"}}': "100x4",
            f'{OLD}{{{EXPORTER},{of},gpu="1",UUID="GPU-1"}}': "200x4",
            f'{OLD}{{{EXPORTER},gpu="2",UUID="GPU-2"}}': "30x4",
        },
        {("chat", "a"): 300.0, ("gpu-operator", "dcgm-exporter-x"): 30.0},
    )


def test_a_gpu_counts_once_whoever_scrapes_it_and_into_how_many_parts_it_is_cut(tmp_path: Path) -> None:
    of = 'exported_namespace="chat",exported_pod="a",gpu="0",UUID="GPU-0"'
    answers(
        tmp_path,
        {
            f'{OLD}{{{EXPORTER},{of},job="one",GPU_I_ID="1"}}': "100x4",
            f'{OLD}{{{EXPORTER},{of},job="one",GPU_I_ID="2"}}': "100x4",
            f'{OLD}{{{EXPORTER},{of},job="two"}}': "100x4",
        },
        {("chat", "a"): 100.0},
    )


def test_exporters_of_either_release_are_read(tmp_path: Path) -> None:
    answers(
        tmp_path,
        {
            f'{OLD}{{namespace="chat",pod="a",gpu="0",UUID="GPU-0"}}': "100x4",
            f'{NEW}{{namespace="chat",pod="a",gpu="0",UUID="GPU-0"}}': "100x4",
            f'{NEW}{{namespace="chat",pod="b",gpu="1",UUID="GPU-1"}}': "250x4",
        },
        {("chat", "a"): 100.0, ("chat", "b"): 250.0},
    )


def test_without_an_exporter_there_is_no_answer_and_no_error(tmp_path: Path) -> None:
    answers(tmp_path, {"up": "1x4"}, {})
