import sys

from portwright.launcher import main

sys.exit(main())
