#!/usr/bin/env python3
"""An app that pays for its users: each has an API key and a budget in nano, and `chrysalis proxy` answers."""

import argparse
import fcntl
import pathlib
import sys

from gateway import Gateway
from ledger import Ledger, Refused

EXAMPLE = """example:
  $ chrysalis proxy --network network.json --network-key network.pub --max-job 0.01 --receipts receipts &
  $ ./reseller.py user add ada --budget 500000000
  $ ./reseller.py serve --max-job 10000000 --receipts receipts

A nano is 10^-9 of the coin: 0.01 of it is 10000000 nano."""


def main(arguments: list[str]) -> int:
    """Runs a command. 0: done; 2: it could not be, and stderr says why."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (Refused, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--database", default="reseller.db", metavar="FILE", help="where budgets are kept (%(default)s)")
    verbs = top.add_subparsers(required=True)

    serve = verbs.add_parser("serve", help="answer users")
    serve.add_argument("--listen", default="127.0.0.1:8090", metavar="HOST:PORT", help="%(default)s")
    serve.add_argument("--proxy", default="http://127.0.0.1:8080/v1", metavar="URL", help="chrysalis proxy (%(default)s)")
    serve.add_argument(
        "--max-job", required=True, type=nano, metavar="NANO", help="the most a request may cost: as the proxy's --max-job"
    )
    serve.add_argument(
        "--receipts", type=pathlib.Path, metavar="DIR", help="the proxy's folder of receipts: what a crash or a break leaves open"
    )
    serve.set_defaults(run=run_serve)

    user = verbs.add_parser("user", help="users and their budgets").add_subparsers(required=True)
    add = user.add_parser("add", help="make a user; prints the API key, once")
    add.add_argument("name")
    add.add_argument("--budget", required=True, type=nano, metavar="NANO")
    add.set_defaults(run=lambda it: print(Ledger(it.database).add(it.name, it.budget)))
    listing = user.add_parser("list", help="each user's budget")
    listing.set_defaults(run=run_list)
    top_up = user.add_parser("top-up", help="add to a user's budget")
    top_up.add_argument("name")
    top_up.add_argument("nano", type=nano)
    top_up.set_defaults(run=lambda it: print(f"{it.name} has {Ledger(it.database).top_up(it.name, it.nano)} nano left"))
    return top


def nano(text: str) -> int:
    """An amount: a whole number above 0 that fits into 63 bits."""
    if not text.isdecimal() or not 0 < int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is no amount; give a whole number of nano")
    return int(text)


def run_list(options: argparse.Namespace):
    """Prints a line for each user."""
    for name, budget, spent, left in Ledger(options.database).users():
        print(f"{name:20} budget {budget}  spent {spent}  left {left}")


def run_serve(options: argparse.Namespace):
    """Answers users until it is ended. One at a time per database: a second one would take the first one's jobs for a crash's."""
    host, _, port = options.listen.rpartition(":")
    with open(f"{options.database}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another reseller serves from {options.database}; end it first") from error
        gateway = Gateway(
            (host, int(port)), Ledger(options.database), options.proxy, options.max_job, options.receipts
        )
        print(f"http://{host}:{gateway.server_address[1]}/v1", flush=True)
        try:
            gateway.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
