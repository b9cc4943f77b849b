"""Runs the whole product in one terminal: web, worker and beat. Ctrl-C stops all of it."""

import signal
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from evals import runner
from fsf.processes import AlreadyUp, NotReady, ProcessDied, Supervisor, address, embedded_environment, free_port, plan, port_is_free

JOB_GRACE = 5.0


class Command(BaseCommand):
    """`manage.py up`: the embedded way to run, in the foreground."""

    help = "Start web, worker and beat together and stop them together; Ctrl-C ends everything."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; the next free one where it is taken")
        parser.add_argument("--strict-port", action="store_true", help="fail where the port is taken")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], self._port(options)
        bring_up_to_date(self.say)
        url = address(host, port)
        try:
            self._run(
                Supervisor(plan(host=host, port=port), env=embedded_environment(url), say=self.say, echo=options["verbosity"] > 1), url
            )
        except KeyboardInterrupt:
            self.say("\nStopped: nothing is left running.")
        except (AlreadyUp, NotReady, ProcessDied) as wrong:
            raise CommandError(str(wrong)) from None

    def _run(self, product: Supervisor, url: str) -> None:
        names = ", ".join(process.name for process in product.processes)
        self.say(f"Starting {names} (logs in {settings.VAR_DIR / 'log'}) ...")
        try:
            with product:
                product.wait_until_ready(f"{url}/readyz")
                self.say(f"Ready: {url}  (Ctrl-C stops everything)")
                product.wait()
        finally:
            stop_evaluations()

    def _port(self, options: dict[str, Any]) -> int:
        host, port = options["host"], int(options["port"])
        if port_is_free(port, host):
            return port
        if options["strict_port"]:
            raise CommandError(f"Port {port} on {host} is taken; stop what listens there or name another with --port.")
        try:
            other = free_port(port + 1, host)
        except OSError as wrong:
            raise CommandError(str(wrong)) from None
        self.say(f"Port {port} is taken; using {other}.")
        return other

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def bring_up_to_date(say: Callable[[str], object]) -> None:
    """Migrate the embedded database; a shared one is migrated by whoever runs it, so there it is only checked."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting and connection.vendor != "sqlite":
        raise CommandError(f"The database lacks {len(waiting)} migrations. Run: python manage.py migrate")
    if waiting:
        say(f"Bringing the database up to date ({len(waiting)} migrations) ...")
        call_command("migrate", verbosity=0)
    connections.close_all()


def stop_evaluations() -> None:
    """Interrupt scheduled evaluations that still run here, then kill them; the next start records them as cancelled."""
    reason, until = "stopped with the product", time.monotonic() + JOB_GRACE
    running = runner.stop_running(number=signal.SIGINT, reason=reason)
    try:
        while running and time.monotonic() < until:
            time.sleep(0.1)
            running = runner.stop_running(number=0, reason=reason)
    finally:
        if running:
            runner.stop_running(number=signal.SIGKILL, reason=reason)
