"""Headless Chromium for tests, driven over its debugging pipe with the standard library alone."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
]
KEYS = {
    " ": ("Space", 32),
    "Enter": ("Enter", 13),
    "Escape": ("Escape", 27),
    "Tab": ("Tab", 9),
    "Backspace": ("Backspace", 8),
    "Home": ("Home", 36),
    "End": ("End", 35),
}
KEYS |= {f"Arrow{way}": (f"Arrow{way}", 37 + i) for i, way in enumerate(["Left", "Up", "Right", "Down"])}
TEXT = {"Enter": "\r"}


def find() -> str | None:
    """Where Chromium is, if it is."""
    return next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


def started() -> Iterator[Browser]:
    """What a fixture of a browser does; tests of it are skipped where there is none."""
    if sys.platform == "win32":
        pytest.skip("the browser is driven over pipes that Windows does not hand on")
    executable = find()
    if executable is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with Browser(executable) as it:
        try:
            it.call("Browser.getVersion")
        except (TimeoutError, OSError) as error:
            pytest.skip(f"Chromium does not start or cannot be driven here: {error}")
        yield it


def quiet(browser: Browser) -> Iterator[Page]:
    """What a fixture of a page does that is to report nothing."""
    it = browser.page(1400, 900)
    yield it
    assert it.events("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    it.close()


def number(text: str) -> float:
    """What a card or a chart says."""
    return float(text.replace("−", "-"))


def _high(fd: int) -> int:
    """The same pipe end under a number that 3 and 4, which Chromium reads and writes, cannot collide with."""
    import fcntl

    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return high


class Browser:
    """One Chromium process with a profile of its own; use as a context."""

    def __init__(self, executable: str, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self.profile = tempfile.mkdtemp(prefix="autograd-lite-chromium-")
        (child_in, self.write_fd), (self.read_fd, child_out) = ([_high(fd) for fd in os.pipe()] for _ in range(2))
        log = (os.POSIX_SPAWN_OPEN, 1, os.path.join(self.profile, "log"), os.O_WRONLY | os.O_CREAT, 0o600)
        actions = [(os.POSIX_SPAWN_DUP2, child_in, 3), (os.POSIX_SPAWN_DUP2, child_out, 4), log, (os.POSIX_SPAWN_DUP2, 1, 2)]
        arguments = [executable, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.pid = os.posix_spawn(executable, arguments, os.environ, file_actions=actions, setpgroup=0)
        os.close(child_in)
        os.close(child_out)
        self._ids = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.write_fd)
        os.close(self.read_fd)
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for _ in range(20):  # its children may still be writing
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.05)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The answer to one command of the DevTools protocol."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_fd, data) :]
        until = time.monotonic() + self.timeout
        while True:
            answer = self._read(until, method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _read(self, until: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self.read_fd], [], [], max(0.0, until - time.monotonic()))
            data = os.read(self.read_fd, 1 << 16) if ready else b""
            if not data:
                what = "Chromium ended before its answer" if ready else f"no answer from Chromium within {self.timeout} s"
                log = Path(self.profile, "log").read_text("utf-8", "replace")[-2000:]
                raise TimeoutError(f"{what} to {waiting_for}; its log ends:\n{log}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def page(self, width: int = 1000, height: int = 700) -> Page:
        """A new, empty tab."""
        return Page(self, width, height)


class Page:
    """One tab, with everything it logged and asked the network for."""

    def __init__(self, browser: Browser, width: int, height: int) -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.sessions = {self.session}  # its own, and those of frames in other processes
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        self.call("Page.bringToFront")  # a tab in the background would answer no key
        self.resize(width, height)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **params)

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.events = [event for event in self.browser.events if event.get("sessionId") not in self.sessions]

    def events(self, *methods: str) -> list[dict[str, Any]]:
        mine = [event for event in self.browser.events if event.get("sessionId") in self.sessions]
        return [event["params"] for event in mine if event["method"] in methods]

    def resize(self, width: int, height: int, touch: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def media(self, **features: str) -> None:
        """Emulate media features: ``prefers_color_scheme="dark"``."""
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        )

    def scripts(self, on: bool) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def go(self, url: str) -> None:
        """Load a page and wait until it has."""
        loader = self.call("Page.navigate", url=url).get("loaderId")  # none where only the part after # changes
        until = time.monotonic() + self.browser.timeout
        while loader and not any(e["name"] == "load" and e["loaderId"] == loader for e in self.events("Page.lifecycleEvent")):
            self.browser._read(until, f"load {url}")

    def frame(self) -> Callable[[str], Any]:
        """`js` inside the first frame of the page, which may live in a process of its own."""
        tree = self.call("Page.getFrameTree")["frameTree"].get("childFrames")
        if tree:
            world = self.call("Page.createIsolatedWorld", frameId=tree[0]["frame"]["id"])["executionContextId"]
            return lambda expression: self.js(expression, contextId=world)
        until = time.monotonic() + self.browser.timeout
        while not (found := [e for e in self.events("Target.attachedToTarget") if e["targetInfo"]["type"] == "iframe"]):
            self.browser._read(until, "attach to a frame")
        other = found[0]["sessionId"]
        self.sessions.add(other)
        self.browser.call("Runtime.enable", other)
        return lambda expression: self.js(expression, session=other)

    def js(self, expression: str, session: str | None = None, **where: Any) -> Any:
        """What an expression is worth in the page."""
        params = {"expression": expression, "returnByValue": True, "awaitPromise": True} | where
        answer = self.browser.call("Runtime.evaluate", session or self.session, **params)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 5.0) -> None:
        """Until an expression is true in the page."""
        until = time.monotonic() + seconds
        while not self.js(expression):
            if time.monotonic() > until:
                raise AssertionError(f"still not after {seconds} s: {expression}")
            time.sleep(0.02)

    def key(self, key: str, shift: bool = False) -> None:
        """Press and release a key as a user does."""
        code, number = KEYS.get(key, (key, ord(key[0].upper())))
        text = TEXT.get(key, key if len(key) == 1 else None)
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        self.call(
            "Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event, **({"text": text} if text else {})
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        buttons = {"mousePressed": {"button": "left", "clickCount": 1}, "mouseReleased": {"button": "left", "clickCount": 1}}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **{**buttons.get(kind, {}), **more})

    def click(self, selector: str) -> None:
        """Click the middle of an element, scrolled into view where it is not."""
        self.js(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'nearest', behavior: 'instant'}})")
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.js(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def screenshot(self, path: str | os.PathLike[str]) -> bytes:
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        Path(path).write_bytes(data)
        return data
