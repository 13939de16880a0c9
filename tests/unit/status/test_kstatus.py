"""Tools that know nothing of this kind (kubectl wait, Argo CD, Flux, cli-utils) compute its health as it really is."""

from aifactory.api.conditions import Reason
from aifactory.observed import Workload
from aifactory.status.pods import Trouble
from aifactory.status.report import rejected

from tests.unit.status.scene import SCALING, Life, pod, serving, stuck, without_node, workload
from tests.unit.status.tools import kstatus


class Watched(Life):
    """A life of which a tool asks the health after each look."""

    @property
    def health(self) -> str:
        return kstatus(self.stored)

    def sees(self, *args, **more) -> str:
        """The health after a look."""
        self.look(*args, **more)
        return self.health


def rolling(updated: int, total: int, available: int, replicas: int = 2, **more) -> Workload:
    return workload(replicas, available, updated=updated, total=total, **more)


def test_a_service_is_in_progress_until_it_serves():
    life = Watched()
    assert life.health == "InProgress"
    assert life.sees() == "InProgress"
    assert life.sees(Workload(replicas=1, generation=1)) == "InProgress"
    assert life.sees(workload(1, available=0), pod()) == "InProgress"
    assert life.sees(workload(1), *serving()) == "Current"


def test_scaling_is_no_progress_to_wait_for():
    life = Watched(**SCALING)
    life.look(workload(1), *serving("a"))
    lagging = workload(2, 1, updated=1, total=1, generation=2, observed_generation=1)
    assert life.sees(lagging, *serving("a")) == "Current"
    assert life.sees(workload(2, 1), *serving("a"), pod("b")) == "Current"
    assert life.sees(workload(2), *serving("a", "b")) == "Current"
    assert life.sees(workload(1), *serving("a")) == "Current"


def test_an_edit_is_in_progress_from_the_moment_it_is_made():
    life = Watched(replicas=2)
    life.look(workload(2), *serving("a", "b"))
    life.edit(replicas=2)
    assert life.health == "InProgress"
    lagging = workload(2, generation=2, observed_generation=1)
    assert life.sees(lagging, *serving("a", "b")) == "InProgress"
    assert life.sees(lagging, *serving("a", "b")) == "InProgress"
    new = pod("c", template_hash="two")
    assert life.sees(rolling(updated=1, total=3, available=2), *serving("a", "b"), new) == "InProgress"
    ready = serving("c", "d", template_hash="two")
    assert life.sees(rolling(updated=2, total=3, available=2), *serving("a"), *ready) == "InProgress"
    assert life.sees(rolling(updated=2, total=2, available=2), *ready) == "Current"


def test_an_edit_that_needs_no_new_pods_is_done_at_once():
    life = Watched()
    life.look(workload(1), *serving())
    life.edit(slo={"workload": "realtime"})
    assert life.health == "InProgress"
    assert life.sees(workload(1), *serving()) == "Current"


def test_a_rollout_that_fails_is_failed_and_a_correction_is_in_progress_again():
    life = Watched()
    life.look(workload(1), *serving("a"))
    life.edit()
    failed = stuck("ErrImagePull", "not found", name="b", created_at=life.now, template_hash="two")
    assert life.sees(rolling(1, 2, 1, replicas=1), *serving("a"), failed) == "Failed"
    life.edit()
    assert life.health == "InProgress"
    corrected = pod("c", created_at=life.now, template_hash="three")
    assert life.sees(rolling(1, 3, 1, replicas=1), *serving("a"), failed, corrected) == "InProgress"
    assert life.sees(workload(1), *serving("c", template_hash="three")) == "Current"


def test_loading_for_too_long_is_failed_until_it_serves():
    life = Watched()
    assert life.sees(workload(1, available=0, progress_deadline_exceeded=True), pod()) == "Failed"
    assert life.sees(workload(1), *serving()) == "Current"


def test_waiting_for_gpus_may_end_by_itself():
    life = Watched()
    assert life.sees(workload(1, available=0), without_node()) == "InProgress"
    assert life.sees(workload(1), *serving()) == "Current"


def test_a_refused_child_is_failed():
    life = Watched()
    refused = Trouble(Reason.NAME_TAKEN, "Deployment llama exists and is not part of this service")
    assert life.sees(refused=refused) == "Failed"
    assert life.sees(workload(1), *serving()) == "Current"


def test_an_invalid_spec_is_failed_and_a_correction_is_in_progress_again():
    life = Watched()
    life.look(workload(1), *serving())
    life.edit()
    life.status = rejected(life.status, 2, "replicas: set replicas or scaling, not both", life.now)
    assert life.health == "Failed"
    life.edit()
    assert life.health == "InProgress"
    assert life.sees(workload(1), *serving()) == "Current"


def test_a_crash_of_a_replica_too_many_is_no_failure():
    life = Watched(**SCALING)
    crash = stuck("CrashLoopBackOff", restarts=5, name="b")
    assert life.sees(workload(2, 1), *serving("a"), crash) == "Current"


def test_a_service_at_zero_is_current():
    assert Watched(replicas=0).sees(workload(0)) == "Current"
