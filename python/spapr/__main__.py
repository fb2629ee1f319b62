"""`python -m spapr`."""

import sys

from spapr.cli import main

sys.exit(main())
