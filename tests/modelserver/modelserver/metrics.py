"""Metric pages in the dialects of real engines: names, labels and bucket edges.

The vLLM page follows data/vllm-0.32.0.prom. NIM 2.x serves the same names on /v1/metrics. The others have the names and
edges of their documentation, NIM 1.x the edges of the vLLM generation that it was built on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aifactory.simulate.engine.edges import BETWEEN_TOKENS_VLLM, FIRST_TOKEN_VLLM, REQUEST_VLLM
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from aifactory.simulate.engine.batching import Batch, Output, Sequence

    from .engine import Engine
    from .power import PowerMeter
    from .settings import Settings

FIRST_TOKEN = FIRST_TOKEN_VLLM[:16]
BETWEEN_TOKENS = BETWEEN_TOKENS_VLLM[:13]
REQUEST_NIM1 = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
ITERATION_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
PREEMPTIONS = (1, 2, 3, 4, 5, 10, 20)
FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")


class Page:
    """A registry whose metrics all carry the same labels; a name may bring one label more."""

    def __init__(self, **labels: str) -> None:
        self.registry = CollectorRegistry()
        self._labels = labels
        self._families: dict[str, Counter | Gauge] = {}
        ProcessCollector(registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._child(Gauge, name, text).set_function(read)

    def counter(self, name: str, text: str) -> Counter:
        """A counter that begins at 0."""
        counter: Counter = self._child(Counter, name, text)
        return counter

    def optional_counter(self, name: str, text: str) -> Counter | None:
        """None without a name."""
        return self.counter(name, text) if name else None

    def counters(self, name: str, text: str, label: str, values: tuple[str, ...]) -> dict[str, Counter]:
        """One counter per value of a further label, all present from the start; none without a name."""
        return {value: self._child(Counter, f'{name}{{{label}="{value}"}}', text) for value in values} if name else {}

    def histogram(self, name: str, text: str, edges: tuple[float, ...]) -> Histogram:
        family = Histogram(name, text, list(self._labels), buckets=edges, registry=self.registry)
        return family.labels(**self._labels) if self._labels else family

    def optional_histogram(
        self, named: tuple[str, tuple[float, ...]] | None, text: str, edges: tuple[float, ...] | None = None
    ) -> Histogram | None:
        """None without a name; `edges` in place of those that come with it."""
        return self.histogram(named[0], text, edges or named[1]) if named else None

    def _child(self, kind: Any, name: str, text: str) -> Any:
        family_name, _, matcher = name.rstrip("}").partition("{")
        label, _, value = matcher.partition("=")
        labels = {**self._labels, **({label: value.strip('"')} if label else {})}
        if family_name not in self._families:
            self._families[family_name] = kind(family_name, text, list(labels), registry=self.registry)
        family = self._families[family_name]
        return family.labels(**labels) if labels else family

    def render(self) -> bytes:
        """The page in Prometheus text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, slots=True)
class Names:
    """What an engine calls its metrics; those that it does not have are left out.

    A gauge or counter may have one label of its own, written as in `requests{state="waiting"}`. Histograms come with
    their edges. `per_token` is the mean time between the tokens of a request, `interval` that between any two tokens.
    """

    running: str
    waiting: str
    labels: tuple[str, ...] = ("model_name",)
    kv_usage: str = ""
    prompt_tokens: str = ""
    generation_tokens: str = ""
    finished: str = ""
    finished_by_reason: str = ""
    answered_by_reason: str = ""
    failed: str = ""
    capacity: str = ""
    first_token: tuple[str, tuple[float, ...]] | None = None
    interval: tuple[str, tuple[float, ...]] | None = None
    per_token: tuple[str, tuple[float, ...]] | None = None
    latency: tuple[str, tuple[float, ...]] | None = None
    prompt_sizes: tuple[str, tuple[float, ...]] | None = None
    answer_sizes: tuple[str, tuple[float, ...]] | None = None


