"""Plans, and real servers on loopback with folders and ports of their own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gradcheck.sweep.plan import plan_units

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _functions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(HERE / "functions")


@pytest.fixture
def plan():
    def make(*names, versions=("tf28",), modes=("eager", "xla"), seeds=(0, 1), **options):
        return plan_units([f"module:{n}" for n in names], versions=versions, modes=modes, seeds=seeds, **options)

    return make


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="free_port")
def _free_port() -> int:
    return free_port()


def _missing(what: str) -> None:
    reason = f"{what} is not installed here (Debian: apt-get install postgresql redis-server)"
    if os.environ.get("GRADCHECK_EXPECT_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def wait_until(condition, seconds=30.0, what="it"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Postgres:
    """A server of one's own; can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.url = f"postgresql://gradcheck@127.0.0.1:{self.port}/postgres"
        # It refuses to run as root, which is who runs in a container.
        self.user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        if self.user:
            shutil.chown(folder, "postgres")
        options = ["--username=gradcheck", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", "--pgdata", str(folder / "data"), *options)
        self.start()

    def start(self) -> None:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "--pgdata", str(self.folder / "data"), "-w", "-l", f"{self.folder}/log", "-o", settings, "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self.user, str(self.programs / program), *arguments]
        # Output to a file: a server that is started keeps the pipe open.
        with open(self.folder / "out", "a+") as out:
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=self.folder, timeout=120)
        assert done.returncode == 0, (self.folder / "out").read_text()[-2000:]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory):
    """A PostgreSQL server."""
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else Path(shutil.which("initdb") or "/nowhere/initdb").parent
    if not (programs / "initdb").exists():
        _missing("PostgreSQL")
    # pytest's own folders are closed to other users.
    folder = Path(f"/tmp/gradcheck-postgres-{os.getpid()}-{free_port()}")
    folder.mkdir(mode=0o755)
    server = None
    try:
        server = Postgres(programs, folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory):
    """A Redis server."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        _missing("redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(port), what="the start of Redis")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(20)
