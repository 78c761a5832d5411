"""Start a training on several machines with dmlc_tracker, which comes with MXNet and needs the extra `scale`.

python tools/submit.py --cluster ssh --host-file hosts --num-workers 4 --num-servers 1 -- COMMAND ARGUMENT...

dmlc_tracker has no command of its own, and calls `Thread.isAlive`, which Python 3.9 took away.
"""

import threading

threading.Thread.isAlive = threading.Thread.is_alive

from dmlc_tracker.submit import main  # noqa: E402

if __name__ == "__main__":
    main()