_SGLANG_TIMES = (0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400)
_SGLANG_INTERVALS = (
    *(0.002, 0.004, 0.006, 0.008, 0.010, 0.015, 0.020, 0.025, 0.030, 0.035, 0.040, 0.060, 0.080, 0.1, 0.2, 0.4, 0.6),
    *(0.8, 1, 2, 4, 6, 8),
)
_TRITON_SIZES = (10, 50, 100, 500, 1000)
NAMES = {
    "nim1": Names(
        running="num_requests_running",
        waiting="num_requests_waiting",
        kv_usage="gpu_cache_usage_perc",
        prompt_tokens="prompt_tokens_total",
        generation_tokens="generation_tokens_total",
        finished_by_reason="request_finish_total",
        answered_by_reason="request_success_total",
        failed="request_failure_total",
        capacity="num_request_max",
        first_token=("time_to_first_token_seconds", FIRST_TOKEN),
        interval=("time_per_output_token_seconds", BETWEEN_TOKENS),
        latency=("e2e_request_latency_seconds", REQUEST_NIM1),
        prompt_sizes=("request_prompt_tokens", TOKENS),
        answer_sizes=("request_generation_tokens", TOKENS),
    ),
    "sglang": Names(
        running="sglang:num_running_reqs",
        waiting="sglang:num_queue_reqs",
        kv_usage="sglang:token_usage",
        prompt_tokens='sglang:realtime_tokens_total{mode="prefill_compute"}',
        generation_tokens='sglang:realtime_tokens_total{mode="decode"}',
        finished="sglang:num_requests_total",
        first_token=("sglang:time_to_first_token_seconds", _SGLANG_TIMES),
        interval=("sglang:inter_token_latency_seconds", _SGLANG_INTERVALS),
        latency=("sglang:e2e_request_latency_seconds", (*_SGLANG_TIMES, 600, 1200, 1800, 2400)),
    ),
    "trtllm": Names(
        running="trtllm_num_requests_running",
        waiting="trtllm_num_requests_waiting",
        kv_usage="trtllm_kv_cache_utilization",
        prompt_tokens="trtllm_prompt_tokens_total",
        generation_tokens="trtllm_generation_tokens_total",
        finished_by_reason="trtllm_request_success_total",
        first_token=("trtllm_time_to_first_token_seconds", FIRST_TOKEN_VLLM),
        per_token=("trtllm_time_per_output_token_seconds", BETWEEN_TOKENS_VLLM),
        latency=("trtllm_e2e_request_latency_seconds", REQUEST_VLLM),
    ),
    "triton": Names(
        labels=("model", "version"),
        running='nv_trt_llm_request_metrics{request_type="scheduled"}',
        waiting='nv_trt_llm_request_metrics{request_type="waiting"}',
        kv_usage='nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction"}',
        prompt_sizes=("nv_llm_input_token_len", _TRITON_SIZES),
        answer_sizes=("nv_llm_output_token_len", _TRITON_SIZES),
    ),
    "llamacpp": Names(
        labels=(),
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        prompt_tokens="llamacpp:prompt_tokens_total",
        generation_tokens="llamacpp:tokens_predicted_total",
    ),
}
"""By dialect, from the engines' documentation; vLLM has a page of its own, after a recording."""


