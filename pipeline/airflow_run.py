"""Run one DAG to its end in this process: ``python -m pipeline.airflow_run DAG_ID DAY``.

It is what ``dag.test`` is for: the real DAG through Airflow's own task runner, without a
scheduler. The demo and the tests use it.
"""

from __future__ import annotations

import sys


def run_dag(dag_id: str, market_date: str) -> str:
    """Run a DAG of the configured folder for one day and return the run's final state."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    if bag.import_errors:
        raise SystemExit(f"the DAGs do not load: {bag.import_errors}")
    dag = bag.dags[dag_id]
    # A deadline is kept by the scheduler; ``dag.test`` of Airflow 3.3 looks it up all the same and
    # ends in an error.
    dag.deadline = None
    run = dag.test(run_conf={"market_date": market_date})
    return str(run.state)


if __name__ == "__main__":
    state = run_dag(sys.argv[1], sys.argv[2])
    sys.exit(0 if state == "success" else f"the run of {sys.argv[1]} ended as {state}")
