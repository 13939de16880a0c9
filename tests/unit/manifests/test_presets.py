"""Presets fit the GPUs that they name, are as small as that allows, and stand in the README as they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.spec import InferenceServiceSpec
from aifactory.lint import problems
from aifactory.render import OPTIONAL, render

ROOT = Path(__file__).parents[3]
PRESETS = ROOT / "manifests" / "presets"
README = ROOT / "README.md"
UID = "3f2a9c1e-0b7d-4e6f-8a5b-9c0d1e2f3a4b"
GB = 1_000_000_000
REQUESTS = 4
USABLE = 0.9
DOWNLOAD = GB / 8
ON_PURPOSE = "# more GPUs than the weights need: "


@dataclass(frozen=True)
class GPU:
    """A kind of GPU: its node label, its memory by the name it is sold under, and how many a node has."""

    product: str
    memory: float
    node: int


@dataclass(frozen=True)
class Weights:
    """A checkpoint; `kept` of its parameters are in 16 bits whatever its precision. Both in billions."""

    parameters: float
    kept: float

    def size(self, precision: str) -> float:
        return ((self.parameters - self.kept) * BYTES[precision] + self.kept * BYTES["bf16"]) * GB


@dataclass(frozen=True)
class Cache:
    """What a request keeps: `values` per head, layer and token in 16 bits, `state` bytes however long it is."""

    layers: int
    heads: int
    values: int
    windowed_layers: int = 0
    window: int = 0
    state: int = 0

    def size(self, tokens: int) -> float:
        seen = self.layers * tokens + self.windowed_layers * min(tokens, self.window)
        return seen * self.heads * self.values * BYTES["bf16"] + self.state

    def copies(self, gpus: int) -> int:
        """GPUs share the heads out; those beyond the number of heads keep a second copy."""
        return max(1, gpus // self.heads)


GPUS = {
    "h100": GPU("NVIDIA-H100-80GB-HBM3", 80 * GB, 8),
    "h200": GPU("NVIDIA-H200", 141 * GB, 8),
    "b200": GPU("NVIDIA-B200", 180 * GB, 8),
    "gb200": GPU("NVIDIA-GB200", 186 * GB, 4),
}
# The 4-bit formats have a scale of one byte for 16 (NVFP4) or 32 (MXFP4) values.
BYTES = {"bf16": 2, "fp8": 1, "nvfp4": 4 / 8 + 1 / 16, "mxfp4": 4 / 8 + 1 / 32}
WEIGHTS = {
    "nvidia/Llama-3.1-8B-Instruct-FP8": Weights(8.03, 1.05),
    "nvidia/Llama-3.1-8B-Instruct-NVFP4": Weights(8.03, 1.05),
    "nvidia/Llama-3.1-70B-Instruct-FP8": Weights(70.55, 2.1),
    "nvidia/Llama-3.1-405B-Instruct-FP8": Weights(405.85, 4.2),
    "nvidia/Llama-3.1-405B-Instruct-NVFP4": Weights(405.85, 4.2),
    "openai/gpt-oss-20b": Weights(20.91, 1.79),
    "openai/gpt-oss-120b": Weights(116.83, 2.12),
    "deepseek-ai/DeepSeek-R1-0528": Weights(684.5, 1.9),
    "nvidia/DeepSeek-R1-0528-NVFP4-v2": Weights(684.5, 19.9),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8": Weights(31.6, 1.1),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": Weights(31.6, 1.1),
    "RedHatAI/gemma-3-27b-it-FP8-dynamic": Weights(27.4, 1.8),
    "Qwen/Qwen3-32B-FP8": Weights(32.8, 1.6),
    "nvidia/Qwen3-32B-NVFP4": Weights(32.8, 1.6),
    "Qwen/Qwen3-235B-A22B-FP8": Weights(235.1, 1.25),
    "nvidia/Qwen3-235B-A22B-NVFP4": Weights(235.1, 1.25),
}
CACHES = {
    "llama-3.1-8b": Cache(32, 8, 2 * 128),
    "llama-3.1-70b": Cache(80, 8, 2 * 128),
    "llama-3.1-405b": Cache(126, 8, 2 * 128),
    "gpt-oss-20b": Cache(12, 8, 2 * 64, windowed_layers=12, window=128),
    "gpt-oss-120b": Cache(18, 8, 2 * 64, windowed_layers=18, window=128),
    "deepseek-r1": Cache(61, 1, 512 + 64),
    "nemotron-3-nano": Cache(6, 2, 2 * 128, state=23 * 64 * 64 * 128 * 4),
    "gemma-3-27b": Cache(10, 16, 2 * 128, windowed_layers=52, window=1024),
    "qwen3-32b": Cache(64, 8, 2 * 128),
    "qwen3-235b": Cache(94, 4, 2 * 128),
}
OFFERED = {model: list(GPUS) for model in CACHES} | {"deepseek-r1": ["h200", "b200", "gb200"]}


@dataclass(frozen=True)
class Preset:
    """One document of a file."""

    model: str
    text: str

    @cached_property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = yaml.safe_load(self.text)
        return manifest

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.manifest["metadata"]["labels"]
        return labels

    @cached_property
    def service(self) -> InferenceService:
        return InferenceService.model_validate(
            self.manifest | {"metadata": self.manifest["metadata"] | {"namespace": "default", "uid": UID}}
        )

    @property
    def spec(self) -> InferenceServiceSpec:
        return self.service.spec

    @property
    def gpu(self) -> GPU:
        return GPUS[self.labels["gpu"]]

    @property
    def weights(self) -> float:
        return WEIGHTS[self.manifest["spec"]["model"]["source"]["huggingFace"]["repo"]].size(self.labels["precision"])

    def room(self, count: int) -> int:
        """Requests of full length whose cache fits beside the weights on this many GPUs."""
        cache = CACHES[self.model]
        left = count * self.gpu.memory * USABLE - self.weights
        return int(left // (cache.size(self.manifest["spec"]["runtime"]["contextLength"]) * cache.copies(count)))


def presets() -> Iterator[Preset]:
    for path in sorted(PRESETS.glob("*.yaml")):
        yield from (Preset(path.stem, text) for text in path.read_text().split("\n---\n"))


ALL = list(presets())
each_preset = pytest.mark.parametrize("preset", ALL, ids=lambda each: each.manifest["metadata"]["name"])


def test_every_model_is_there_for_the_gpus_it_fits_on() -> None:
    assert {path.stem for path in PRESETS.iterdir()} == set(OFFERED)
    assert [(each.model, each.labels["gpu"]) for each in ALL] == [
        (model, gpu) for model in sorted(OFFERED) for gpu in OFFERED[model]
    ]


def test_names_differ() -> None:
    assert len({each.manifest["metadata"]["name"] for each in ALL}) == len(ALL)


@each_preset
def test_a_preset_has_no_problem_and_renders(preset: Preset) -> None:
    assert problems(preset.manifest) == []
    assert render(preset.service, {}, served=OPTIONAL)


@each_preset
def test_name_label_and_product_agree(preset: Preset) -> None:
    name = preset.manifest["metadata"]["name"]
    assert len(name) <= 52
    assert name.endswith(f"-{preset.labels['gpu']}")
    assert preset.spec.accelerator.product == preset.gpu.product
    assert preset.spec.model.precision in ("auto", preset.labels["precision"])


@each_preset
def test_weights_and_requests_fit_on_as_few_gpus_of_one_node_as_can_be(preset: Preset) -> None:
    count = preset.spec.accelerator.count
    assert count in (1, 2, 4, 8)
    assert count <= preset.gpu.node
    assert preset.room(count) >= REQUESTS
    assert count == 1 or preset.room(count // 2) < REQUESTS or ON_PURPOSE in preset.text


@each_preset
def test_the_comment_says_how_many_requests_fit(preset: Preset) -> None:
    assert f"room for {preset.room(preset.spec.accelerator.count)} requests\n" in preset.text


@each_preset
def test_a_replica_has_time_and_disk_for_its_download(preset: Preset) -> None:
    runtime, template = preset.spec.runtime, preset.spec.pod_template
    assert template
    assert template.resources
    assert runtime.startup_timeout.total_seconds() >= 2 * preset.weights / DOWNLOAD + 600
    assert int(str(template.resources.ephemeral_storage).removesuffix("Gi")) * 2**30 > 1.1 * preset.weights


@pytest.mark.parametrize("model", OFFERED)
def test_the_readme_says_what_a_model_takes(model: str) -> None:
    cells = {
        each.labels["gpu"]: f"{each.spec.runtime.engine} {each.labels['precision']} {each.spec.accelerator.count}"
        for each in ALL
        if each.model == model
    }
    row = " | ".join(cells.get(gpu, "-") for gpu in GPUS)
    assert f"| [{model}](manifests/presets/{model}.yaml) | {row} |\n" in README.read_text()
