"""Firefox and WebKit for tests of pages, over WebDriver's commands: Firefox speaks them on a socket of its own (Marionette),
WebKitGTK through WebKitWebDriver on a display that Xvfb makes. Tests skip where a browser is missing."""

import base64
import glob
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import pytest


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def soon(what, seconds=30):
    """The first result of a function that does not raise OSError."""
    end = time.monotonic() + seconds
    while True:
        try:
            return what()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


class Marionette:
    """Firefox's socket: messages are their length, a colon, and JSON."""

    def __init__(self, port):
        self.socket = soon(lambda: socket.create_connection(("127.0.0.1", port), timeout=60))
        self.file = self.socket.makefile("rb")
        self.numbers = itertools.count(1)
        self.read()

    def read(self):
        digits = iter(lambda: self.file.read(1), b":")
        return json.loads(self.file.read(int(b"".join(digits))))

    def close(self):
        self.file.close()
        self.socket.close()

    def __call__(self, name, **arguments):
        message = json.dumps([0, next(self.numbers), name, arguments]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.read()
        assert not error, error
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result


class Http:
    """WebDriver over HTTP."""

    PATHS = {
        "WebDriver:Navigate": "url",
        "WebDriver:ExecuteScript": "execute/sync",
        "WebDriver:PerformActions": "actions",
        "WebDriver:TakeScreenshot": "screenshot",
    }

    def __init__(self, port, options):
        self.base = f"http://127.0.0.1:{port}/session"
        given = {"capabilities": {"alwaysMatch": options}}
        self.base += "/" + soon(lambda: self.ask("", given))["sessionId"]

    def ask(self, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def __call__(self, name, **arguments):
        arguments.pop("full", None)
        return self.ask("/" + self.PATHS[name], None if name.endswith("Screenshot") else arguments)


class Session:
    """A window of a browser."""

    def __init__(self, command):
        self.command = command

    def open(self, path):
        self.command("WebDriver:Navigate", url=path.as_uri())
        self.wait("window.page && page.opened > 0")

    def run(self, script, *arguments):
        """The value of an expression; `arguments` are its arguments[0], ..."""
        return self.command("WebDriver:ExecuteScript", script=f"return {script}", args=list(arguments))

    def wait(self, script, seconds=20):
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"waited {seconds} s for {script}"
            time.sleep(0.05)

    def text(self, selector):
        return self.run("document.querySelector(arguments[0]).innerText", selector)

    def act(self, kind, actions, **options):
        source = {"type": kind, "id": kind + options.get("parameters", {}).get("pointerType", ""), **options}
        self.command("WebDriver:PerformActions", actions=[{**source, "actions": actions}])

    def click(self, x, y, kind="mouse"):
        at = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y), "origin": "viewport"}
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.act("pointer", [at, *press], parameters={"pointerType": kind})

    def keys(self, *keys):
        self.act("key", [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")])

    def screenshot(self):
        return base64.b64decode(self.command("WebDriver:TakeScreenshot", full=False))


@contextmanager
def firefox():
    """A window of Firefox."""
    found = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if not found:
        pytest.skip("pages are opened in Firefox: install it, or name it in FIREFOX")
    port = free_port()
    with tempfile.TemporaryDirectory() as profile:
        with open(os.path.join(profile, "user.js"), "w") as file:
            file.write(f'user_pref("marionette.port", {port});\nuser_pref("ui.prefersReducedMotion", 1);\n')
        process = subprocess.Popen(
            [
                found,
                "--headless",
                "--marionette",
                "--no-remote",
                "--width=1400",
                "--height=900",
                "--profile",
                profile,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            command = Marionette(port)
            command("WebDriver:NewSession", capabilities={})
            yield Session(command)
            command("Marionette:Quit", flags=["eForceQuit"])
            command.close()
            process.wait(30)
        finally:
            process.kill()
            process.wait()


@contextmanager
def webkit():
    """A window of WebKit's small browser."""
    browsers = glob.glob("/usr/lib/*/webkit*gtk-*/MiniBrowser")
    if not (browsers and shutil.which("WebKitWebDriver") and shutil.which("Xvfb")):
        pytest.skip("pages are opened in WebKit: install webkit2gtk-driver and xvfb")
    out, inward = os.pipe()
    display = subprocess.Popen(
        ["Xvfb", "-displayfd", str(inward), "-screen", "0", "1500x1000x24"],
        pass_fds=[inward],
        stderr=subprocess.DEVNULL,
    )
    os.close(inward)
    with os.fdopen(out) as file:
        number = file.readline().strip()
    port = free_port()
    own = {"DISPLAY": f":{number}", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "LIBGL_ALWAYS_SOFTWARE": "1"}
    driver = subprocess.Popen(["WebKitWebDriver", f"--port={port}"], env=os.environ | own)
    try:
        options = {"binary": browsers[0], "args": ["--automation"]}
        session = Session(Http(port, {"webkitgtk:browserOptions": options}))
        yield session
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(session.command.base, method="DELETE"), timeout=20)
    finally:
        for process in (driver, display):
            process.terminate()
            process.wait()


BROWSERS = {"firefox": firefox, "webkit": webkit}
