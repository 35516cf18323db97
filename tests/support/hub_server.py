"""A Hub on this machine: as much of its API as the real client asks for, repositories in memory.

What it answers follows what huggingface_hub expects (paths, headers, error codes); it is strict
where the Hub is: tokens, parents of commits, digests of large files, identifiers of licenses.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

WRITE, READ = "hf_may_write_0123456789", "hf_may_read_0123456789"
# Of the Hub's list (hub-docs, repositories-licenses), what Korean sources use, and its two catch-alls.
_LICENSES = {
    "apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "unknown", "other",
}  # fmt: skip
_SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}


@dataclass(frozen=True)
class Blob:
    """One file of a commit. Parquet is stored as a large file, as the Hub's .gitattributes says."""

    data: bytes
    large: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        stored = self.data
        if self.large:
            head = "version https://git-lfs.github.com/spec/v1"
            stored = f"{head}\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()  # noqa: S324  as git

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid


@dataclass
class Repo:
    """A dataset repository: commits by id, branches by name."""

    private: bool
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, Blob], message: str, branch: str = "main") -> str:
        oid = hashlib.sha1(f"{len(self.commits)}{message}".encode()).hexdigest()  # noqa: S324
        self.commits[oid] = files
        self.messages.append(message)
        self.branches[branch] = oid
        return oid

    def files(self, revision: str = "main") -> dict[str, Blob]:
        return self.commits[self.branches.get(revision, revision)]


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str = "", body: Any = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


@dataclass
class Call:
    """One request, as it came."""

    method: str
    path: str
    query: str
    body: bytes
    token: str

    def json(self) -> Any:
        return json.loads(self.body)


