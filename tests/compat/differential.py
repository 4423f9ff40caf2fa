#!/usr/bin/env python3
"""Plays scenarios against AMQP 0-9-1 brokers and compares what they answer.

    differential.py --record URL FILE       write what a broker answers
    differential.py --check URL FILE        compare a broker with a recording
    differential.py --compare URL_A URL_B   compare two live brokers, A being the model

URL is amqp://user:password@host:port/vhost. See README.md for the rest.
"""

import argparse
import difflib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import scenarios
from clients import NO_ANSWER
from expected_differences import awaited_feature, difference_of, matches
from harness import BROKE, SCENARIOS, Broker, play, product

AT_ONCE = 64
TROUBLE = (NO_ANSWER, BROKE)    # how a transcript ends when the broker may have gone


def main():
    options = _options()
    scenarios.load(options.quorum)
    names = _chosen(options.only)
    if options.record:
        url, path = options.record
        return _record(names, Broker.at(url), Path(path))
    if options.check:
        url, path = options.check
        model = json.loads(Path(path).read_text())
        return _judge(names, model, Broker.at(url))
    url, other = options.compare
    return _judge(names, _play_all(names, Broker.at(url)), Broker.at(other))


def _options():
    parser = argparse.ArgumentParser(description="Compares AMQP 0-9-1 brokers, scenario by scenario.")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--record", nargs=2, metavar=("URL", "FILE"), help="write what a broker answers")
    task.add_argument("--check", nargs=2, metavar=("URL", "FILE"), help="compare a broker with a recording")
    task.add_argument("--compare", nargs=2, metavar=("URL_A", "URL_B"), help="compare two live brokers")
    parser.add_argument("--only", metavar="NAME", help="only the scenarios with NAME in their names")
    parser.add_argument("--quorum", action="store_true", help="quorum queues too")
    return parser.parse_args()


def _chosen(part):
    names = [name for name in SCENARIOS if part is None or part in name]
    if not names:
        sys.exit(f"no scenario has {part!r} in its name")
    return names


def _play_all(names, broker):
    if product(broker) is None:
        sys.exit(f"no AMQP 0-9-1 broker answers at {broker.host}:{broker.port}")
    together = [name for name in names if name.split(".")[0] in scenarios.SIDE_BY_SIDE]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        transcripts = dict(zip(together, pool.map(lambda name: play(name, broker), together)))
    for name in names:
        if name not in transcripts:
            transcripts[name] = play(name, broker)
            if transcripts[name][-1].endswith(TROUBLE) and product(broker) is None:
                sys.exit(f"the broker does not answer any more after {name}")
    return transcripts


def _record(names, broker, path):
    """Scenarios that are not played keep their place in the recording."""
    recorded = json.loads(path.read_text()) if path.exists() else {}
    recorded.update(_play_all(names, broker))
    path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(names)} recorded")
    return 0


def _judge(names, model, broker):
    may_differ = product(broker) != "RabbitMQ"
    transcripts, failed, skipped = _play_all(names, broker), 0, 0
    for name in names:
        expected, actual = _expectations(name, model, may_differ), transcripts[name]
        right = any(_agree(transcript, actual) for transcript in expected)
        later = awaited_feature(name) if may_differ else None
        if later and right:
            print(f"FAILED {name}: it passes now, take it off the list of {later}\n")
            failed += 1
        elif later:
            skipped += 1
        elif not right:
            failed += 1
            _report(name, expected[0], actual)
    print(f"{len(names) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def _expectations(name, model, may_differ):
    """The transcripts that are right; the one to report against comes first."""
    recorded = model.get(name, ["(not in the recording)"])
    difference = difference_of(name) if may_differ else None
    if difference is None:
        return [recorded]
    intended = difference.applied_to(recorded)
    return [recorded, intended] if difference.may else [intended]


def _agree(expected, actual):
    return len(expected) == len(actual) and all(
        line == pattern or matches(line, pattern) for line, pattern in zip(actual, expected))


def _report(name, expected, actual):
    difference = difference_of(name)
    print(f"FAILED {name}" + (f"  ({difference.reason})" if difference else ""))
    for line in difflib.ndiff(expected, actual):
        if not line.startswith("?"):
            print(f"    {line}")
    print()


if __name__ == "__main__":
    sys.exit(main())
