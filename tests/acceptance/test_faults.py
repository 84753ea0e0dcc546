"""A short run of the fault suite; `make faults KILLS=200` is the long one."""

from tests.acceptance.faults.run import Plan, run
from tests.acceptance.faults.stage import Stage


def test_a_few_kills_under_load_lose_nothing_and_double_nothing(tmp_path):
    verdict, report = run(Plan(kills=4, seed=7, apart=1.0, rate=40.0), tmp_path, say=lambda said: None)
    assert verdict.good, (verdict, report)
    assert sum(report["killed"].values()) == 4
    assert verdict.stored >= report["events acknowledged"] > 0
    assert verdict.findings and verdict.windows
    assert report["refusals without Retry-After of 5 to 15 s"] == 0
    assert report["stopped with status"] == [0, 0]


def test_jobs_that_are_killed_are_started_again(tmp_path):
    with Stage(tmp_path, 1, embedded=False, seed=3) as stage:
        (service,) = stage.services
        first = stage.wait_for_jobs(service)
        assert stage.kill("jobs") == "jobs"
        assert stage.wait_for_jobs(service, other_than=first) != first
        status, _ = service.terminate()
        assert status == 0
