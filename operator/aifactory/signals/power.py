"""Power of GPUs, as NVIDIA's DCGM exporter measures it, by the pod that holds them. Clusters may well have none.

The exporter gives the labels `namespace` and `pod`. Where it is scraped without `honorLabels`, Prometheus has those of
the exporter itself under these names, and the others as `exported_namespace` and `exported_pod` (dcgm-exporter issue
85). Exporters from 4.9 have the second of the names below (DCGM 4.7, dcgm_fields.h).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from .answers import samples

QUERY = "watts"
WattsByPod = Mapping[str, Mapping[str, float]]
_METERS = ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS")
# Of one pod: parts of a GPU (MIG) have the power of all of it, and two scrapes of an exporter are still one GPU.
_DEVICE = "gpu, UUID"
# Watts that no pod draws: DCGM says 2^47 for a value that it does not have (dcgm_structs.h, DCGM_FP64_BLANK).
_TOO_MANY = 1e6


def build(window_seconds: int) -> Mapping[str, str]:
    """The query for watts of each pod with GPUs, of all namespaces, as a mean over the window."""
    exported = _either("exported_namespace, exported_pod", 'exported_pod!=""', window_seconds)
    renamed = f'label_replace({exported}, "namespace", "$1", "exported_namespace", "(.*)")'
    renamed = f'label_replace({renamed}, "pod", "$1", "exported_pod", "(.*)")'
    own = _either("namespace, pod", 'exported_pod="",pod!=""', window_seconds)
    return {QUERY: " or ".join(f"sum by (namespace, pod) ({one})" for one in (renamed, own))}


def _either(pod: str, select: str, window_seconds: int) -> str:
    window = f"[{window_seconds}s]"
    return " or ".join(f"max by ({pod}, {_DEVICE}) (avg_over_time({meter}{{{select}}}{window}))" for meter in _METERS)


def watts(vector: Any) -> WattsByPod:
    """Instant vector by namespace and pod -> power that a pod may draw, per pod of a namespace.

    Raises:
        ValueError: if the answer is not a list of samples.
    """
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (namespace, pod), _, value in samples(vector, "pod"):
        if value is not None and 0 <= value < _TOO_MANY:
            found[namespace][pod] = value
    return found
