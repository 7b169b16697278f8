"""A worker that talks to the hub as Vectra's does: same library, same handshake, same frames, same two tasks.

It registers, sends heartbeats, publishes the objects it reads from standard input (one JSON text a line), and closes
at the end of the input, once every heartbeat has had its answer. Every frame it receives is a JSON line on standard
output: {"frame": text}; at the end {"closed": code, "reason": text}.
"""

import argparse
import asyncio
import inspect
import json
import sys

import websockets


def say(**line):
    print(json.dumps(line), flush=True)


async def run(options):
    # websockets renamed the argument in its rewritten client; both generations are in use.
    parameters = inspect.signature(websockets.connect).parameters
    name = "additional_headers" if "additional_headers" in parameters else "extra_headers"
    headers = {name: {"x-worker-secret": options.secret}}

    async with websockets.connect(options.uri, ping_timeout=60, **headers) as websocket:
        metadata = {"hostname": options.hostname, "version": options.version, "os": options.os}
        await websocket.send(json.dumps({"type": "REGISTER_WORKER", "metadata": metadata}))
        answered = asyncio.Event()

        async def heartbeat():
            for _ in range(options.pings):
                try:
                    await websocket.send("ping")
                except websockets.ConnectionClosed:
                    break
                await asyncio.sleep(options.ping_interval)

        async def consume():
            pongs = 0
            async for message in websocket:
                say(frame=message)
                if message == "pong":
                    pongs += 1
                    if pongs == options.pings:
                        answered.set()
                    continue
                json.loads(message)

        async def publish():
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                await websocket.send(json.dumps(json.loads(line)))
            await answered.wait()
            await websocket.close()

        tasks = [asyncio.create_task(task()) for task in (heartbeat, consume, publish)]
        try:
            await tasks[1]
        except websockets.ConnectionClosed:
            pass  # it ended without a close frame, or with a code other than 1000 and 1001
        for task in tasks:
            task.cancel()
        say(closed=websocket.close_code, reason=websocket.close_reason)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--uri", required=True)
parser.add_argument("--secret", required=True)
parser.add_argument("--hostname", default="gpu-01")
parser.add_argument("--version", default="1.4.2")
parser.add_argument("--os", default="Linux")
parser.add_argument("--ping-interval", type=float, default=0.05, help="seconds")
parser.add_argument("--pings", type=int, default=3)
asyncio.run(run(parser.parse_args()))
