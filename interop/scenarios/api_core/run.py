"""Runs scenarios with the futures of google-api-core.

Each line of standard input is a job: a JSON object with the path of a file of
scenarios, the name of one in it, the way to run it, and where its server is,
over gRPC and over HTTP. Each line of standard output is what came of one: a
record as README.md describes it, but for the calls, which the server counts,
or {"failed": text} when this program could not run it. The first line is
{"ready": true}, before which jobs would have to wait.
"""

import asyncio
import json
import os
import sys
import traceback

import steps
import ways


def scenario_of(job):
    with open(job["file"], encoding="utf-8") as f:
        found = [s for s in json.load(f)["scenarios"] if s["name"] == job["scenario"]]
    return found[0]


async def run(job):
    scenario = scenario_of(job)
    way = ways.WAYS[job["way"]](scenario, job)
    try:
        try:
            future = way.open()
        except Exception as e:  # what a caller would see
            return {"open": steps.failure(e)}
        caller = steps.Caller(scenario, way, future)
        outcomes = [await caller.do(step) for step in scenario["steps"]]
        return {"open": {"outcome": "value"}, "steps": outcomes}
    finally:
        await way.close()


def main():
    # Whatever a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            record = asyncio.run(run(json.loads(line)))
        except Exception:
            record = {"failed": traceback.format_exc()}
        print(json.dumps(record), file=answers, flush=True)


if __name__ == "__main__":
    main()
