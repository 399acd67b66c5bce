#!/usr/bin/env bash
# One night: sweep, report, history, gate, publish. Exits 1 where a cell failed or the gate is closed.
#   SNOWWOLF  folder of the checkout, with its .venv        SWEEP    models and images
#   BASELINE  leaderboard.csv to hold against                PUBLISH  folder that a web server serves
set -uo pipefail
cd "${SNOWWOLF:?}"
run() { .venv/bin/python run.py "$@" name=nightly store=runs/nightly; }
failed=0
# shellcheck disable=SC2086  # SWEEP is several words
run -m suite=nightly ${SWEEP:-model=lite0,lite1,lite2 data=samples} || failed=1
run task=history || failed=1
if [ -n "${BASELINE:-}" ]; then run task=gate baseline="$BASELINE" tolerance=1 || failed=1; fi
if [ -n "${PUBLISH:-}" ]; then
  mkdir -p "$PUBLISH" && cp reports/nightly/*.html reports/nightly/*.csv "$PUBLISH"/
fi
exit "$failed"