class NamedMetrics:
    """The page of an engine that is described by its names."""

    def __init__(self, names: Names, settings: Settings, engine: Engine) -> None:
        values = {"model_name": settings.model, "model": "tensorrt_llm", "version": "1"}
        self.page = page = Page(**{label: values[label] for label in names.labels})
        scheduler = engine.scheduler
        page.gauge(names.running, "Requests in the batch", lambda: len(scheduler.running))
        page.gauge(names.waiting, "Requests queued for the batch", lambda: len(scheduler.waiting))
        if names.kv_usage:
            page.gauge(names.kv_usage, "Share of the KV cache in use, 0 to 1", lambda: scheduler.kv_usage)
        self._prompt_tokens = page.optional_counter(names.prompt_tokens, "Prompt tokens computed")
        self._generation_tokens = page.optional_counter(names.generation_tokens, "Tokens generated")
        self._finished = page.optional_counter(names.finished, "Requests that left")
        self._reasons = page.counters(
            names.finished_by_reason, "Requests that left, by reason", "finished_reason", FINISHED_REASONS[:3]
        )
        self._answered = page.counters(
            names.answered_by_reason, "Requests answered, by reason", "finished_reason", FINISHED_REASONS[:2]
        )
        self._failed = page.optional_counter(names.failed, "Requests cut off")
        if names.capacity:
            page.gauge(names.capacity, "Requests that a batch can hold", lambda: settings.max_num_seqs)
        edges = settings.edges
        self._first_token = page.optional_histogram(names.first_token, "Time to first token", edges.get("first_token"))
        self._interval = page.optional_histogram(names.interval, "Inter-token latency", edges.get("interval"))
        self._per_token = page.optional_histogram(names.per_token, "Mean inter-token latency of a request")
        self._latency = page.optional_histogram(names.latency, "End-to-end latency", edges.get("latency"))
        self._prompt_sizes = page.optional_histogram(names.prompt_sizes, "Prompt tokens of a request")
        self._answer_sizes = page.optional_histogram(names.answer_sizes, "Tokens generated for a request")

    def iteration(self, batch: Batch, outputs: list[Output]) -> None:
        _count(self._generation_tokens, len(outputs))
        for output in outputs:
            if output.interval is None:
                _count(self._prompt_tokens, output.sequence.prompt_tokens)
                _observe(self._first_token, _since_arrival(output.sequence, output.sequence.first_token_at))
            else:
                _observe(self._interval, output.interval)

    def finished(self, sequence: Sequence) -> None:
        _count(self._finished, 1)
        _count(self._reasons.get(sequence.finish_reason), 1)
        if sequence.finish_reason == "abort":
            _count(self._failed, 1)
            return
        _count(self._answered.get(sequence.finish_reason), 1)
        _observe(self._latency, _since_arrival(sequence, sequence.finished_at))
        _observe(self._prompt_sizes, sequence.prompt_tokens)
        _observe(self._answer_sizes, sequence.generated)
        if sequence.generated > 1:
            decoding = _since_arrival(sequence, sequence.finished_at) - _since_arrival(
                sequence, sequence.first_token_at
            )
            _observe(self._per_token, decoding / (sequence.generated - 1))


