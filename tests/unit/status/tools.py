"""The health of a service as tools compute it that know nothing of this kind."""

import re
from typing import Any

import cel
import yaml
from lupa import lua51

from tests.kind.paths import ROOT
from tests.unit.status.scene import Life

Object = dict[str, Any]
HEALTH_LUA = ROOT / "manifests" / "argocd" / "health.lua"
# Argo CD runs scripts of its ConfigMap without these.
_CLOSED = ("string", "math", "io", "debug", "coroutine")


WELL = ("Healthy", "Current", "Current")


def health(life: Life) -> tuple[str, str, str]:
    """By Argo CD, kstatus and Flux."""
    obj = life.stored
    return argo_cd(obj)[0], kstatus(obj), flux(obj)


def kstatus(obj: Object) -> str:
    """What cli-utils' kstatus makes of a custom resource, which is what `kubectl wait`-like tools and Flux use."""
    metadata, status = obj["metadata"], obj.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return "InProgress"
    conditions = [(each["type"], each["status"]) for each in status.get("conditions", [])]
    decisive = {("Reconciling", "True"): "InProgress", ("Stalled", "True"): "Failed"}
    if found := next((decisive[each] for each in conditions if each in decisive), None):
        return found
    return "InProgress" if {("Ready", "False"), ("Ready", "Unknown")} & set(conditions) else "Current"


def flux(obj: Object) -> str:
    """What Flux makes of it with the healthCheckExprs that the README gives."""
    if "observedGeneration" in obj["status"] and obj["status"]["observedGeneration"] != obj["metadata"]["generation"]:
        return "InProgress"
    (exprs,) = health_check_exprs()["spec"]["healthCheckExprs"]
    assert (exprs["apiVersion"], exprs["kind"]) == (obj["apiVersion"], obj["kind"])
    for state in ("inProgress", "failed", "current"):
        if state in exprs and cel.evaluate(exprs[state], obj):
            return state[0].upper() + state[1:]
    return "InProgress"


def health_check_exprs() -> Object:
    """The Kustomization of the README."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = [yaml.safe_load(block) for block in blocks if "healthCheckExprs" in block]
    return dict(found)


def argo_cd(obj: Object) -> tuple[str, str]:
    """Health and message by the script for Argo CD, whose Lua is 5.1."""
    lua = lua51.LuaRuntime()
    for name in _CLOSED:
        lua.globals()[name] = None
    lua.globals().obj = lua.table_from(obj, recursive=True)
    result = dict(lua.execute(HEALTH_LUA.read_text()))
    assert set(result) == {"status", "message"}
    return result["status"], result["message"]
