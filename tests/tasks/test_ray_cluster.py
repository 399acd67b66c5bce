"""``engine=ray`` on a cluster of two nodes, one of which goes down in the middle: the rows of one process."""

import subprocess
import time

import pytest
from sweeps import ENVIRONMENT, LONG, REPOSITORY, assert_equal_stores, command, frames


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'snowwolf[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
def test_a_node_goes_down_and_the_other_ends_in_the_rows_of_one_process(tmp_path, cluster):
    alone = tmp_path / "alone"
    subprocess.run(command(alone, *LONG), env=ENVIRONMENT, cwd=REPOSITORY, check=True, capture_output=True)
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    log = tmp_path / "log"
    with log.open("w") as written:
        sweep = subprocess.Popen(
            command(tmp_path, *LONG, "engine=ray", f"engine.address={cluster.address}", "engine.threads=1"),
            env=ENVIRONMENT,
            cwd=REPOSITORY,
            stdout=written,
            stderr=written,
        )
        while not list((tmp_path / "store").rglob("0*.parquet")):
            assert sweep.poll() is None, log.read_text()
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)
        assert sweep.wait(timeout=300) == 0, log.read_text()
    assert "was lost, its units are reassigned" in log.read_text()
    assert_equal_stores(frames(tmp_path), frames(alone))
