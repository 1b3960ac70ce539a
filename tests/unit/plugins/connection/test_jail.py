# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection into a jail, by Ansible's own ssh connection, with a program that stands in for ssh(1)."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from model import enter
from support.lab import Lab, copy
from support.loader import collections, settings

ROOT = Path(__file__).parents[4]
JAIL = "/usr/local/jails/h1/alice"
# Runs the command on the host whose folder has the destination's name, and notes the arguments it was called with.
SSH = """#!{python} -IS
import json, os, pathlib, sys
sys.path.insert(0, {code!r})
from model.host import Host
place = next(at for at, word in enumerate(sys.argv) if word in {hosts!r})
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
stdin = b"" if os.isatty(0) else sys.stdin.buffer.read()
host = Host(pathlib.Path({folder!r}, sys.argv[place]))
done = host.run(["/bin/sh", "-c", " ".join(sys.argv[place + 1:])], stdin)
# A terminal has one output for both.
terminal = "-tt" in sys.argv
for text, stream in ((done.out, sys.stdout), (done.err, sys.stdout if terminal else sys.stderr)):
    data = text.encode(errors="surrogateescape")
    stream.buffer.write(data.replace(b"\\n", b"\\r\\n") if terminal else data)
sys.exit(done.rc)
"""


@pytest.fixture(scope="module", autouse=True)
def collection() -> t.Iterator[None]:
    """Let Ansible find the collection."""
    with collections():
        yield


@pytest.fixture
def ssh(lab: Lab, world: Path, tmp_path: Path) -> Path:
    """Return a program in place of ssh(1) that reaches h1, on which alice runs."""
    copy(world, lab.path(JAIL))
    lab.run("jail", "-c", "name=alice", f"path={JAIL}", "host.hostname=www.alice.example.net", "persist")
    program = tmp_path / "ssh"
    program.write_text(
        SSH.format(
            python=sys.executable,
            code=str(enter.CODE.parent),
            hosts=("h1",),
            log=str(tmp_path / "ssh.log"),
            folder=str(tmp_path),
        ),
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def connect(ssh: Path) -> t.Callable[..., t.Any]:
    """Return what connects, by default to alice on h1; other variables than these may be given."""

    def connection(**variables: t.Any) -> t.Any:
        context = PlayContext()
        context.remote_addr = "alice"
        made = connection_loader.get("jailisp.vps.jail", context)
        known = {"ansible_jail_name": "alice", "ansible_jail_host": "h1", "ansible_ssh_executable": str(ssh)}
        made.set_options(var_options={**known, **variables})
        return made

    return connection


def calls(ssh: Path) -> list[list[str]]:
    """Return the arguments of each time that ssh was started."""
    log = ssh.with_suffix(".log")
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def test_a_command_runs_in_the_jail(connect: t.Callable[..., t.Any], ssh: Path) -> None:
    done = connect().exec_command('hostname; echo "it\'s" >&2; exit 3', sudoable=False)
    assert done == (3, b"www.alice.example.net\n", b"it's\n")
    (arguments,) = calls(ssh)
    line = "jexec -l -U root alice /bin/sh -c 'hostname; echo \"it'\"'\"'s\" >&2; exit 3'"
    assert arguments[-2:] == ["h1", line]


def test_data_go_to_a_command_as_they_are(connect: t.Callable[..., t.Any]) -> None:
    data = bytes(range(256)) * 10
    assert connect().exec_command("cat", in_data=data, sudoable=False) == (0, data, b"")


def test_the_login_on_the_host_may_need_help_and_the_user_in_the_jail_may_be_another(
    connect: t.Callable[..., t.Any], ssh: Path
) -> None:
    connect(ansible_jail_jexec=["doas", "-n", "jexec"], ansible_jail_user="www").exec_command("id")
    assert calls(ssh)[0][-1] == "doas -n jexec -l -U www alice /bin/sh -c id"


def test_ssh_is_told_what_its_own_variables_say(connect: t.Callable[..., t.Any], ssh: Path) -> None:
    variables = {"ansible_user": "admin", "ansible_port": 2222, "ansible_ssh_common_args": "-o ProxyJump=gate"}
    connect(**variables).exec_command("id")
    (arguments,) = calls(ssh)
    assert {'User="admin"', "Port=2222", "ProxyJump=gate"} < set(arguments)
    assert any(word.startswith("ControlPath=") for word in arguments)


@pytest.mark.parametrize("sudoable", [True, False])
def test_a_jail_that_does_not_run_is_unreachable(connect: t.Callable[..., t.Any], sudoable: bool) -> None:
    with pytest.raises(AnsibleConnectionFailure, match=r"^bob does not run on h1$"):
        connect(ansible_jail_name="bob").exec_command("id", sudoable=sudoable)


def test_a_command_that_fails_as_jexec_does_is_no_jail_that_does_not_run(connect: t.Callable[..., t.Any]) -> None:
    done = connect().exec_command("echo 'jexec: jail \"bob\" not found' >&2; exit 1", sudoable=False)
    assert done == (1, b"", b'jexec: jail "bob" not found\n')


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ansible_jail_name": "a;reboot"}, "ansible_jail_name: 'a;reboot' cannot be the name of a jail; correct it"),
        ({"ansible_jail_name": "-d"}, "ansible_jail_name: '-d' cannot be the name of a jail; correct it"),
        ({"ansible_jail_name": "a\n"}, r"ansible_jail_name: 'a\n' cannot be the name of a jail; correct it"),
        ({"ansible_jail_name": "17"}, "ansible_jail_name: '17' cannot be the name of a jail; correct it"),
        ({"ansible_jail_name": ""}, "alice: ansible_jail_name is missing; set it"),
        ({"ansible_jail_host": None}, "alice: ansible_jail_host is missing; set it"),
        ({"ansible_jail_user": "-x"}, "ansible_jail_user: '-x' cannot be the name of a user; correct it"),
        ({"ansible_jail_user": "a b"}, "ansible_jail_user: 'a b' cannot be the name of a user; correct it"),
        ({"ansible_jail_jexec": [""]}, "alice: ansible_jail_jexec: an empty word; correct it, such as [doas, jexec]"),
    ],
)
def test_what_can_be_no_name_never_reaches_a_shell(
    connect: t.Callable[..., t.Any], ssh: Path, variables: dict[str, t.Any], message: str
) -> None:
    with pytest.raises(AnsibleError) as caught:
        connect(**variables).exec_command("id")
    assert str(caught.value) == message
    assert calls(ssh) == []