class HubServer:
    """The server. Start it with ``with``; its repositories, calls and faults are open to a test."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.calls: list[Call] = []
        self.remarks: list[str] = []  # what the Hub has to say about a card
        self.before: Callable[[Call], None] = lambda _call: None
        self._faults: list[tuple[str, int, str]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, pattern: str, status: int, message: str = "") -> None:
        """Answer the next call whose ``METHOD /path`` matches with an error."""
        self._faults.append((pattern, status, message))

    def requests(self, pattern: str) -> list[Call]:
        """Calls whose ``METHOD /path`` matches."""
        return [c for c in self.calls if re.search(pattern, f"{c.method} {c.path}")]

    def writes(self) -> list[str]:
        """Calls that change something, or prepare to."""
        return [f"{c.method} {c.path}" for c in self.calls if c.method not in ("GET", "HEAD")]

    def answer(self, call: Call) -> tuple[dict[str, str], bytes]:
        with self._lock:
            self.calls.append(call)
            self.before(call)
            for fault in self._faults:
                if re.search(fault[0], f"{call.method} {call.path}"):
                    self._faults.remove(fault)
                    raise RefusedError(fault[1], fault[2])
            for method, pattern, answer in _ROUTES:
                match = re.fullmatch(pattern, call.path)
                if match and call.method in method:
                    self._check_token(call)
                    given = {key: unquote(value or "") for key, value in match.groupdict().items()}
                    return answer(self, call, **given)
        raise RefusedError(404, f"no such path: {call.path}", "EntryNotFound")

    def _check_token(self, call: Call) -> None:
        if call.token not in ("", READ, WRITE):
            raise RefusedError(401, "Invalid credentials in Authorization header")
        if call.method in ("GET", "HEAD") or call.path.startswith("/lfs/"):
            return  # addresses of uploads are signed: they take no token
        if call.token != WRITE:
            what = "This token may only read" if call.token else "Log in first"
            raise RefusedError(403 if call.token else 401, what)

    def _repo(self, call: Call, repo: str) -> Repo:
        if repo not in self.repos or (self.repos[repo].private and not call.token):
            raise RefusedError(404 if call.token else 401, "Repository not found", "RepoNotFound")
        return self.repos[repo]

    def _files(self, call: Call, repo: str, revision: str) -> tuple[str, dict[str, Blob]]:
        found = self._repo(call, repo)
        oid = found.branches.get(revision or "main", revision)
        if oid not in found.commits:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return oid, found.commits[oid]

    def create(self, call: Call) -> tuple[dict[str, str], bytes]:
        body = call.json()
        repo = f"{body['organization']}/{body['name']}"
        assert body.get("type", "model") in ("dataset", "model")
        if repo in self.repos:
            raise RefusedError(409, "You already created this repo")
        private = body.get("visibility") == "private" or bool(body.get("private"))
        self.repos[repo] = Repo(private)
        rules = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
        self.repos[repo].commit({".gitattributes": Blob(rules)}, "initial commit")
        return _json({"url": f"{self.url}/datasets/{repo}", "name": repo})

    def branch(self, call: Call, repo: str, branch: str) -> tuple[dict[str, str], bytes]:
        start, _ = self._files(call, repo, call.json().get("startingPoint", "main"))
        if branch in self.repos[repo].branches:
            raise RefusedError(409, "Reference already exists")
        self.repos[repo].branches[branch] = start
        return _json({})

    def validate(self, call: Call) -> tuple[dict[str, str], bytes]:
        _, head, _ = call.json()["content"].split("---\n", 2)
        card = yaml.safe_load(head)
        licenses = card["license"] if isinstance(card["license"], list) else [card["license"]]
        errors = [f'"license": {one} is not known' for one in licenses if one not in _LICENSES]
        if not set(card.get("size_categories", [])) <= _SIZES:
            errors.append('"size_categories" is not of the list')
        if not errors:
            remarks = [{"message": remark} for remark in self.remarks]
            return _json({"errors": [], "warnings": remarks})
        listed = [{"message": error} for error in errors]
        raise RefusedError(400, "Invalid metadata", body={"errors": listed, "warnings": []})

    def preupload(self, call: Call, repo: str, revision: str) -> tuple[dict[str, str], bytes]:
        _, files = self._files(call, repo, revision)
        ignored = files[".gitignore"].data.decode().split() if ".gitignore" in files else []
        answers = []
        for item in call.json()["files"]:
            path = item["path"]
            large = path.endswith(".parquet") or item["size"] > 10 << 20
            answers.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": any(fnmatch.fnmatch(path, rule) for rule in ignored),
                    **({"oid": files[path].etag} if path in files else {}),
                }
            )
        return _json({"files": answers})

    def batch(self, call: Call, repo: str) -> tuple[dict[str, str], bytes]:
        self._repo(call, repo)
        objects: list[dict[str, Any]] = []
        for item in call.json()["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self.large:
                upload = {"href": f"{self.url}/lfs/{item['oid']}?signature=secret"}
                answer["actions"] = {"upload": upload, "verify": {"href": f"{self.url}/verify"}}
            objects.append(answer)
        return _json({"transfer": "basic", "objects": objects})

    def receive(self, call: Call, oid: str) -> tuple[dict[str, str], bytes]:
        if hashlib.sha256(call.body).hexdigest() != oid:
            raise RefusedError(400, "The bytes are not what was announced")
        self.large[oid] = call.body
        return {}, b""

    def verify(self, call: Call) -> tuple[dict[str, str], bytes]:
        if call.json()["oid"] not in self.large:
            raise RefusedError(404, "Not uploaded")
        return _json({})

    def commit(self, call: Call, repo: str, revision: str) -> tuple[dict[str, str], bytes]:
        head, files = self._files(call, repo, revision)
        files = dict(files)
        lines = [json.loads(line) for line in call.body.splitlines()]
        assert lines[0]["key"] == "header"
        if lines[0]["value"].get("parentCommit", head) != head:
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                files[value["path"]] = Blob(self.large[value["oid"]], large=True)
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise RefusedError(400, f"what is {line['key']}?")
        oid = self.repos[repo].commit(files, lines[0]["value"]["summary"], revision)
        return _json({"commitUrl": f"{self.url}/datasets/{repo}/commit/{oid}", "commitOid": oid})

    def info(self, call: Call, repo: str, revision: str = "") -> tuple[dict[str, str], bytes]:
        oid, files = self._files(call, repo, revision)
        names = [{"rfilename": name} for name in sorted(files)]
        private = self.repos[repo].private
        return _json({"id": repo, "sha": oid, "private": private, "siblings": names})

    def tree(
        self, call: Call, repo: str, revision: str, path: str = ""
    ) -> tuple[dict[str, str], bytes]:
        _, files = self._files(call, repo, revision)
        listed: dict[str, dict[str, Any]] = {}
        for name, blob in sorted(files.items()):
            parts = name.split("/")
            for depth in range(1, len(parts)):
                folder = "/".join(parts[:depth])
                listed[folder] = {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
            entry = {"type": "file", "path": name, "oid": blob.oid, "size": len(blob.data)}
            if blob.large:
                entry["lfs"] = {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}
            listed[name] = entry
        inside = [e for n, e in listed.items() if not path or n.startswith(f"{path}/")]
        if not inside:
            raise RefusedError(404, f"{path} does not exist", "EntryNotFound")
        if "recursive=true" not in call.query.lower():
            depth = path.count("/") + 1 if path else 0
            inside = [e for e in inside if e["path"].count("/") == depth]
        return _json(inside)

    def resolve(
        self, call: Call, repo: str, revision: str, path: str
    ) -> tuple[dict[str, str], bytes]:
        oid, files = self._files(call, repo, revision)
        if path not in files:
            raise RefusedError(404, "Entry not found", "EntryNotFound")
        blob = files[path]
        headers = {"X-Repo-Commit": oid, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
        if blob.large:
            linked = {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(len(blob.data))}
            headers |= linked
        return headers, blob.data


_REPO = r"/api/(?:datasets|models)/(?P<repo>[^/]+/[^/]+)"
_ROUTES: list[tuple[str, str, Callable[..., tuple[dict[str, str], bytes]]]] = [
    ("POST", r"/api/repos/create", HubServer.create),
    ("POST", r"/api/validate-yaml", HubServer.validate),
    ("POST", _REPO + r"/branch/(?P<branch>.+)", HubServer.branch),
    ("POST", _REPO + r"/preupload/(?P<revision>.+)", HubServer.preupload),
    ("POST", _REPO + r"/commit/(?P<revision>.+)", HubServer.commit),
    ("POST", r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", HubServer.batch),
    ("PUT", r"/lfs/(?P<oid>\w+)", HubServer.receive),
    ("POST", r"/verify", HubServer.verify),
    ("GET", _REPO, HubServer.info),
    ("GET", _REPO + r"/revision/(?P<revision>.+)", HubServer.info),
    ("GET", _REPO + r"/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?", HubServer.tree),
    (
        "GET HEAD",
        r"(?:/datasets)?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
        HubServer.resolve,
    ),
]


def _json(document: Any) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/json"}, json.dumps(document).encode()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body in two packets would cost 40 ms a call

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            call = Call(self.command, parts.path, parts.query, self._body(), token)
            status = 200
            try:
                headers, body = hub.answer(call)
            except RefusedError as refused:
                status = refused.status
                headers, body = _json(refused.body or {"error": refused.message})
                headers |= {"X-Error-Message": refused.message} if refused.message else {}
                headers |= {"X-Error-Code": refused.code} if refused.code else {}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815  names of http.server

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its signature
            pass

    return Handler
