"""Who may see the pages, and what the pages may do."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

import kit19
from kit19.viewing.guard import HEADERS
from kit19.viewing.opening import open_paths
from tests.support.invoking import command_line, invoke
from tests.support.viewing import ONCE, TOKEN, Client, viewing
from tests.viewing.conftest import Shown


def cookie(client: Client, token: str = TOKEN) -> dict[str, str]:
    return {"Cookie": f"kit19_view_{client.port}={token}"}


@pytest.mark.parametrize("path", ["/", "/o/x/", "/assets/view.css", "/set?theme=dark", "/nothing"])
def test_nothing_is_shown_without_the_token(client: Client, path: str) -> None:
    for headers in (
        {},
        cookie(client, "wrong"),
        {"Cookie": "kit19_view_1=" + TOKEN},
        {"Cookie": "ö"},
    ):
        answer = client.raw(
            path, {k: v.encode("latin-1").decode("latin-1") for k, v in headers.items()}
        )
        assert answer.status == 403
        assert b"<" not in answer.body
    assert client.raw(path + "?token=wrong", {}).status == 403


def test_the_token_moves_from_the_address_to_a_cookie(client: Client) -> None:
    answer = client.raw(f"//evil.example/x?token={TOKEN}&q=%EC%98%81&q=b", {})
    assert answer.status == 303
    assert answer.headers["location"] == "/evil.example/x?q=%EC%98%81&q=b"
    given = answer.headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert client.raw("/", {"Cookie": given.partition(";")[0]}).status in (200, 303)


def test_the_token_of_a_command_line_works_once(shown: Shown, loopback: None) -> None:
    with viewing(shown.root / "run") as client:
        first = client.raw(f"/?token={ONCE}", {})
        assert (first.status, first.headers["location"]) == (303, "/")
        given = {"Cookie": first.headers["set-cookie"].partition(";")[0]}
        assert client.raw("/o/run/", given).status == 200
        assert client.raw(f"/?token={ONCE}", {}).status == 403
        assert client.raw("/", cookie(client, ONCE)).status == 403


def test_options_that_mean_nothing_are_misuse(shown: Shown, tmp_path: Path) -> None:
    run, site = shown.root / "run", tmp_path / "site"
    for line, named in (
        (["--bundle", site, "--host", "127.0.0.1", "--port", "1"], "--port, --host"),
        (["--bundle", site, "--no-browser"], "--no-browser"),
        (["--bundle-pages", "5"], "--bundle-pages"),
    ):
        ran = invoke("view", run, *line)
        assert ran.code == 2
        assert f"{named}." in ran.err
    assert not site.exists()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_requests_under_another_name_are_refused(client: Client, host: str) -> None:
    assert client.raw("/", {**cookie(client), "Host": host}).status == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[", "file://"]
)
def test_requests_of_other_pages_are_refused(client: Client, origin: str) -> None:
    for method in ("GET", "POST"):
        answer = client.raw("/", {**cookie(client), "Origin": origin}, method)
        assert answer.status == 403


def test_what_changes_something_names_its_origin(client: Client) -> None:
    assert client.raw("/", cookie(client), "POST").status == 403


@pytest.mark.parametrize("path", ["/o/once-sample/", "/nothing", "/assets/view.js", "/set"])
def test_every_answer_limits_what_a_page_may_do(client: Client, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS.items():
        if name != "cache-control":
            assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_pages_have_no_script_or_style_of_their_own(client: Client) -> None:
    for path in ("/o/once-sample/", "/o/once-sample/rows", "/o/once-sample/dropped"):
        html = client.get(path).html
        own = r"<style|<script(?! src=\"/assets/view.js\" defer></script>)|\sstyle=|\son\w+="
        assert not re.search(own, html)


@pytest.mark.parametrize(
    "name", ["../view.css", "%2e%2e/site.py", "..%2fsite.py", "/etc/passwd", "view.css%00", "."]
)
def test_assets_never_leave_their_folder(client: Client, name: str) -> None:
    assert client.get(f"/assets/{name}").status in (400, 404)


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "https://evil.example", "/\\evil.example", "x", "//[", "/\t/evil.example"],
)
def test_choosing_a_language_leads_to_no_other_site(client: Client, back: str) -> None:
    answer = client.get("/set", language="ko", back=back)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_other_machines_are_let_in_only_if_asked_for(sample_build: Path) -> None:
    with pytest.raises(kit19.ArgumentError, match="other machines can reach"):
        kit19.view(sample_build, host="0.0.0.0")  # noqa: S104  it is refused
    ran = invoke("view", sample_build, "--host", "0.0.0.0", "--no-browser")  # noqa: S104
    assert ran.code == 1
    assert "--unsafe-open-to-network" in ran.err


def test_the_command_serves_until_ctrl_c(sample_build: Path, client: Client) -> None:
    line = command_line("view", str(sample_build), "--port", "0", "--no-browser", "--json")
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        document = ""
        while not document.endswith("}\n"):
            line_of_it = server.stdout.readline()
            assert line_of_it, document
            document += line_of_it
        url = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)", document)
        assert url
        other = Client(int(url[1]), client.site)
        assert other.raw(f"/?token={url[2]}", {}).status == 303
        server.send_signal(signal.SIGINT)
        assert server.wait(300) == 0


def test_a_path_that_is_nothing_to_view_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = invoke("view", tmp_path / "empty", tmp_path / "missing", "--no-browser")
    assert ran.code == 1
    assert f"{tmp_path / 'empty'}: is nothing that can be viewed" in ran.err
    assert f"{tmp_path / 'missing'}: does not exist" in ran.err
    assert invoke("view").code == 2


def test_a_file_opens_its_own_folder_only(shown: Shown) -> None:
    (shown.root / "notes.txt").write_text("notes")
    with pytest.raises(kit19.Kit19Error, match="is nothing that can be viewed"):
        open_paths([shown.root / "notes.txt"])
    assert [one.key for one in open_paths([shown.audit / "audit.json"])] == ["audit"]


def test_no_folder_is_left_out_in_silence(tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / "many" / f"{number:03}").mkdir(parents=True)
    run = tmp_path / "many" / "zzz"
    run.mkdir()
    (run / "run.json").write_text("{}")
    assert [one.key for one in open_paths([tmp_path / "many"])] == ["zzz"]
    for path in (tmp_path / "many").iterdir():
        (path / "run.json").write_text("{}")
    with pytest.raises(kit19.Kit19Error, match="holds more than 200 folders"):
        open_paths([tmp_path / "many"])
