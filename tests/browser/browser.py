"""A user at a browser: headless Chromium from Debian."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
)
SPAWN = 180
"""Seconds for a user's server to start: its volume is made and its image may have to be pulled."""
PATIENCE = 60
LOGINS = 5
"""Times to log in. JupyterHub 4.1 takes a login form only from the address that loaded it, and the load balancer may
have the two requests come from different nodes."""
REFUSED = ".login_error, .error:has(h1)"
"""Where the hub says that it refuses a login: on the login page, or on a page of errors."""


@dataclass(frozen=True)
class Place:
    """Where a browser runs. `driver` is the program that starts it, `authorities` a file with more that it trusts (PEM)."""

    driver: Path = Path("/usr/bin/chromedriver")
    authorities: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def in_zones(program: Path, authorities: Path, folder: Path, environment: Mapping[str, str]) -> Place:
    """Where the names in the practice cloud's zones are found, and what its ACME server issues is trusted.

    `program` is zerojhub, and `folder` for a file that starts the browser.
    """
    driver = folder / "driver"
    driver.write_text(f'#!/bin/sh\nexec {program} practice shell -- {Place.driver} "$@"\n')
    driver.chmod(0o755)
    return Place(driver, authorities, environment)


@contextlib.contextmanager
def browser(place: Place | None = None) -> Iterator[webdriver.Chrome]:
    """A browser with an empty, temporary profile."""
    place = place or Place()
    profile = tempfile.mkdtemp(prefix="browser-")
    if place.authorities:
        _trust(Path(profile), place.authorities)
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = Service(str(place.driver), env={**place.environment, "HOME": profile})
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(PATIENCE)
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def _trust(home: Path, authorities: Path) -> None:
    """Have the browser of that home trust these authorities, as a person has it do so in its settings."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=60)
    for number, text in enumerate(re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", authorities.read_text(), re.S)):
        add = [*certutil, "-A", "-a", "-n", f"authority {number}", "-t", "C,,"]
        subprocess.run(add, input=text, text=True, check=True, timeout=60)


def log_in(driver: webdriver.Chrome, url: str, user: str, password: str) -> None:
    """Fill in the hub's login page at the URL, and wait for the login. Raises AssertionError with the hub's error."""
    for _ in range(LOGINS):
        driver.get(f"{url.rstrip('/')}/hub/login")
        see(driver, "#username_input").send_keys(user)
        driver.find_element(By.CSS_SELECTOR, "#password_input").send_keys(password, Keys.ENTER)
        _until(
            driver,
            lambda page: "/hub/login" not in page.current_url or page.find_elements(By.CSS_SELECTOR, REFUSED),
            "answer to the login",
        )
        refused = [each.text for each in driver.find_elements(By.CSS_SELECTOR, REFUSED)]
        if not any("XSRF" in text for text in refused):
            break
    assert not refused, f"the hub says: {refused[0]}"


def open_lab(driver: webdriver.Chrome, url: str, user: str) -> None:
    """Open the user's JupyterLab, starting the server if necessary, and wait for the launcher."""
    driver.get(f"{url.rstrip('/')}/hub/spawn/{user}")
    deadline = time.monotonic() + SPAWN
    while f"/user/{user}/" not in driver.current_url:
        assert time.monotonic() < deadline, f"no server for {user}: {driver.find_element(By.TAG_NAME, 'body').text}"
        if buttons := driver.find_elements(By.CSS_SELECTOR, "#start, #spawn_form [type=submit]"):
            buttons[0].click()
        time.sleep(0.2)
    # Without what an earlier visit left open.
    driver.get(f"{url.rstrip('/')}/user/{user}/lab?reset")
    see(driver, ".jp-Launcher")


def run_cell(driver: webdriver.Chrome, code: str) -> str:
    """Open a new notebook from the launcher, run the code in its first cell, and return its output."""
    see(driver, ".jp-LauncherCard[data-category='Notebook']").click()
    editor = see(driver, ".jp-Notebook .jp-Cell .cm-content")
    # What is run before the kernel answers is lost.
    _until(driver, lambda page: "| Idle" in page.find_element(By.ID, "jp-main-statusbar").text, "an idle kernel")
    editor.click()
    editor.send_keys(code, Keys.SHIFT + Keys.ENTER)
    return see(driver, ".jp-Notebook .jp-OutputArea-output").text.strip()


def log_in_and_run(url: str, user: str, password: str, code: str, screenshot: Path, place: Place | None = None) -> str:
    """Log in to the hub, run the code in a cell, save a screenshot, and return the cell's output.

    If a step fails, the screenshot shows how far it got.
    """
    with browser(place) as driver:
        try:
            log_in(driver, url, user, password)
            open_lab(driver, url, user)
            return run_cell(driver, code)
        finally:
            with contextlib.suppress(WebDriverException):
                driver.save_screenshot(str(screenshot))


def see(driver: webdriver.Chrome, selector: str) -> WebElement:
    """Wait for a visible element that matches the selector, and return it."""

    def visible(page: webdriver.Chrome) -> WebElement | None:
        return next((each for each in page.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()), None)

    return _until(driver, visible, selector)


def _until(driver: webdriver.Chrome, found: Callable[[webdriver.Chrome], Any], what: str) -> Any:
    """Wait until `found` finds something on the page. Raises AssertionError with the page's text."""
    try:
        return WebDriverWait(driver, PATIENCE, 0.2, [StaleElementReferenceException]).until(found)
    except TimeoutException:
        page = driver.find_element(By.TAG_NAME, "body").text[:500]
        raise AssertionError(f"no {what} on the page after {PATIENCE} s, but: {page}") from None
