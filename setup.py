"""The packages of a wheel; pyproject.toml has all else.

They cannot be listed there, because one is no folder of the package: `workflow_scripts.workflow` is a copy of the
Snakefile, rules, schema and configs, which stay at the top of a checkout, where users of Snakemake look for them.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        *find_namespace_packages(include=["workflow_scripts", "workflow_scripts.*"]),
        "workflow_scripts.workflow",
    ],
    script_name="setup.py",  # which is no module of the copy, though it lies at the top
)
