"""Any image that serves an OpenAI-compatible API and tells its metrics."""

from aifactory.api.spec import InferenceServiceSpec, MetricsSpec, ProbesSpec

from .base import MetricDialect, ModelServer, OneRole
from .parts import literal, model_mounts, scratch, serving_on


def dialect(metrics: MetricsSpec) -> MetricDialect:
    """The metric names of a spec."""
    return MetricDialect(**metrics.model_dump(exclude={"path"}))


class Custom(OneRole):
    """Nothing is known of what SIGTERM does, so a leaving pod serves on for the drain timeout."""

    def server(self, spec: InferenceServiceSpec) -> ModelServer:
        """The container for this spec. It learns its port and model from PORT and MODEL_NAME, or from its arguments.

        Pods of a replica with several nodes find each other by the variables of `api.accelerator.GROUP_VARIABLES`.
        """
        probes = spec.runtime.probes or ProbesSpec()
        return ModelServer(
            image=spec.runtime.image or "",
            command=tuple(spec.runtime.command or ()),
            args=tuple(spec.runtime.args or ()),
            env=(literal("PORT", spec.runtime.port), literal("MODEL_NAME", spec.model.name)),
            mounts=(scratch("aifactory-tmp", "/tmp"), *model_mounts(spec)),  # noqa: S108
            startup_path=probes.startup,
            liveness_path=probes.liveness,
            readiness_path=probes.readiness,
            pre_stop_seconds=serving_on(spec),
            shutdown_seconds=0,
            health_port=spec.runtime.health_port,
        )
