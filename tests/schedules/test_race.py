"""However many deliver the same event at once, a dataset has one run and one Job. `make test-schedules` takes
a thousand datasets."""

from schedules.race import jobs_of_races


def test_sixty_four_deliveries_at_once_of_each_event_make_one_job_for_each_dataset() -> None:
    assert jobs_of_races(keys=10, threads=64) == (10, 10)