class VllmMetrics:
    """The page of vLLM 0.32, and of a NIM 2.x, which passes it on."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.page = page = Page(engine="0", model_name=settings.model)
        self._state(settings, engine)
        self._prompt_tokens = page.counter("vllm:prompt_tokens_total", "Prompt tokens computed")
        self._generation_tokens = page.counter("vllm:generation_tokens_total", "Tokens generated")
        self._preemptions = page.counter("vllm:num_preemptions_total", "Sequences preempted for lack of KV cache")
        self._success = page.counters(
            "vllm:request_success_total", "Requests that left, by reason", "finished_reason", FINISHED_REASONS
        )
        histogram = page.histogram
        first_tokens = settings.edges.get("first_token", FIRST_TOKEN_VLLM)
        intervals = settings.edges.get("interval", BETWEEN_TOKENS_VLLM)
        times = settings.edges.get("latency", REQUEST_VLLM)
        self._batch_tokens = histogram("vllm:iteration_tokens_total", "Tokens of an iteration", ITERATION_TOKENS)
        self._first_token = histogram("vllm:time_to_first_token_seconds", "Time to first token", first_tokens)
        self._interval = histogram("vllm:inter_token_latency_seconds", "Inter-token latency", intervals)
        self._per_token = histogram(
            "vllm:request_time_per_output_token_seconds", "Mean inter-token latency of a request", intervals
        )
        self._latency = histogram("vllm:e2e_request_latency_seconds", "End-to-end latency", times)
        self._queued = histogram("vllm:request_queue_time_seconds", "Time in the queue", times)
        self._inference = histogram("vllm:request_inference_time_seconds", "Time in the batch", times)
        self._prefill = histogram("vllm:request_prefill_time_seconds", "Batch time to first token", times)
        self._decode = histogram("vllm:request_decode_time_seconds", "First to last token", times)
        self._prompt_sizes = histogram("vllm:request_prompt_tokens", "Prompt tokens of a request", TOKENS)
        self._answer_sizes = histogram("vllm:request_generation_tokens", "Tokens generated for a request", TOKENS)
        self._limits = histogram("vllm:request_params_max_tokens", "Tokens a request asked for at most", TOKENS)
        self._preempted = histogram("vllm:request_num_preemptions", "Preemptions of a request", PREEMPTIONS)

    def iteration(self, batch: Batch, outputs: list[Output]) -> None:
        self._batch_tokens.observe(batch.decodes + batch.prefill_tokens)
        self._preemptions.inc(batch.preemptions)
        self._generation_tokens.inc(len(outputs))
        for output in outputs:
            if output.interval is None:
                self._prompt_tokens.inc(output.sequence.prompt_tokens)
                self._first_token.observe(_since_arrival(output.sequence, output.sequence.first_token_at))
            else:
                self._interval.observe(output.interval)

    def finished(self, sequence: Sequence) -> None:
        self._success[sequence.finish_reason].inc()
        first, last, scheduled = sequence.first_token_at, sequence.finished_at, sequence.scheduled_at
        if sequence.finish_reason == "abort" or first is None or last is None or scheduled is None:
            return
        self._latency.observe(last - sequence.arrived_at)
        self._queued.observe(scheduled - sequence.arrived_at)
        self._inference.observe(last - scheduled)
        self._prefill.observe(first - scheduled)
        self._decode.observe(last - first)
        if sequence.generated > 1:
            self._per_token.observe((last - first) / (sequence.generated - 1))
        self._prompt_sizes.observe(sequence.prompt_tokens)
        self._answer_sizes.observe(sequence.generated)
        self._limits.observe(sequence.output_tokens)
        self._preempted.observe(sequence.preemptions)

    def _state(self, settings: Settings, engine: Engine) -> None:
        page, scheduler = self.page, engine.scheduler
        page.gauge("vllm:num_requests_running", "Requests in the batch", lambda: len(scheduler.running))
        page.gauge("vllm:num_requests_waiting", "Requests queued for the batch", lambda: len(scheduler.waiting))
        reasons = Gauge(
            "vllm:num_requests_waiting_by_reason",
            "Requests queued for the batch, by what they wait for",
            ["engine", "model_name", "reason"],
            registry=page.registry,
        )
        reasons.labels("0", settings.model, "capacity").set_function(lambda: len(scheduler.waiting))
        reasons.labels("0", settings.model, "deferred").set(0)
        page.gauge("vllm:kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1", lambda: scheduler.kv_usage)


def measure(settings: Settings, engine: Engine) -> NamedMetrics | VllmMetrics:
    """The page that the dialect asks for."""
    names = NAMES.get(settings.dialect)
    return NamedMetrics(names, settings, engine) if names else VllmMetrics(settings, engine)


def add_gpus(page: Page, power: PowerMeter, gpus: int, clock: Callable[[], float]) -> None:
    """Utilisation and draw of each GPU, in the names of NVIDIA's DCGM exporter."""
    watts = Gauge("DCGM_FI_DEV_POWER_USAGE", "Power draw in watts", ["gpu"], registry=page.registry)
    busy = Gauge("DCGM_FI_DEV_GPU_UTIL", "Utilisation in percent", ["gpu"], registry=page.registry)
    for gpu in range(gpus):
        watts.labels(str(gpu)).set_function(lambda: power.watts(clock()))
        busy.labels(str(gpu)).set_function(lambda: power.utilization(clock()))


def _count(counter: Counter | None, amount: float) -> None:
    if counter is not None:
        counter.inc(amount)


def _observe(histogram: Histogram | None, value: float) -> None:
    if histogram is not None:
        histogram.observe(value)


def _since_arrival(sequence: Sequence, instant: float | None) -> float:
    return (instant or sequence.arrived_at) - sequence.arrived_at
