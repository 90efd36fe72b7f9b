"""A real Slurm of one node, this machine, with GPUs that are only pretended; for tests and benchmarks.

Everything it makes lies in one folder, and its ports are free ones, so that several can run side by side and a Slurm
that the machine belongs to is left alone. It needs the packages slurm-wlm and munge, and no systemd.

    python tests/slurm/one_node_slurm.py start FOLDER    # prints the variables; in a shell: . FOLDER/environment.sh
    python tests/slurm/one_node_slurm.py stop FOLDER
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PARTITION = "main"
GPU_MODEL = "pretended"
PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")

# Chosen for tests: nothing waits for long, and what jobs have is looked at every second, since without control groups
# Slurm watches memory by polling.
SLURM_CONF = """\
ClusterName=one_node
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
Prolog={folder}/prolog
Epilog={folder}/epilog
TaskProlog={folder}/task_prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MinJobAge=3600
InactiveLimit=0
KillWait=20
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={mem_mb} Gres=gpu:{model}:{gpus} State=UNKNOWN
PartitionName={partition} Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

# Who holds which device and when, written by Slurm itself: `<seconds> start|end|task <job> <devices>`.
LEDGER = """\
#!/bin/sh
echo "$(date +%s.%N) {event} $SLURM_JOB_ID {devices}" >> {folder}/devices.log
"""


