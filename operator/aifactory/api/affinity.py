"""Which nodes pods may run on, in the fields of the Kubernetes pod spec (core/v1, Affinity, TopologySpreadConstraint).

They are listed one by one because a field of any shape would be stored however deep it is nested, and an object of a
thousand levels cannot be read back.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import Field

from .meta import LABEL_KEYS, FreeText, LabelKey, LabelValue, Model, ObjectName

T = TypeVar("T")
Some = Annotated[list[T], Field(max_length=32)]
_Weight = Annotated[int, Field(ge=1, le=100, description="How much it counts, 1 to 100.")]


class NodeExpression(Model):
    """A condition on a label or field of a node."""

    key: LabelKey = Field(description="Label key, or metadata.name in matchFields.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How values compare.")
    values: Some[FreeText] | None = Field(default=None, description="None for Exists, one for Gt and Lt.")


class NodeTerm(Model):
    """Conditions on one node, all of which must hold."""

    match_expressions: Some[NodeExpression] | None = Field(default=None, description="On its labels.")
    match_fields: Some[NodeExpression] | None = Field(default=None, description="On its fields.")


class NodeTerms(Model):
    """Terms of which one must hold."""

    node_selector_terms: Some[NodeTerm] = Field(description="The terms.")


class PreferredNodes(Model):
    """Nodes that are better than others."""

    weight: _Weight
    preference: NodeTerm = Field(description="Which nodes.")


class NodeAffinity(Model):
    """Nodes by their labels."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = Field(
        default=None, description="Nodes that may take the pod."
    )
    preferred_during_scheduling_ignored_during_execution: Some[PreferredNodes] | None = Field(
        default=None, description="Nodes that are better for it."
    )


class LabelExpression(Model):
    """A condition on a label."""

    key: LabelKey = Field(description="Label key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How values compare.")
    values: Some[LabelValue] | None = Field(default=None, description="None for Exists and DoesNotExist.")


class LabelSelector(Model):
    """Labels that must all be as said; an empty one selects everything."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32), LABEL_KEYS] | None = Field(
        default=None, description="Labels with their values."
    )
    match_expressions: Some[LabelExpression] | None = Field(default=None, description="Conditions on labels.")


class PodTerm(Model):
    """Pods, and what counts as near to them."""

    topology_key: LabelKey = Field(description="Label of nodes; those with the same value of it are near each other.")
    label_selector: LabelSelector | None = Field(default=None, description="Which pods.")
    match_label_keys: Some[LabelKey] | None = Field(
        default=None, description="Labels that these pods share with the new one."
    )
    mismatch_label_keys: Some[LabelKey] | None = Field(
        default=None, description="Labels of which these pods have other values than the new one."
    )
    namespaces: Some[ObjectName] | None = Field(default=None, description="Where these pods are. Default: here.")
    namespace_selector: LabelSelector | None = Field(default=None, description="The same by labels of namespaces.")


class PreferredPods(Model):
    """Pods whose nearness counts."""

    weight: _Weight
    pod_affinity_term: PodTerm = Field(description="Which pods.")


class PodAffinity(Model):
    """Nearness to other pods."""

    required_during_scheduling_ignored_during_execution: Some[PodTerm] | None = Field(
        default=None, description="What must be so."
    )
    preferred_during_scheduling_ignored_during_execution: Some[PreferredPods] | None = Field(
        default=None, description="What is better so."
    )


class Affinity(Model):
    """Kubernetes affinity."""

    node_affinity: NodeAffinity | None = Field(default=None, description="Nodes by their labels.")
    pod_affinity: PodAffinity | None = Field(default=None, description="Pods to be near to.")
    pod_anti_affinity: PodAffinity | None = Field(default=None, description="Pods to be apart from.")


class TopologySpread(Model):
    """How evenly pods are spread over groups of nodes."""

    max_skew: Annotated[int, Field(ge=1, le=2147483647)] = Field(
        description="Most pods that a group has more than another."
    )
    topology_key: LabelKey = Field(description="Label of nodes; those with the same value of it are one group.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="When there is no such node.")
    label_selector: LabelSelector | None = Field(default=None, description="Pods that are counted.")
    match_label_keys: Some[LabelKey] | None = Field(
        default=None, description="Labels that pods that are counted share with the new one."
    )
    min_domains: Annotated[int, Field(ge=1, le=2147483647)] | None = Field(
        default=None, description="Groups that there should be at least."
    )
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes that affinity excludes are left out."
    )
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes with taints that the pod does not tolerate are left out."
    )
