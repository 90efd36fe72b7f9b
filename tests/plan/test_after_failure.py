"""What a failed run says about jobs that could not say anything themselves."""

from workflow_scripts.plan.after_failure import killed_jobs

LOG = """
RuleException:
CalledProcessError in file "rules/corpora.smk", line 51:
Command 'set -euo pipefail;  python -m workflow_scripts.{program} 2> a.log' returned non-zero exit status {status}.
[Sun Nov 22 15:12:42 2026]
Error in rule {program}:
    message: None
"""


def test_killed_and_aborted_jobs_are_named_once():
    log = LOG.format(program="build_corpus", status=137) * 2 + LOG.format(program="embed_batches", status=134)
    sentence = killed_jobs(log + LOG.format(program="train_models", status=1))
    assert sentence.startswith(
        "error: build_corpus, embed_batches: killed by the system, probably because memory"
    )
    assert "--resources mem_mb" in sentence and "\n" not in sentence


def test_other_failures_explain_themselves():
    assert killed_jobs(LOG.format(program="train_models", status=1)) == ""
    assert killed_jobs(LOG.format(program="train_models", status=130)) == ""