@dataclass
class OneNodeSlurm:
    """The cluster in `folder`; `start` and `stop` it."""

    folder: Path
    gpus: int = 2
    cpus: int = 4  # may exceed the machine's
    mem_mb: int = 24_000  # what Slurm hands out; it does not look at the machine's own

    @property
    def node(self) -> str:
        return socket.gethostname().split(".")[0]

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point Slurm's commands, and so Snakemake, at this cluster."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        missing = [program for program in PROGRAMS if _found(program) is None]
        if missing:
            raise SystemExit(
                f"Slurm is not complete: {', '.join(missing)} missing; sh tests/slurm/install.sh helps"
            )
        self._write_files()
        try:
            self._start_munge()
            self.start_daemon("slurmctld")
            self.start_daemon("slurmd")
            self.wait_for_node("idle")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel what runs, then end the daemons by the ids that they wrote down."""
        if self.pid("slurmctld"):
            self.run("scancel", "--partition", PARTITION, check=False)
            self.wait_until(lambda: not self.jobs("RUNNING,COMPLETING"), "all jobs gone", seconds=40)
        for daemon in ("slurmd", "slurmctld", "munged"):
            self.stop_daemon(daemon)

    def start_daemon(self, name: str) -> None:
        program = _found(name)
        assert program is not None
        subprocess.run([program, "-f", str(self.folder / "slurm.conf")], check=True, timeout=30)

    def stop_daemon(self, name: str, by: signal.Signals = signal.SIGTERM) -> None:
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, by)
        self.wait_until(lambda: self.pid(name) is None, f"end of {name}", seconds=20)

    def kill_node(self) -> None:
        """What pulling the plug does: the node's daemon and every process of its jobs are gone, and that is noticed."""
        processes = {psutil.Process(pid) for pid in self.job_processes()}
        parents = {above for process in processes for above in process.parents()}
        self.stop_daemon("slurmd", signal.SIGKILL)
        # Slurm's own processes first, or they would still tell of the end of the others.
        for process in [above for above in parents if above.name() == "slurmstepd"] + list(processes):
            process.kill()
        self.run("scontrol", "update", f"NodeName={self.node}", "State=DOWN", "Reason=no answer")

    def revive_node(self) -> None:
        self.start_daemon("slurmd")
        self.wait_until(lambda: self.node_state() in ("idle", "mix", "alloc"), "the node is back", 120)

    def start_requeued(self, job: str) -> None:
        """A job that is requeued rests for two minutes; this one need not.

        The node revokes what it was told of the job, to the second: a start in the same second would be refused
        ("Job credential revoked"), and the job failed.
        """
        self.wait_until(lambda: self.jobs()[job] == "PENDING", f"{job} is in the queue again", 120)
        time.sleep(3)
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def job_processes(self, job: str = "") -> list[int]:
        """Process ids of a running job, or of all."""
        lines = self.run("scontrol", "listpids", *([job] if job else []), check=False).splitlines()[1:]
        listed = [line.split()[0] for line in lines]
        return [int(pid) for pid in listed if pid.isdigit() and psutil.pid_exists(int(pid))]

    def pid(self, daemon: str) -> int | None:
        """Process id of a daemon of this cluster; None when it does not run."""
        try:
            pid = int((self.folder / f"{daemon}.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if daemon.encode() in command else None

    def run(self, *command: str, check: bool = True, **options: object) -> str:
        """Run a command of Slurm and return what it prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, **options
        )  # type: ignore[call-overload]
        if check and done.returncode:
            raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def jobs(self, states: str = "all") -> dict[str, str]:
        """State of every job in some states, by id."""
        lines = self.run("squeue", "--noheader", f"--states={states}", "--format=%i %T", check=False)
        return dict(line.split(maxsplit=1) for line in lines.splitlines())

    def node_state(self) -> str:
        return self.run("sinfo", "--noheader", "--format=%t", check=False).strip()

    def wait_for_node(self, state: str, seconds: float = 40) -> None:
        self.wait_until(lambda: self.node_state() == state, f"node {state}", seconds)

    def wait_until(self, happened, what: str, seconds: float):
        """Look every 0.2 s until `happened()` is true, and return what it returned."""
        end = time.monotonic() + seconds
        while not (result := happened()):
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds} s\n{self.last_words()}")
            time.sleep(0.2)
        return result

    def last_words(self) -> str:
        """The ends of the daemons' logs."""
        logs = sorted(self.folder.glob("*d.log")) + sorted(self.folder.glob("slurmctld.log"))
        return "\n".join(f"== {log.name}\n" + "\n".join(_lines(log)[-15:]) for log in logs)

    def device_events(self) -> list[tuple[float, str, str, tuple[str, ...]]]:
        """(seconds, start | end | task, job, devices) of every job that held a GPU."""
        events = []
        for line in _lines(self.folder / "devices.log"):
            when, what, job, *devices = line.split()
            if devices:
                events.append((float(when), what, job, tuple(devices[0].split(","))))
        return sorted(events)

    def _write_files(self) -> None:
        for name in ("state", "spool", "bin", "dev", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "munge").chmod(0o700)
        ports = _free_ports(2)
        (self.folder / "slurm.conf").write_text(
            SLURM_CONF.format(
                host=self.node,
                user=subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(),
                folder=self.folder,
                controller_port=ports[0],
                node_port=ports[1],
                cpus=self.cpus,
                mem_mb=self.mem_mb,
                gpus=self.gpus,
                model=GPU_MODEL,
                partition=PARTITION,
            )
        )
        # Slurm drops a GPU without a device file, and takes each file for one GPU.
        for number in range(self.gpus):
            (self.folder / "dev" / f"gpu{number}").symlink_to("/dev/null")
        files = f"{self.folder}/dev/gpu[0-{self.gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"Name=gpu Type={GPU_MODEL} File={files}\n")
        # The executor plugin starts a job's step without the variable that says where this cluster's settings are.
        self._write_script(
            "bin/srun",
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n',
        )
        for name, event, devices in (
            ("prolog", "start", "$SLURM_JOB_GPUS"),
            ("epilog", "end", "$SLURM_JOB_GPUS"),
            ("task_prolog", "task", "$CUDA_VISIBLE_DEVICES"),
        ):
            self._write_script(name, LEDGER.format(event=event, devices=devices, folder=self.folder))
        (self.folder / "devices.log").touch()
        variables = "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in self.environment.items()
        )
        (self.folder / "environment.sh").write_text(variables)

    def _write_script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def _start_munge(self) -> None:
        """Munge, by which Slurm's parts know each other, with a key and a socket of its own."""
        key, munge = self.folder / "munge" / "munge.key", self.folder / "munge"
        if not key.exists():
            subprocess.run([str(_found("mungekey")), "--create", "--keyfile", str(key)], check=True)
        options = {
            "key-file": key,
            "socket": self.folder / "munge.socket",
            "pid-file": self.folder / "munged.pid",
            "log-file": self.folder / "munged.log",
            "seed-file": munge / "seed",
        }
        command = [
            str(_found("munged")),
            "--force",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


def _found(program: str) -> str | None:
    """Daemons lie where only root's PATH leads."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cpus", type=int, default=4)
    given = parser.parse_args()
    cluster = OneNodeSlurm(given.folder.resolve(), cpus=given.cpus)
    if given.action == "start":
        cluster.start()
        print(json.dumps(cluster.environment))
    else:
        cluster.stop()


if __name__ == "__main__":
    main()
