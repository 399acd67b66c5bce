"""Which packages are installed: ``bench``, and ``conf/`` as ``bench/conf``; pyproject.toml has all else."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["bench", "bench.*"]), "bench.conf"],
    package_dir={"bench.conf": "conf"},
)
