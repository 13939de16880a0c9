"""Metric pages in the dialects of real engines: names, labels and bucket edges.

The vLLM page follows data/vllm-0.32.0.prom. NIM 2.x serves the same names on /v1/metrics. NIM 1.x has the unprefixed
names of its observability documentation, and the bucket edges of the vLLM generation that it was built on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .power import PowerMeter
    from .scheduler import Batch, Output, Sequence
    from .settings import Settings

FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
BETWEEN_TOKENS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
FIRST_TOKEN_VLLM = (*FIRST_TOKEN, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0)
BETWEEN_TOKENS_VLLM = (*BETWEEN_TOKENS, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
REQUEST_NIM1 = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0)
REQUEST_VLLM = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, *REQUEST_NIM1[3:], 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
ITERATION_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
PREEMPTIONS = (1, 2, 3, 4, 5, 10, 20)
FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")


class Page:
    """A registry whose metrics all carry the same labels."""

    def __init__(self, **labels: str) -> None:
        self.registry = CollectorRegistry()
        self._labels = labels
        ProcessCollector(registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float], **labels: str) -> None:
        labels = {**self._labels, **labels}
        Gauge(name, text, list(labels), registry=self.registry).labels(**labels).set_function(read)

    def counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, list(self._labels), registry=self.registry).labels(**self._labels)

    def counters(self, name: str, text: str, label: str, values: tuple[str, ...]) -> dict[str, Counter]:
        """One counter per value of a further label, all present from the start."""
        family = Counter(name, text, [*self._labels, label], registry=self.registry)
        return {value: family.labels(**self._labels, **{label: value}) for value in values}

    def histogram(self, name: str, text: str, edges: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, list(self._labels), buckets=edges, registry=self.registry).labels(**self._labels)

    def render(self) -> bytes:
        """The page in Prometheus text format."""
        return generate_latest(self.registry)


class Nim1Metrics:
    """The page of a NIM 1.x."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.page = page = Page(model_name=settings.model)
        scheduler = engine.scheduler
        page.gauge("num_requests_running", "Requests in the batch", lambda: len(scheduler.running))
        page.gauge("num_requests_waiting", "Requests queued for the batch", lambda: len(scheduler.waiting))
        page.gauge("num_request_max", "Requests that a batch can hold", lambda: settings.max_num_seqs)
        page.gauge("gpu_cache_usage_perc", "Share of the KV cache in use, 0 to 1", lambda: scheduler.kv_usage)
        self._prompt_tokens = page.counter("prompt_tokens_total", "Prompt tokens computed")
        self._generation_tokens = page.counter("generation_tokens_total", "Tokens generated")
        reasons = ("stop", "length", "abort")
        self._finish = page.counters("request_finish_total", "Requests that left", "finished_reason", reasons)
        self._success = page.counters("request_success_total", "Requests answered", "finished_reason", reasons[:2])
        self._failure = page.counter("request_failure_total", "Requests cut off")
        self._first_token = page.histogram("time_to_first_token_seconds", "Time to first token", FIRST_TOKEN)
        self._interval = page.histogram("time_per_output_token_seconds", "Inter-token latency", BETWEEN_TOKENS)
        self._latency = page.histogram("e2e_request_latency_seconds", "End-to-end latency", REQUEST_NIM1)
        self._prompt_sizes = page.histogram("request_prompt_tokens", "Prompt tokens of a request", TOKENS)
        self._answer_sizes = page.histogram("request_generation_tokens", "Tokens generated for a request", TOKENS)

    def iteration(self, batch: Batch, outputs: list[Output]) -> None:
        self._generation_tokens.inc(len(outputs))
        for output in outputs:
            if output.interval is None:
                self._prompt_tokens.inc(output.sequence.prompt_tokens)
                self._first_token.observe(_since_arrival(output.sequence, output.sequence.first_token_at))
            else:
                self._interval.observe(output.interval)

    def finished(self, sequence: Sequence) -> None:
        self._finish[sequence.finish_reason].inc()
        if sequence.finish_reason == "abort":
            self._failure.inc()
            return
        self._success[sequence.finish_reason].inc()
        self._latency.observe(_since_arrival(sequence, sequence.finished_at))
        self._prompt_sizes.observe(sequence.prompt_tokens)
        self._answer_sizes.observe(sequence.generated)


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
        self._batch_tokens = histogram("vllm:iteration_tokens_total", "Tokens of an iteration", ITERATION_TOKENS)
        self._first_token = histogram("vllm:time_to_first_token_seconds", "Time to first token", FIRST_TOKEN_VLLM)
        self._interval = histogram("vllm:inter_token_latency_seconds", "Inter-token latency", BETWEEN_TOKENS_VLLM)
        self._per_token = histogram(
            "vllm:request_time_per_output_token_seconds", "Mean inter-token latency of a request", BETWEEN_TOKENS_VLLM
        )
        self._latency = histogram("vllm:e2e_request_latency_seconds", "End-to-end latency", REQUEST_VLLM)
        self._queued = histogram("vllm:request_queue_time_seconds", "Time in the queue", REQUEST_VLLM)
        self._inference = histogram("vllm:request_inference_time_seconds", "Time in the batch", REQUEST_VLLM)
        self._prefill = histogram("vllm:request_prefill_time_seconds", "Batch time to first token", REQUEST_VLLM)
        self._decode = histogram("vllm:request_decode_time_seconds", "First to last token", REQUEST_VLLM)
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


def measure(settings: Settings, engine: Engine) -> Nim1Metrics | VllmMetrics:
    """The page that the dialect asks for."""
    return Nim1Metrics(settings, engine) if settings.dialect == "nim1" else VllmMetrics(settings, engine)


def add_gpus(page: Page, power: PowerMeter, gpus: int, clock: Callable[[], float]) -> None:
    """Utilisation and draw of each GPU, in the names of NVIDIA's DCGM exporter."""
    watts = Gauge("DCGM_FI_DEV_POWER_USAGE", "Power draw in watts", ["gpu"], registry=page.registry)
    busy = Gauge("DCGM_FI_DEV_GPU_UTIL", "Utilisation in percent", ["gpu"], registry=page.registry)
    for gpu in range(gpus):
        watts.labels(str(gpu)).set_function(lambda: power.watts(clock()))
        busy.labels(str(gpu)).set_function(lambda: power.utilization(clock()))


def _since_arrival(sequence: Sequence, instant: float | None) -> float:
    return (instant or sequence.arrived_at) - sequence.arrived_at
