"""Run one sweep on the Ray cluster that this job was submitted to: python jobs/sweep.py SPEC --store DIR."""

import sys

from fairsweep.cli import main

# Ray tells a job the address of its cluster in RAY_ADDRESS, which `fairsweep run` follows.
if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
