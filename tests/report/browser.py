"""A real Chromium, driven over a pipe: mouse, keys, console, requests, pictures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--remote-debugging-pipe", "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip


def find():
    """Return the browser's command, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One page. ``log`` collects what its console says, ``asked`` what it loads."""

    def __init__(self, profile, width=1280, height=900):
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()

        def pipes():
            spare = [os.dup(to_child), os.dup(from_child)]
            os.dup2(spare[0], 3)
            os.dup2(spare[1], 4)

        self._process = subprocess.Popen(
            [find(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes,  # noqa: PLW1509 (only moves file descriptors)
            close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_child)
        os.close(from_child)
        self._buffer, self._next, self._session = b"", 0, None
        self.log, self.asked, self._events = [], [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method, **params):
        self._next += 1
        message = {"id": self._next, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._next:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self):
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        event = json.loads(text)
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.log.append(str(params["args"]))
            case "Runtime.exceptionThrown":
                self.log.append(json.dumps(params["exceptionDetails"])[:500])
            case "Log.entryAdded":
                self.log.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.asked.append(params["request"]["url"])
        return event

    def size(self, width, height=900, *, touch=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=touch)  # fmt: skip

    def media(self, scheme="light", medium=""):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def open(self, page, ready="document.readyState === 'complete'"):
        self.call("Page.navigate", url=page.as_uri())
        self.wait(ready)

    def run(self, script):
        """Return the value of an expression, waiting for promises."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition, seconds=60):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def spot(self, selector, x=0.5, y=0.5):
        """Scroll to an element; return a place in it, as shares of its size."""
        box = self.run(f"""(() => {{
            const element = document.querySelector({selector!r});
            element.scrollIntoView({{block: "center", behavior: "instant"}});
            const b = element.getBoundingClientRect();
            return [b.x, b.y, b.width, b.height];
        }})()""")
        return box[0] + x * box[2], box[1] + y * box[3]

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector, x=0.5, y=0.5):
        at = self.spot(selector, x, y)
        self.mouse("mouseMoved", *at)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, *at, button="left", clickCount=1)

    def key(self, name, modifiers=0):
        text = {"Enter": "\r"}.get(name, name if len(name) == 1 else "")
        code = {"Enter": 13, "Tab": 9}.get(name, 0)
        more = {"key": name, "modifiers": modifiers, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **more)

    def picture(self, path, *, whole=False):
        """Write a PNG of the window, or of the whole page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self):
        answer = self.call("Page.printToPDF", printBackground=True)
        return base64.b64decode(answer["data"])