def test_files_go_in_and_out_as_they_are(connect: t.Callable[..., t.Any], lab: Lab, tmp_path: Path) -> None:
    connection = connect()
    source, back = tmp_path / "source", tmp_path / "back"
    for data in (random.Random(1).randbytes(3_000_000), b"", b"one line, no end"):
        source.write_bytes(data)
        connection.put_file(str(source), '/tmp/it\'s a "name" $(id)')
        assert lab.path(f'{JAIL}/tmp/it\'s a "name" $(id)').read_bytes() == data
        connection.fetch_file('/tmp/it\'s a "name" $(id)', str(back))
        assert back.read_bytes() == data


def test_a_file_lands_in_the_jail_wherever_its_links_lead(
    connect: t.Callable[..., t.Any], lab: Lab, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_text("from outside\n", encoding="utf-8")
    lab.path("/etc/passwd").chmod(0o644)
    before = lab.path("/etc/passwd").read_bytes()
    shutil.rmtree(lab.path(f"{JAIL}/tmp"))
    lab.path(f"{JAIL}/tmp").symlink_to("/etc")
    connect().put_file(str(source), "/tmp/passwd")
    assert lab.path("/etc/passwd").read_bytes() == before
    assert lab.path(f"{JAIL}/etc/passwd").read_text(encoding="utf-8") == "from outside\n"


def test_a_file_of_the_host_cannot_be_fetched_by_a_link(
    connect: t.Callable[..., t.Any], lab: Lab, tmp_path: Path
) -> None:
    lab.path("/etc/secret").write_text("the host's\n", encoding="utf-8")
    lab.path(f"{JAIL}/tmp/mine").symlink_to("/etc/secret")
    with pytest.raises(AnsibleError, match=r"^alice: /tmp/mine was not transferred: .*No such file or directory$"):
        connect().fetch_file("/tmp/mine", str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()


def test_a_file_that_cannot_be_moved_says_so(connect: t.Callable[..., t.Any], tmp_path: Path) -> None:
    (tmp_path / "source").write_text("text", encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"^alice: /nosuch/file was not transferred: .*No such file or directory$"):
        connect().put_file(str(tmp_path / "source"), "/nosuch/file")
    with pytest.raises(AnsibleFileNotFound):
        connect().put_file(str(tmp_path / "missing"), "/tmp/file")


PLAYBOOK = """
- hosts: h1
  gather_facts: false
  tasks:
    - name: A task of the host that is delegated to one of its jails
      ansible.builtin.raw: hostname
      delegate_to: alice
      register: delegated
    - ansible.builtin.debug:
        msg: "delegated to {{ delegated.stdout }}"

- hosts: host_h1:!state_stopped
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - name: A script goes into the jail
      ansible.builtin.script: SCRIPT
      register: script
    - ansible.builtin.meta: reset_connection
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }}: {{ script.stdout | default(script.msg) | trim }}"
"""


def test_ansible_runs_tasks_and_scripts_in_the_jails_of_the_inventory(ssh: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventory", inventory)
    (inventory / "group_vars" / "all.yml").write_text(f"ansible_ssh_executable: {ssh}\n", encoding="utf-8")
    script, playbook = tmp_path / "script.sh", tmp_path / "play.yml"
    script.write_text("#!/bin/sh\necho $(hostname) $(sysctl -n security.jail.jailed)\n", encoding="utf-8")
    playbook.write_text(PLAYBOOK.replace("SCRIPT", str(script)), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible.cli.playbook",
            "-i",
            f"{inventory}/hosts.yml",
            "-i",
            f"{inventory}/fleet.yml",
            playbook,
        ],
        env={**os.environ, **settings(), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (
        "delegated to www.alice.example.net",
        "alice: www.alice.example.net 1",
        "bob: Task failed: bob does not run on h1",
    ):
        assert line in done.stdout, done.stdout + done.stderr
