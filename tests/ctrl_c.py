"""Programs that are interrupted: started, waited for, sent Ctrl-C, and listened to."""

import signal
import subprocess
import sys
import time

# The beginning of each program: a job in the background inherits an ignored signal.
LISTEN = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


def press_ctrl_c(code, after):
    """Runs a program that prints "ready", and "interrupted" once KeyboardInterrupt has reached it; both have to come.

    Ctrl-C is pressed `after` seconds after the first. Returns the seconds until the answer, and the words that followed.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", LISTEN + code], **pipes) as process:
        assert process.stdout.readline().strip() == "ready", process.stderr.read()
        time.sleep(after)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        answer = process.stdout.readline().strip()
        took = time.monotonic() - sent
        rest = process.stdout.read().split()  # not communicate(): readline() may have buffered more already
        errors = process.stderr.read()
    assert answer == "interrupted" and process.returncode == 0, errors[-2000:]
    return took, rest
