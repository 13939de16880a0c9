"""The API server of the cluster refuses what is wrong."""

import pytest

from tests.bad_objects import Bad
from tests.bad_objects.bad import BAD
from tests.bad_objects.server import Admission
from tests.kind.cluster import Cluster


@pytest.fixture(scope="module")
def admission(cluster: Cluster) -> Admission:
    """Dry runs against the cluster."""
    return Admission(cluster.kubeconfig)


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 25


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.case)
def test_a_bad_object_is_refused_with_the_path_of_its_field(admission: Admission, bad: Bad) -> None:
    refusal = admission.refusal(bad.manifest)
    assert bad.path in refusal
    assert (bad.server_says or bad.says) in refusal
