"""Keep Snakemake's scheduler asleep while jobs run on this machine.

Snakemake 9 limits jobs per second (`--max-jobs-per-timespan`, by default 100). For that, each selection of jobs starts
a timer that causes the next selection, and each finished job causes one more. So after n jobs the scheduler wakes n
times a second, and asks for the size of every input of every waiting job: after 200 jobs this took 16% of a core.
Processes of this machine need no such limit; a cluster keeps it, and so does a run that sets one.
"""

from typing import Any

_DEFAULT = (100, 1)  # jobs, seconds


def sleep_between_local_jobs(workflow: Any) -> None:
    """Have a workflow drop Snakemake's default limit just before a local execution."""
    execute = workflow.execute

    def drop_and_execute(*, executor_plugin: Any, **others: Any) -> Any:
        limit = workflow.scheduling_settings.max_jobs_per_timespan
        is_default = limit is not None and (limit.max_jobs, limit.timespan) == _DEFAULT
        if executor_plugin.common_settings.local_exec and is_default:
            workflow.scheduling_settings.max_jobs_per_timespan = None
        return execute(executor_plugin=executor_plugin, **others)

    workflow.execute = drop_and_execute
