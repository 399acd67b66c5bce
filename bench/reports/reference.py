"""The reference benchmark: the unchanged images, with which figures on changed images are compared.

No other module of ``bench.reports`` outside the folders of the axes names a benchmark.
"""

from bench.benchmarks.clean import Clean
from bench.benchmarks.words import CLEAN

REFERENCE = Clean
"""Its class."""
REFERENCE_CONDITION = CLEAN
"""Its one condition."""
REFERENCE_ACCURACY = Clean.metrics[0].name
"""Column of its accuracy."""
